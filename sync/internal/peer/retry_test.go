package peer

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestRetries: a fault that ends soon is not noticed from Retry on, and what was done before the reply was lost is done again
// under the same request id.
func TestRetries(t *testing.T) {
	for _, fault := range []struct {
		name string
		is   func(context.Context, func()) error
		done int // how often the request is carried out after two such faults
	}{
		{"not_done", notDone, 1},
		{"done_but_reply_lost", replyLost, 3},
	} {
		t.Run(fault.name, func(t *testing.T) {
			for level := Naive; level <= Fallback; level++ {
				t.Run(level.String(), func(t *testing.T) {
					m := startModeration(t)
					m.is(times(2, fault.is))
					err := review(t.Context(), dial(t, m, level, io.Discard))
					attempts, retries := m.counts()
					if level < Retry {
						require.Equal(t, codes.Unavailable, status.Code(err))
						require.Equal(t, []int{1, 0}, []int{attempts, retries})
						return
					}
					require.NoError(t, err)
					require.Equal(t, []int{3, 2}, []int{attempts, retries})
					require.Len(t, m.done, 1, "all attempts have one request id")
					for _, n := range m.done {
						require.Equal(t, fault.done, n)
					}
				})
			}
		})
	}
}

// TestAmplification: what a callee that fails gets, for 20 calls one after the other. Without a budget retries make an outage four
// times as heavy; with one they stop; with a breaker the calls do too.
func TestAmplification(t *testing.T) {
	const calls = 20
	for _, tt := range []struct {
		level          Level
		least, most    int // attempts
		onlyFirstTries bool
	}{
		{Deadline, calls, calls, true},
		{Retry, 4 * calls, 4 * calls, false},
		{Budget, calls + 1, calls + 5, false},
		{Breaker, opensAt, calls - 1, false},
	} {
		t.Run(tt.level.String(), func(t *testing.T) {
			m := startModeration(t)
			m.is(notDone)
			to := dial(t, m, tt.level, io.Discard)
			for range calls {
				require.Error(t, review(t.Context(), to))
			}
			attempts, retries := m.counts()
			t.Logf("%d attempts for %d calls", attempts, calls)
			require.GreaterOrEqual(t, attempts, tt.least)
			require.LessOrEqual(t, attempts, tt.most)
			require.Equal(t, tt.onlyFirstTries, retries == 0)
		})
	}
}

// TestBudgetComesBack: successes earn the budget back. And it is one connection's: a second one has its own.
func TestBudgetComesBack(t *testing.T) {
	m := startModeration(t)
	to := dial(t, m, Budget, io.Discard)
	m.is(notDone)
	for range 10 {
		require.Error(t, review(t.Context(), to))
	}
	require.Error(t, reviewAfterFault(t, m, to), "the budget is spent")
	require.NoError(t, reviewAfterFault(t, m, dial(t, m, Budget, io.Discard)), "another connection still has its own")
	m.is(well)
	for range 100 { // a tenth of a token each
		require.NoError(t, review(t.Context(), to))
	}
	require.NoError(t, reviewAfterFault(t, m, to))
}

// reviewAfterFault makes a call whose first attempt fails.
func reviewAfterFault(t *testing.T, m *moderation, to toModeration) error {
	m.is(times(1, notDone))
	return review(t.Context(), to)
}

func TestOnlyUnavailableIsRetried(t *testing.T) {
	for _, code := range []codes.Code{
		codes.InvalidArgument, codes.NotFound, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Internal, codes.Canceled,
	} {
		t.Run(code.String(), func(t *testing.T) {
			m := startModeration(t)
			m.is(saying(code))
			require.Equal(t, code, status.Code(review(t.Context(), dial(t, m, Retry, io.Discard))))
			attempts, _ := m.counts()
			require.Equal(t, 1, attempts)
		})
	}
}

// TestRetriesEndWithTheDeadline: the attempts of a call share its deadline, so no retry goes on after the caller has answered.
func TestRetriesEndWithTheDeadline(t *testing.T) {
	m := startModeration(t)
	hanging := make(chan struct{}, 100)
	m.is(func(ctx context.Context, _ func()) error {
		hanging <- struct{}{}
		<-ctx.Done()
		return unavailable() // what gRPC would try again, if there were time
	})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	require.Equal(t, codes.DeadlineExceeded, status.Code(review(ctx, dial(t, m, Retry, io.Discard))))
	require.LessOrEqual(t, len(hanging), 1)
}
