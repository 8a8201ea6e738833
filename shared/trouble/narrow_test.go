package trouble_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/problem"
	"tandem/shared/trouble"
)

func bottleneck() trouble.Bottleneck {
	return trouble.Bottleneck{AtOnce: 2, Takes: 20 * time.Millisecond, Queue: 10, Patience: 70 * time.Millisecond}
}

// review calls ReviewComment at a process with a bottleneck, whose handler counts the work that it does.
func review(ctx context.Context, n *trouble.Narrow, handled *atomic.Int64) error {
	info := &grpc.UnaryServerInfo{FullMethod: blogv1.ModerationService_ReviewComment_FullMethodName}
	_, err := n.Calls(ctx, nil, info, func(ctx context.Context, _ any) (any, error) {
		if ctx.Err() == nil {
			handled.Add(1)
		}
		return nil, ctx.Err()
	})
	return err
}

func TestBottleneckIsReadAsItIsWritten(t *testing.T) {
	b, err := trouble.ParseBottleneck(bottleneck().String())
	require.NoError(t, err)
	require.Equal(t, bottleneck(), b)
}

func TestBottlenecksThatAreNone(t *testing.T) {
	for text, why := range map[string]string{
		"":                              "use at_once, takes, queue and patience",
		"width=2":                       "use at_once, takes, queue and patience",
		"at_once=two":                   "invalid syntax",
		"at_once=0,takes=20ms,queue=10": "at_once 0",
		"at_once=2,takes=0s,queue=10":   "takes 0s",
		"at_once=2,takes=20ms":          "queue 0",
		"at_once=1,takes=1s,queue=5":    "no more than 4s of work",
		"at_once=1,takes=1s,queue=1,patience=-1s": "patience -1s",
	} {
		t.Run(text, func(t *testing.T) {
			_, err := trouble.ParseBottleneck(text)
			require.ErrorContains(t, err, why)
		})
	}
}

// TestCapacityOfABottleneck: 2 at once for 20 ms each. The first answers come after 20 ms, the last that is not too late after 60;
// 4 more are in the queue, and get their answer too late.
func TestCapacityOfABottleneck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, handled := trouble.NewNarrow(bottleneck()), new(atomic.Int64)
		var inTime, late atomic.Int64
		for range 12 {
			go func() {
				err := review(t.Context(), n, handled)
				switch problem.KindOf(err) {
				case problem.Unavailable:
					late.Add(1)
				default:
					inTime.Add(1)
				}
			}()
		}
		time.Sleep(21 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, int64(2), handled.Load())
		time.Sleep(60 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, int64(8), handled.Load())
		require.Equal(t, int64(6), inTime.Load(), "those within the patience of 70 ms")
		require.Equal(t, int64(6), late.Load())
		n.Wait()
		require.Equal(t, int64(12), handled.Load(), "what was queued is done")
	})
}

func TestBottleneckIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, handled := trouble.NewNarrow(bottleneck()), new(atomic.Int64)
		for range 12 { // 2 at work and 10 waiting
			go func() { _ = review(t.Context(), n, handled) }()
		}
		synctest.Wait()
		start := time.Now()
		require.ErrorContains(t, review(t.Context(), n, handled), "10 calls wait already")
		require.Zero(t, time.Since(start))
		n.Wait()
		require.Equal(t, int64(12), handled.Load())
	})
}

// TestWorkForNobody: a caller that goes away is not waited for, and its work is done all the same, with a context that has not
// ended.
func TestWorkForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, handled := trouble.NewNarrow(bottleneck()), new(atomic.Int64)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, review(ctx, n, handled), context.DeadlineExceeded)
		require.Zero(t, handled.Load())
		n.Wait()
		require.Equal(t, int64(1), handled.Load())
	})
}

func TestCallsAndEventsShareABottleneck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, handled := trouble.NewNarrow(bottleneck()), new(atomic.Int64)
		for range 2 {
			go func() { _ = review(t.Context(), n, handled) }()
		}
		synctest.Wait()
		start := time.Now()
		require.NoError(t, n.Event(t.Context(), "event.v1.CommentCreated"))
		require.Equal(t, 40*time.Millisecond, time.Since(start))
		require.NoError(t, n.Event(t.Context(), "event.v1.CommentUpdated"))
		require.Equal(t, 40*time.Millisecond, time.Since(start), "no work for moderation")
	})
}

// TestPanicBehindABottleneck: it is the answer to its call, and not the end of the process.
func TestPanicBehindABottleneck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		info := &grpc.UnaryServerInfo{FullMethod: blogv1.ModerationService_ReviewComment_FullMethodName}
		_, err := trouble.NewNarrow(bottleneck()).Calls(t.Context(), nil, info, func(context.Context, any) (any, error) { panic("no") })
		require.Equal(t, problem.Internal, problem.KindOf(err))
	})
}

func TestWithoutABottleneck(t *testing.T) {
	var n *trouble.Narrow
	handled := new(atomic.Int64)
	require.NoError(t, review(t.Context(), n, handled))
	require.NoError(t, n.Event(t.Context(), "event.v1.CommentCreated"))
	n.Wait()
	require.Equal(t, int64(1), handled.Load())
}
