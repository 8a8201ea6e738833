package e2e

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"tandem/bench/cluster"
	"tandem/bench/fault"
	"tandem/bench/wire"
	blogv1 "tandem/proto/blog/v1"
)

// faultsOf are the faults that are tried on each stack, and on which stack there is nothing for them to hurt.
func faultsOf() []struct {
	spec   fault.Spec
	absent string
} {
	const delay = 50 * time.Millisecond
	return []struct {
		spec   fault.Spec
		absent string
	}{
		{fault.Spec{Kind: fault.Kill, Victim: "moderation"}, ""},
		{fault.Spec{Kind: fault.Stop, Victim: "comments"}, ""},
		{fault.Spec{Kind: fault.Rolling}, ""},
		{fault.Spec{Kind: fault.Pause, Victim: "posts"}, ""},
		{fault.Spec{Kind: fault.Pause, Victim: cluster.Broker}, cluster.Sync},
		{fault.Spec{Kind: fault.Slow, Victim: "moderation", Delay: delay, Jitter: delay / 5}, ""},
		{fault.Spec{Kind: fault.Slow, Victim: cluster.Broker, Delay: delay}, cluster.Sync},
		{fault.Spec{Kind: fault.SlowCalls, Victim: "query", Delay: delay}, ""},
		{fault.Spec{Kind: fault.SlowEvents, Victim: "query", Delay: delay}, cluster.Sync},
		{fault.Spec{Kind: fault.Errors, Victim: "subscriptions", Share: 1}, ""},
		{fault.Spec{Kind: fault.Errors, Victim: "posts", Share: 0.5, Code: "INTERNAL", After: true}, ""},
		{fault.Spec{Kind: fault.Partition, Victim: "comments->moderation"}, cluster.Async},
		{fault.Spec{Kind: fault.Partition, Victim: "comments->moderation", Refuse: true}, cluster.Async},
		{fault.Spec{Kind: fault.Partition, Victim: "query->posts", Direction: wire.Answers}, cluster.Async},
		{fault.Spec{Kind: fault.Partition, Victim: "query->broker"}, cluster.Sync},
		{fault.Spec{Kind: fault.Partition, Victim: cluster.Broker, Refuse: true}, cluster.Sync},
		{fault.Spec{Kind: fault.Reset, Victim: "posts"}, ""},
		{fault.Spec{Kind: fault.Bandwidth, Victim: "posts", Rate: 2}, ""},
		{fault.Spec{Kind: fault.DiskFull, Victim: cluster.Broker}, cluster.Sync},
		{fault.Spec{Kind: fault.Poison, Victim: "blog.posts", Count: 2}, cluster.Sync},
		{fault.Spec{Kind: fault.Duplicate, Victim: "blog.posts", Count: 3}, cluster.Sync},
		{fault.Spec{Kind: fault.Schema, Victim: "blog.subscriptions", Count: 3, Change: fault.Added}, cluster.Sync},
		{fault.Spec{Kind: fault.Schema, Victim: "blog.subscriptions", Count: 3, Change: fault.Retyped}, cluster.Sync},
		{fault.Spec{Kind: fault.Schema, Victim: "blog.subscriptions", Count: 3, Change: fault.Renamed}, cluster.Sync},
		{fault.Spec{Kind: fault.Rebuild, Victim: "query"}, cluster.Sync},
		{fault.Spec{Kind: fault.Burst, Factor: 3}, ""},
	}
}

// TestFaults injects each fault into each stack, sees it confirmed, and lifts it after the run was interrupted: the stack must then
// do its work as before.
func TestFaults(t *testing.T) {
	for _, stack := range []string{cluster.Sync, cluster.Async} {
		t.Run(stack, func(t *testing.T) {
			net := wire.New(linksOfFaults(stack), nil)
			defer net.Close()
			c := start(t, cluster.Config{Stack: stack, LabFaults: true, Via: net.Via})
			begin := time.Now()
			w := &worker{t: t, blog: connect(t, c)}
			env := fault.Env{
				Stack: c, Net: net, Now: func() time.Duration { return time.Since(begin) }, Seed: seed(t),
				Sent: w.sent.Load, Rate: 2, // a burst is what until sends
			}
			w.work()
			for _, tc := range faultsOf() {
				name := strings.ReplaceAll(tc.spec.Kind+" "+tc.spec.Victim+" "+string(tc.spec.Direction)+tc.spec.Code+tc.spec.Change, " ", "_")
				t.Run(name, func(t *testing.T) { injectAndLift(t, env, tc.spec, tc.absent == stack, w) })
			}
		})
	}
}

func linksOfFaults(stack string) (links []wire.Link) {
	for _, tc := range faultsOf() {
		for _, link := range tc.spec.Links(stack) {
			if link.From != wire.Users && !slices.Contains(links, link) { // users of these tests come directly
				links = append(links, link)
			}
		}
	}
	return append(links, userLinks()...)
}

// userLinks are those whose callee has faults of the network.
func userLinks() (links []wire.Link) {
	for _, part := range []string{"moderation", "posts"} {
		links = append(links, wire.Link{From: wire.Users, To: part})
	}
	return links
}

func injectAndLift(t *testing.T, env fault.Env, spec fault.Spec, absent bool, w *worker) {
	for _, link := range userLinks() { // as a client would ask for its way
		_, err := env.Net.Via(link.From, link.To, env.Stack.Address(link.To))
		require.NoError(t, err)
	}
	f, err := fault.New(env, spec)
	require.NoError(t, err)
	ctx, interrupt := context.WithCancel(t.Context())
	injected := make(chan error, 1)
	go func() { injected <- f.Inject(ctx) }()
	require.NoError(t, w.until(injected, (spec.Kind == fault.SlowEvents || spec.Kind == fault.Burst) && !absent))
	require.Equal(t, absent, f.Record().Absent)
	if !absent {
		require.Positive(t, f.Record().InEffect)
	}
	interrupt()
	require.NoError(t, f.Lift(ctx))
	if !absent {
		require.Greater(t, f.Record().Lifted, f.Record().LiftAsked)
	}
	require.Empty(t, f.Record().Problem)
	w.work()
}

// worker does what shows that a stack is well.
type worker struct {
	t    *testing.T
	blog blog
	sent atomic.Int64 // posts
}

// until waits for what injected says. A fault that only work can show gets some until it has been seen: up to 20 posts a second.
func (w *worker) until(injected <-chan error, work bool) error {
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case err := <-injected:
			return err
		case <-every.C:
			if work {
				_, err := w.post(w.t.Context(), uuid.NewString())
				require.NoError(w.t, err)
			}
		}
	}
}

func (w *worker) post(ctx context.Context, request string) (*blogv1.Post, error) {
	w.sent.Add(1)
	reply, err := w.blog.posts.CreatePost(ctx, &blogv1.CreatePostRequest{RequestId: request, Author: "ann", Title: "t", Body: "b"})
	return reply.GetPost(), err
}

// work writes a post and a comment and waits until both show. Connections may have to come back first.
func (w *worker) work() {
	w.t.Helper()
	request, comment := uuid.NewString(), uuid.NewString()
	require.Eventually(w.t, func() bool {
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
		defer cancel()
		post, err := w.post(ctx, request)
		if err != nil {
			return false
		}
		if _, err := w.blog.comments.CreateComment(ctx, &blogv1.CreateCommentRequest{
			RequestId: comment, PostId: post.GetId(), Author: "bob", Body: "fine",
		}); err != nil {
			return false
		}
		page, err := w.blog.query.GetPostPage(ctx, &blogv1.GetPostPageRequest{PostId: post.GetId()})
		return err == nil && page.GetCommentCount() == 1
	}, bound, lookAgain)
}
