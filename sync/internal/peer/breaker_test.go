package peer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tandem/shared/problem"
)

// syncBuffer is a log that may be read while it is written to.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TestBreaker goes around once: a callee that fails is no longer called, is probed by itself, and once it is well is called again.
func TestBreaker(t *testing.T) {
	for name, fault := range map[string]func(context.Context, func()) error{"not_done": notDone, "done_but_reply_lost": replyLost} {
		t.Run(name, func(t *testing.T) {
			m, log := startModeration(t), &syncBuffer{}
			to := dial(t, m, Breaker, log)
			m.is(fault)
			require.Eventually(t, func() bool {
				err := review(t.Context(), to)
				require.Equal(t, problem.Unavailable, problem.KindOf(err))
				return strings.Contains(err.Error(), "the circuit breaker of moderation is open")
			}, bound, time.Millisecond)
			require.Eventually(t, func() bool { // probes fail
				require.Error(t, review(t.Context(), to))
				return strings.Contains(log.String(), "was=half-open is=open")
			}, bound, 10*time.Millisecond)
			m.is(well)
			require.Eventually(t, func() bool { return review(t.Context(), to) == nil && to.guard.breaker.IsClosed() },
				bound, 10*time.Millisecond)
			require.Contains(t, log.String(), `msg="circuit breaker" callee=moderation was=closed is=open`)
			require.Contains(t, log.String(), "was=open is=half-open")
			require.Contains(t, log.String(), "was=half-open is=closed")
		})
	}
}

// TestWhatOpensTheBreaker: whoever answers is well, whatever the answer.
func TestWhatOpensTheBreaker(t *testing.T) {
	for _, tt := range []struct {
		name  string
		err   error
		took  time.Duration
		opens bool
	}{
		{"no_error", nil, 0, false},
		{"UNAVAILABLE", unavailable(), 0, true},
		{"DEADLINE_EXCEEDED", status.Error(codes.DeadlineExceeded, ""), fairChance, true},
		{"DEADLINE_EXCEEDED_of_a_caller_in_a_hurry", status.Error(codes.DeadlineExceeded, ""), fairChance - 1, false},
		{"CANCELLED", status.Error(codes.Canceled, ""), time.Hour, false},
		{"NOT_FOUND", status.Error(codes.NotFound, ""), 0, false},
		{"INVALID_ARGUMENT", status.Error(codes.InvalidArgument, ""), 0, false},
		{"RESOURCE_EXHAUSTED", status.Error(codes.ResourceExhausted, ""), 0, false},
		{"INTERNAL", status.Error(codes.Internal, ""), 0, false},
		{"ended_context", context.Canceled, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := dial(t, startModeration(t), Breaker, io.Discard).guard
			for range opensAt - 1 {
				g.learn(tt.err, tt.took)
			}
			require.True(t, g.breaker.IsClosed())
			g.learn(tt.err, tt.took)
			require.Equal(t, tt.opens, g.breaker.IsOpen())
		})
	}
}

// TestFewFailuresDoNotOpenTheBreaker: below half of the last calls.
func TestFewFailuresDoNotOpenTheBreaker(t *testing.T) {
	g := dial(t, startModeration(t), Breaker, io.Discard).guard
	for i := range 10 * window {
		if i%5 < 2 {
			g.learn(unavailable(), 0)
		} else {
			g.learn(nil, 0)
		}
		require.True(t, g.breaker.IsClosed(), "after %d calls", i+1)
	}
}

// opened returns a callee whose breaker is open, and probes only when the test half-opens it.
func opened(t *testing.T, m *moderation) toModeration {
	to := dial(t, m, Breaker, io.Discard)
	to.guard.breaker = newBreaker("moderation", slog.New(slog.DiscardHandler)).WithDelay(time.Hour).Build()
	to.guard.breaker.Open()
	return to
}

func TestOpenBreakerSendsNothing(t *testing.T) {
	m := startModeration(t)
	to := opened(t, m)
	for range 100 {
		require.ErrorContains(t, review(t.Context(), to), "the circuit breaker of moderation is open")
	}
	attempts, _ := m.counts()
	require.Zero(t, attempts)
}

func TestHalfOpenBreaker(t *testing.T) {
	t.Run("closes_after_the_probes", func(t *testing.T) {
		m := startModeration(t)
		to := opened(t, m)
		to.guard.breaker.HalfOpen()
		for i := range probes {
			require.True(t, to.guard.breaker.IsHalfOpen(), "after %d probes", i)
			require.NoError(t, review(t.Context(), to))
		}
		require.True(t, to.guard.breaker.IsClosed())
	})
	t.Run("opens_after_one_that_fails", func(t *testing.T) {
		m := startModeration(t)
		to := opened(t, m)
		to.guard.breaker.HalfOpen()
		require.NoError(t, review(t.Context(), to))
		m.is(notDone)
		require.Error(t, review(t.Context(), to))
		require.True(t, to.guard.breaker.IsOpen())
	})
	t.Run("lets_no_more_through_than_the_probes", func(t *testing.T) {
		m := startModeration(t)
		to := opened(t, m)
		release := hang(m)
		to.guard.breaker.HalfOpen()
		ended := inBackground(t, to, probes)
		waitForAttempts(t, m, probes)
		require.ErrorContains(t, review(t.Context(), to), "the circuit breaker of moderation is half-open")
		release()
		for range probes {
			require.NoError(t, <-ended)
		}
		require.True(t, to.guard.breaker.IsClosed())
	})
	t.Run("is_not_stuck_after_probes_that_were_cut_off", func(t *testing.T) {
		m := startModeration(t)
		to := opened(t, m)
		release := hang(m)
		defer release()
		for range 2 * probes {
			to.guard.breaker.HalfOpen()
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- review(ctx, to) }()
			waitForAttempts(t, m, 1)
			cancel()
			require.Equal(t, codes.Canceled, status.Code(<-ended))
			require.True(t, to.guard.breaker.IsOpen(), "a wasted probe is made again later")
		}
		release()
		to.guard.breaker.HalfOpen()
		for range probes {
			require.NoError(t, review(t.Context(), to))
		}
		require.True(t, to.guard.breaker.IsClosed())
	})
}

// hang has every attempt wait until the returned function is called.
func hang(m *moderation) (release func()) {
	gate := make(chan struct{})
	m.is(func(ctx context.Context, do func()) error {
		select {
		case <-gate:
			return well(ctx, do)
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return sync.OnceFunc(func() { close(gate) })
}

func inBackground(t *testing.T, to toModeration, n int) (ended chan error) {
	t.Helper()
	ended = make(chan error, n)
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	t.Cleanup(cancel)
	for range n {
		go func() { ended <- review(ctx, to) }()
	}
	return ended
}

// waitForAttempts waits until n more attempts have reached the server.
func waitForAttempts(t *testing.T, m *moderation, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.attempts >= n
	}, bound, time.Millisecond)
	m.counts()
}

// TestBulkheadSheds: a callee that hangs holds so many calls and no more. The next ones are refused, which says nothing of the
// callee, and other callees do not notice.
func TestBulkheadSheds(t *testing.T) {
	m, other := startModeration(t), startModeration(t)
	to, toOther := dial(t, m, Breaker, io.Discard), dial(t, other, Breaker, io.Discard)
	release := hang(m)
	ended := inBackground(t, to, mostCalls)
	waitForAttempts(t, m, mostCalls)
	for range 3 {
		err := review(t.Context(), to)
		require.Equal(t, problem.Unavailable, problem.KindOf(err))
		require.ErrorContains(t, err, fmt.Sprintf("%d calls to moderation are under way", mostCalls))
	}
	require.True(t, to.guard.breaker.IsClosed())
	require.NoError(t, review(t.Context(), toOther))
	release()
	for range mostCalls {
		require.NoError(t, <-ended)
	}
	require.NoError(t, review(t.Context(), to))
}

func TestBulkheadWaitsNoLongerThanItsCaller(t *testing.T) {
	m := startModeration(t)
	to := dial(t, m, Breaker, io.Discard)
	release := hang(m)
	ended := inBackground(t, to, mostCalls)
	waitForAttempts(t, m, mostCalls)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, problem.Canceled, problem.KindOf(review(ctx, to)))
	release()
	for range mostCalls {
		require.NoError(t, <-ended)
	}
}
