package load

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tandem/bench/history"
	blogv1 "tandem/proto/blog/v1"
)

// DrainTimeout is how long AwaitDrain waits without progress unless told otherwise.
const DrainTimeout = 15 * time.Second

// drainAtMost is how many timeouts AwaitDrain waits with progress.
const drainAtMost = 8

const (
	drainPoll = 20 * time.Millisecond  // between looks at the effects
	quiet     = 500 * time.Millisecond // without a new effect, before pages are read
)

// DrainConfig says what AwaitDrain waits for.
type DrainConfig struct {
	Client     *Client
	Effects    *Effects             // filled by WatchEffects
	Operations []*history.Operation // all so far; those that are not acknowledged writes are passed over
	Timeout    time.Duration        // without progress; 0 for DrainTimeout
	Progress   func(pending int)    // nil for none; called as pending changes
}

// Drain is how the wait ended.
type Drain struct {
	At      time.Duration        // when the last effect came, in run time; 0 if the wait was given up
	Pending []*history.Operation // the acknowledged writes whose effect was not seen
}

// AwaitDrain waits until every acknowledged write shows on query's pages: its effect was heard of or, for one that a process
// was killed before it could tell, a page shows it. It gives up after the timeout without progress, after eight times the
// timeout in any case, or when ctx ends: what drains slowly is late and not lost.
func AwaitDrain(ctx context.Context, cfg DrainConfig) Drain {
	if cfg.Timeout == 0 {
		cfg.Timeout = DrainTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, drainAtMost*cfg.Timeout)
	defer cancel()
	d := &drain{cfg: cfg, clock: cfg.Client.cfg.Clock, pending: awaited(cfg.Operations), deleted: map[string]bool{}}
	for _, o := range d.pending {
		if o.Op == DeletePost {
			d.deleted[o.ID] = true
		}
	}
	d.tell()
	lastEffect, progress := d.clock.Now(), d.clock.Now()
	if len(d.pending) == 0 {
		d.at = lastEffect
	}
	for heard := -1; ; sleep(ctx, drainPoll) {
		before := len(d.pending)
		if n := cfg.Effects.Count(); n != heard { // nothing new, nothing to look through
			heard, lastEffect = n, d.clock.Now()
			d.keep(func(o *history.Operation) bool { return !d.heardOf(o) })
		}
		if len(d.pending) > 0 && d.clock.Now()-lastEffect >= quiet {
			lastEffect = d.clock.Now()
			d.look(ctx)
		}
		if len(d.pending) < before {
			progress = d.clock.Now()
		}
		switch {
		case len(d.pending) == 0:
			return Drain{At: d.at}
		case ctx.Err() != nil || d.clock.Now()-progress > cfg.Timeout:
			return Drain{Pending: d.pending}
		}
	}
}

// awaited are the writes that must have an effect. A subscription whose reply says that nobody ever followed the author has
// changed nothing.
func awaited(ops []*history.Operation) []*history.Operation {
	var waiting []*history.Operation
	for _, o := range ops {
		if o.IsWrite() && o.Outcome == history.OK && !(o.Aggregate == history.Author && o.Version == 0) {
			waiting = append(waiting, o)
		}
	}
	return waiting
}

type drain struct {
	cfg     DrainConfig
	clock   Clock
	pending []*history.Operation
	deleted map[string]bool // ids of the posts whose deletion was acknowledged
	at      time.Duration   // the latest effect so far
}

// keep leaves pending what still waits.
func (d *drain) keep(waits func(*history.Operation) bool) {
	before := len(d.pending)
	var still []*history.Operation
	for _, o := range d.pending {
		if waits(o) {
			still = append(still, o)
		}
	}
	if d.pending = still; len(still) != before {
		d.tell()
	}
}

func (d *drain) tell() {
	if d.cfg.Progress != nil {
		d.cfg.Progress(len(d.pending))
	}
}

func (d *drain) heardOf(o *history.Operation) bool {
	at, found := d.cfg.Effects.ofWrite(o)
	if found {
		d.at = max(d.at, at)
	}
	return found
}

// look reads the pages of what is pending, each thing once. What cannot be read is not shown yet.
func (d *drain) look(ctx context.Context) {
	looks := map[aggregateKey]func(context.Context) bool{}
	for _, o := range d.pending {
		looks[subjectOf(o)] = d.lookAt(o)
	}
	shown := make(chan aggregateKey, len(looks))
	readers := errgroup.Group{}
	readers.SetLimit(PreloadConcurrency)
	for k, shows := range looks {
		readers.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			if shows(ctx) {
				shown <- k
			}
			return nil
		})
	}
	_ = readers.Wait()
	close(shown)
	done := map[aggregateKey]bool{}
	for k := range shown {
		done[k] = true
	}
	if len(done) > 0 {
		d.at = max(d.at, d.clock.Now())
	}
	d.keep(func(o *history.Operation) bool { return !done[subjectOf(o)] })
}

// subjectOf is what is read to see a write. Of one post the pending writes differ in their versions: the look below needs the
// highest, so each version is a subject of its own.
func subjectOf(o *history.Operation) aggregateKey {
	k := aggregateKey{o.Aggregate, o.ID}
	if o.Aggregate == history.Post {
		k.id = o.RequestID
	}
	return k
}

// lookAt returns how to see whether a write shows on the pages.
func (d *drain) lookAt(o *history.Operation) func(context.Context) bool {
	c := d.cfg.Client
	if post := postOf(o); d.deleted[post] {
		return func(ctx context.Context) bool { return c.postIsGone(ctx, post) }
	}
	switch o.Aggregate {
	case history.Comment:
		return func(ctx context.Context) bool { return c.commentShows(ctx, o) }
	case history.Author:
		return func(ctx context.Context) bool { return c.countShows(ctx, o.ID) }
	}
	return func(ctx context.Context) bool { return c.postShows(ctx, o) }
}

// postOf is the post that a write is about or under; empty for a subscription.
func postOf(o *history.Operation) string {
	if o.Aggregate == history.Post {
		return o.ID
	}
	return o.PostID
}

// postIsGone tells whether a deleted post and its comments are off every page. Nothing that was written to it shows any more.
func (c *Client) postIsGone(ctx context.Context, id string) bool {
	_, err := c.query.GetPostPage(ctx, &blogv1.GetPostPageRequest{PostId: id, PageSize: 1})
	if status.Code(err) != codes.NotFound {
		return false
	}
	list, err := c.comments.ListComments(ctx, &blogv1.ListCommentsRequest{PostId: id, PageSize: 1})
	return err == nil && list.GetTotalSize() == 0
}

func (c *Client) postShows(ctx context.Context, o *history.Operation) bool {
	page, err := c.query.GetPostPage(ctx, &blogv1.GetPostPageRequest{PostId: o.ID, PageSize: 1})
	return err == nil && page.GetPost().GetVersion() >= o.Version
}

// commentShows tells whether a comment stands on its post's page, or is rejected and stands there for good reason not.
func (c *Client) commentShows(ctx context.Context, o *history.Operation) bool {
	stored, err := c.comments.GetComment(ctx, &blogv1.GetCommentRequest{Id: o.ID})
	if err != nil || stored.GetComment().GetStatus() == blogv1.CommentStatus_COMMENT_STATUS_PENDING {
		return false
	}
	if stored.GetComment().GetStatus() == blogv1.CommentStatus_COMMENT_STATUS_REJECTED {
		return true
	}
	found := false
	_, err = c.walkPostPage(ctx, o.PostID, once, func(comment *blogv1.Comment) bool {
		found = comment.GetId() == o.ID
		return !found
	})
	return err == nil && found
}

// countShows compares the page's count with the live one: without load they are equal once everything is applied.
func (c *Client) countShows(ctx context.Context, author string) bool {
	live, err := c.subscriptions.GetSubscriberCount(ctx, &blogv1.GetSubscriberCountRequest{Author: author})
	if err != nil {
		return false
	}
	page, err := c.query.GetAuthorPage(ctx, &blogv1.GetAuthorPageRequest{Author: author, PageSize: 1})
	return err == nil && len(page.GetDegradedFields()) == 0 && page.GetSubscriberCount() == live.GetSubscriberCount()
}
