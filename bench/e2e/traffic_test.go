package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tandem/bench/cluster"
	"tandem/bench/history"
	"tandem/bench/load"
	blogv1 "tandem/proto/blog/v1"
)

const (
	// attemptTimeout is the deadline of one attempt of a write.
	attemptTimeout = time.Second
	// patience is how long a write is tried again; every part is back long before.
	patience = 20 * time.Second
	// authors are shared by all writers, so that many count on the same counters.
	authors = 5
)

// traffic is writers that never give up: each write is sent again with the same request_id until it is acknowledged. What they
// did is recorded as operations of a history.
type traffic struct {
	blog  blog
	clock load.Clock
	seed  uint64
	gap   time.Duration // mean pause of a writer between two writes; 0 for none

	hurry atomic.Bool // while true nobody pauses
	index atomic.Int64
	mu    sync.Mutex
	ops   []*history.Operation
}

// run has n writers write until stop is closed, or each has made so many writes (0: no end). A write that is refused, or not
// acknowledged within patience, is an error.
func (f *traffic) run(ctx context.Context, stop <-chan struct{}, n, each int) error {
	writers, ctx := errgroup.WithContext(ctx)
	for i := range n {
		w := &writer{traffic: f, number: i, chance: newChance(f.seed, uint64(i)), follows: map[string][]string{}}
		writers.Go(func() error { return w.run(ctx, stop, each) })
	}
	return writers.Wait()
}

// operations returns what was done so far, in the order of Index.
func (f *traffic) operations() []*history.Operation {
	f.mu.Lock()
	defer f.mu.Unlock()
	ops := slices.Clone(f.ops)
	slices.SortFunc(ops, func(a, b *history.Operation) int { return int(a.Index - b.Index) })
	return ops
}

func (f *traffic) record(o *history.Operation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ops = append(f.ops, o)
}

// inBackground keeps n writers going until the returned function is called, which demands that all went well.
func (f *traffic) inBackground(t *testing.T, n int) (stop func()) {
	t.Helper()
	end, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- f.run(context.WithoutCancel(t.Context()), end, n, 0) }()
	once := sync.OnceValue(func() error {
		close(end)
		return <-ended
	})
	t.Cleanup(func() { _ = once() })
	return func() {
		t.Helper()
		require.NoError(t, once())
	}
}

// awaitAcknowledged waits until so many writes were acknowledged.
func (f *traffic) awaitAcknowledged(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return len(f.operations()) >= n }, bound, lookAgain, "the writers get nothing done")
}

// writer writes one thing after the other, about posts that are its own: nobody else deletes them under its hands.
type writer struct {
	*traffic
	chance
	number  int
	made    int // references and followers used so far
	posts   []ownPost
	follows map[string][]string // followers by author
}

type ownPost struct{ id, author, ref string }

func (w *writer) run(ctx context.Context, stop <-chan struct{}, each int) error {
	for n := 0; each == 0 || n < each; n++ {
		select {
		case <-stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		if err := w.one(ctx); err != nil {
			return err
		}
		if w.gap > 0 && !w.hurry.Load() {
			pause(ctx, w.between(0, 2*w.gap))
		}
	}
	return nil
}

// one makes one write, whatever comes by chance.
func (w *writer) one(ctx context.Context) error {
	if len(w.posts) == 0 {
		return w.createPost(ctx)
	}
	switch n := w.IntN(100); {
	case n < 20:
		return w.createPost(ctx)
	case n < 40:
		return w.updatePost(ctx)
	case n < 48:
		return w.deletePost(ctx)
	case n < 80:
		return w.createComment(ctx)
	case n < 92:
		return w.subscribe(ctx)
	}
	return w.unsubscribe(ctx)
}

// attempt sends a write once and notes what the reply says.
type attempt func(ctx context.Context, requestID string) error

// perform sends a write until it is acknowledged, and records it.
func (w *writer) perform(ctx context.Context, o *history.Operation, send attempt) error {
	o.Index, o.Phase = w.index.Add(1)-1, history.PhaseLoad
	o.RequestID = uuid.Must(uuid.NewRandomFromReader(w.source)).String()
	o.Intended = w.clock.Now()
	o.Sent, o.Outcome = o.Intended, history.Unknown
	defer w.record(o)
	for {
		err := once(ctx, o.RequestID, send)
		o.Attempts++
		o.Completed, o.Code = w.clock.Now(), status.Code(err).String()
		switch {
		case err == nil:
			o.Outcome = history.OK
			return nil
		case !mayTryAgain(err):
			o.Outcome = history.Fail
			return fmt.Errorf("%s %s was refused at attempt %d: %w", o.Op, o.ID, o.Attempts, err)
		case ctx.Err() != nil || o.Completed-o.Sent > patience:
			return fmt.Errorf("%s %s was not acknowledged in %d attempts: %w", o.Op, o.ID, o.Attempts, errors.Join(err, ctx.Err()))
		}
		pause(ctx, w.between(5*time.Millisecond, 50*time.Millisecond))
	}
}

func once(ctx context.Context, requestID string, send attempt) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return send(ctx, requestID)
}

// mayTryAgain: nothing else may come of a kill. What a writer asks for is always right, so a refusal is a bug.
func mayTryAgain(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return true
	}
	return false
}

// ref returns a reference that nobody else uses: 40 bits in hexadecimal digits.
func (w *writer) ref() string {
	w.made++
	return fmt.Sprintf("%010x", w.number<<24|w.made)
}

func (w *writer) author() string { return fmt.Sprintf("author%d", w.IntN(authors)) }

func (w *writer) pick() int { return w.IntN(len(w.posts)) }

func titleOf(ref string) string { return "A title [ref " + ref + "]" }

func (w *writer) createPost(ctx context.Context) error {
	p := ownPost{author: w.author(), ref: w.ref()}
	o := &history.Operation{Op: load.CreatePost, Aggregate: history.Post, Author: p.author, Ref: p.ref}
	err := w.perform(ctx, o, func(ctx context.Context, requestID string) error {
		reply, err := w.blog.posts.CreatePost(ctx, &blogv1.CreatePostRequest{
			RequestId: requestID, Author: p.author, Title: titleOf(p.ref), Body: "A body.",
		})
		o.ID, o.Version = reply.GetPost().GetId(), reply.GetPost().GetVersion()
		return err
	})
	p.id = o.ID
	w.posts = append(w.posts, p)
	return err
}

func (w *writer) updatePost(ctx context.Context) error {
	p := w.posts[w.pick()]
	o := &history.Operation{Op: load.UpdatePost, Aggregate: history.Post, ID: p.id}
	return w.perform(ctx, o, func(ctx context.Context, requestID string) error {
		reply, err := w.blog.posts.UpdatePost(ctx, &blogv1.UpdatePostRequest{
			RequestId: requestID, Id: p.id, Title: titleOf(p.ref), Body: "A new body, after " + requestID + ".",
		})
		o.Version = reply.GetPost().GetVersion()
		return err
	})
}

func (w *writer) deletePost(ctx context.Context) error {
	i := w.pick()
	p := w.posts[i]
	w.posts = slices.Delete(w.posts, i, i+1)
	o := &history.Operation{Op: load.DeletePost, Aggregate: history.Post, ID: p.id}
	return w.perform(ctx, o, func(ctx context.Context, requestID string) error {
		_, err := w.blog.posts.DeletePost(ctx, &blogv1.DeletePostRequest{RequestId: requestID, Id: p.id})
		return err
	})
}

// createComment comments on the newest post half of the time: in async, its comments service may not have heard of it.
func (w *writer) createComment(ctx context.Context) error {
	p := w.posts[len(w.posts)-1]
	if w.IntN(2) == 0 {
		p = w.posts[w.pick()]
	}
	o := &history.Operation{
		Op: load.CreateComment, Aggregate: history.Comment, PostID: p.id, Author: fmt.Sprintf("reader%d", w.number), Ref: w.ref(),
		Blocked: w.IntN(4) == 0,
	}
	fruit := map[bool]string{true: load.BlockedWord, false: "apple"}[o.Blocked]
	return w.perform(ctx, o, func(ctx context.Context, requestID string) error {
		reply, err := w.blog.comments.CreateComment(ctx, &blogv1.CreateCommentRequest{
			RequestId: requestID, PostId: p.id, Author: o.Author, Body: "An " + fruit + " a day. [ref " + o.Ref + "]",
		})
		o.ID, o.Version = reply.GetComment().GetId(), reply.GetComment().GetVersion()
		return err
	})
}

func (w *writer) subscribe(ctx context.Context) error {
	author, follower := w.author(), "reader"+w.ref()
	o := &history.Operation{Op: load.Subscribe, Aggregate: history.Author, ID: author, Author: author, Follower: follower}
	w.follows[author] = append(w.follows[author], follower)
	return w.perform(ctx, o, func(ctx context.Context, requestID string) error {
		reply, err := w.blog.subscriptions.Subscribe(ctx, &blogv1.SubscribeRequest{
			RequestId: requestID, Author: author, Follower: follower,
		})
		o.Version = reply.GetVersion()
		return err
	})
}

func (w *writer) unsubscribe(ctx context.Context) error {
	author := w.author()
	if len(w.follows[author]) == 0 {
		return w.subscribe(ctx)
	}
	follower := w.follows[author][0]
	w.follows[author] = w.follows[author][1:]
	o := &history.Operation{Op: load.Unsubscribe, Aggregate: history.Author, ID: author, Author: author, Follower: follower}
	return w.perform(ctx, o, func(ctx context.Context, requestID string) error {
		reply, err := w.blog.subscriptions.Unsubscribe(ctx, &blogv1.UnsubscribeRequest{
			RequestId: requestID, Author: author, Follower: follower,
		})
		o.Version = reply.GetVersion()
		return err
	})
}

// observer is the load package's eyes on a stack: it hears of effects from the start on, and looks at everything in the end.
type observer struct {
	client  *load.Client
	effects *load.Effects
}

// observe begins to hear of effects, until the test ends.
func observe(t *testing.T, c *cluster.Cluster, world *load.World, clock load.Clock) observer {
	t.Helper()
	client, err := load.NewClient(load.ClientConfig{
		Addresses: c.Addresses(), World: world, Clock: clock, Deadline: attemptTimeout,
	})
	require.NoError(t, err)
	var addresses []string
	for _, name := range load.Services() {
		addresses = append(addresses, c.Address(name))
	}
	o := observer{client, load.NewEffects()}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() {
		ended <- load.WatchEffects(ctx, load.WatchConfig{Addresses: addresses, Clock: clock, Sink: o.effects.Add, Log: quiet()})
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
		require.NoError(t, client.Close())
	})
	return o
}

// drain waits until every acknowledged write shows, and returns when the last one did; 0 if that is given up, which the log
// explains.
func (o observer) drain(t *testing.T, ops []*history.Operation) time.Duration {
	t.Helper()
	drained := load.AwaitDrain(t.Context(), load.DrainConfig{
		Client: o.client, Effects: o.effects, Operations: ops, Timeout: bound,
	})
	for _, op := range drained.Pending[:min(5, len(drained.Pending))] {
		t.Logf("not shown after %v, one of %d: %+v", bound, len(drained.Pending), *op)
	}
	return drained.At
}
