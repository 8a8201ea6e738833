package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tandem/bench/history"
	blogv1 "tandem/proto/blog/v1"
)

// WitnessShare is the share of the writes that a witness looks for unless told otherwise.
const WitnessShare = 0.1

// How a witness looks.
const (
	// witnessPatience is how long a write is looked for after its acknowledgement.
	witnessPatience = 10 * time.Second
	// witnessPause comes twice at first, then it doubles up to longestWitnessPause: time to effect is wanted to a millisecond
	// where writes show soon, and a page that is down for seconds must not be flooded.
	witnessPause        = time.Millisecond
	longestWitnessPause = 20 * time.Millisecond
	// witnessesAtOnce bounds what the looks cost: with all of them waiting for a page that is down it is 12,800 reads a second.
	witnessesAtOnce = 256
)

// WitnessConfig says which writes a witness looks for, and who hears of it.
type WitnessConfig struct {
	Schedule *Schedule          // says which of its operations are in the sample
	Client   *Client            // of the load
	Sink     func(history.Look) // called from many goroutines
	AtOnce   int                // how many writes are looked for at once; 0 for 256
	Patience time.Duration      // from the acknowledgement of a write until its looker gives up; 0 for 10 s
}

// Witness looks for a sample of the acknowledged writes on query's pages, as the client that wrote would: at once, and again
// and again until each shows. It takes no service's word for when that was. Its reads are no operations of the load.
//
// Posts and comments are looked for. Of subscriptions pages show only how many there are, which does not say whose.
type Witness struct {
	cfg     WitnessConfig
	life    context.Context
	endLife context.CancelFunc

	places   chan struct{}
	lookers  sync.WaitGroup
	overlook atomic.Int64
}

// NewWitness returns a witness whose looks end with ctx, without a word. Stop it.
func NewWitness(ctx context.Context, cfg WitnessConfig) *Witness {
	if cfg.AtOnce == 0 {
		cfg.AtOnce = witnessesAtOnce
	}
	if cfg.Patience == 0 {
		cfg.Patience = witnessPatience
	}
	w := &Witness{cfg: cfg, places: make(chan struct{}, cfg.AtOnce)}
	w.life, w.endLife = context.WithCancel(ctx)
	return w
}

// Watch looks for an operation of the load that has ended, if it is a write of the sample that was acknowledged. It returns at
// once. It must not be called after Wait or Stop.
func (w *Witness) Watch(o *history.Operation) {
	if !w.wants(o) {
		return
	}
	select {
	case w.places <- struct{}{}:
	default: // to look for it later would be to see it too late
		w.overlook.Add(1)
		return
	}
	w.lookers.Go(func() {
		defer func() { <-w.places }()
		w.follow(o)
	})
}

// wants tells whether a write is in the sample and must show. A comment that was rejected, or has to be, never does.
func (w *Witness) wants(o *history.Operation) bool {
	rejected := statusName(blogv1.CommentStatus_COMMENT_STATUS_REJECTED)
	return o.Outcome == history.OK && w.cfg.Schedule.Ops[o.Index].Witness && !o.Blocked && o.Status != rejected
}

// Wait waits until every write has been seen or given up, and returns how many of the sample were not looked for because too
// many were at that moment.
func (w *Witness) Wait() (overlooked int) {
	w.lookers.Wait()
	return int(w.overlook.Load())
}

// Stop ends all looks and waits for their end. After Wait it only frees what the witness holds.
func (w *Witness) Stop() {
	w.endLife()
	w.lookers.Wait()
}

// follow looks for one write until it shows or patience is over.
func (w *Witness) follow(o *history.Operation) {
	clock := w.cfg.Client.cfg.Clock
	until := o.Completed + w.cfg.Patience
	ctx, cancel := context.WithDeadline(w.life, clock.At(until))
	defer cancel()
	for pause, next := witnessPause, witnessPause; ; pause, next = next, min(2*next, longestWitnessPause) {
		look := w.look(ctx, o)
		if w.life.Err() != nil {
			return
		}
		look.GaveUp = !look.Shown && clock.Now()+pause >= until
		w.cfg.Sink(look)
		if look.Shown || look.GaveUp {
			return
		}
		sleep(ctx, pause)
	}
}

// look reads the page of a write once.
func (w *Witness) look(ctx context.Context, o *history.Operation) history.Look {
	c := w.cfg.Client
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Deadline)
	defer cancel()
	look := history.Look{Write: o.Index, Sent: c.cfg.Clock.Now()}
	shown, err := c.pageShows(ctx, o)
	look.Completed, look.Code, look.Shown = c.cfg.Clock.Now(), codeOf(err), shown
	return look
}

// pageShows tells whether the page of a post shows a write: of an update its version or a later one, of a deletion that the
// page is gone.
func (c *Client) pageShows(ctx context.Context, o *history.Operation) (bool, error) {
	if o.Op == CreateComment {
		return c.pageShowsComment(ctx, o)
	}
	page, err := c.query.GetPostPage(ctx, &blogv1.GetPostPageRequest{PostId: o.ID, PageSize: 1})
	if o.Op == DeletePost {
		return status.Code(err) == codes.NotFound, err
	}
	return shownOrLacking(page, err, page.GetPost().GetVersion() >= o.Version)
}

// pageShowsComment reads the comments of a post, newest first, down to those that were there before.
func (c *Client) pageShowsComment(ctx context.Context, o *history.Operation) (shown bool, err error) {
	before := c.cfg.Clock.At(o.Sent).Add(-clockSlack)
	err = walk(func(token string) (string, error) {
		page, err := c.query.GetPostPage(ctx, &blogv1.GetPostPageRequest{PostId: o.PostID, PageSize: commentsPerPage, PageToken: token})
		next := page.GetNextPageToken()
		for _, comment := range page.GetComments() {
			shown = shown || comment.GetId() == o.ID
			if shown || comment.GetCreateTime().AsTime().Before(before) {
				next = ""
			}
		}
		_, err = shownOrLacking(page, err, shown)
		return next, err
	})
	return shown, err
}

// clockSlack is by how much the clock of a service may seem to be behind ours.
const clockSlack = time.Second

// shownOrLacking makes a page that lacks parts, and on which something is not shown, no answer: it may be in what is lacking.
func shownOrLacking(page *blogv1.GetPostPageResponse, err error, shown bool) (bool, error) {
	if err == nil && !shown && len(page.GetDegradedFields()) > 0 {
		return false, status.Error(codes.Unavailable, "the page lacks parts")
	}
	return err == nil && shown, err
}
