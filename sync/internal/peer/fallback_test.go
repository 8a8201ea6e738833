package peer

import (
	"context"
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tandem/shared/problem"
)

func TestDoesWithout(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want bool // at Fallback
	}{
		{"no_error", nil, false},
		{"UNAVAILABLE", problem.FromStatus("ask", unavailable()), true},
		{"DEADLINE_EXCEEDED", problem.FromStatus("ask", status.Error(codes.DeadlineExceeded, "")), true},
		{"ended_context", context.DeadlineExceeded, true},
		{"NOT_FOUND", problem.NewNotFound("post", "x"), false},
		{"INVALID_ARGUMENT", status.Error(codes.InvalidArgument, ""), false},
		{"CANCELLED", context.Canceled, false},
		{"INTERNAL", status.Error(codes.Internal, ""), false},
		{"RESOURCE_EXHAUSTED", status.Error(codes.ResourceExhausted, ""), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for level := range Fallback {
				require.False(t, level.DoesWithout(tt.err), "%s", level)
			}
			require.Equal(t, tt.want, Fallback.DoesWithout(tt.err))
		})
	}
}

func TestOpenBreakerIsDoneWithout(t *testing.T) {
	m := startModeration(t)
	require.True(t, Fallback.DoesWithout(review(t.Context(), opened(t, m))))
}

func TestGaps(t *testing.T) {
	gaps := NewGaps(Fallback)
	require.NoError(t, gaps.Allow(nil, "posts"))
	require.Empty(t, gaps.Fields(), "a whole answer has none")
	var entries sync.WaitGroup
	for range 20 {
		entries.Go(func() {
			_ = gaps.Allow(unavailable(), "entries.subscriber_count")
			_ = gaps.Allow(unavailable(), "entries.comment_count")
		})
	}
	entries.Wait()
	refusal := problem.NewNotFound("post", "x")
	require.Equal(t, refusal, gaps.Allow(refusal, "post"))
	require.Equal(t, []string{"entries.comment_count", "entries.subscriber_count"}, gaps.Fields())
	require.Error(t, NewGaps(Breaker).Allow(unavailable(), "comments"))
}

// BenchmarkProtection is what the protection of a level costs by itself, around a call that does nothing. (That of Retry and Budget
// is inside gRPC.)
func BenchmarkProtection(b *testing.B) {
	for _, level := range []Level{Naive, Deadline, Breaker} {
		b.Run(level.String(), func(b *testing.B) {
			to := dial(b, startModeration(b), level, io.Discard)
			ctx, cancel := context.WithTimeout(b.Context(), bound*100)
			defer cancel()
			b.ReportAllocs()
			for b.Loop() {
				_ = to.protect(ctx, func(context.Context) error { return nil })
			}
		})
	}
}

// BenchmarkHealthyHop is what a level costs while nothing is wrong: one call on loopback. Compare those of one run only.
func BenchmarkHealthyHop(b *testing.B) {
	for level := Naive; level <= Fallback; level++ {
		b.Run(level.String(), func(b *testing.B) {
			to := dial(b, startModeration(b), level, io.Discard)
			ctx, cancel := context.WithTimeout(b.Context(), bound*100)
			defer cancel()
			require.Eventually(b, func() bool { return review(ctx, to) == nil }, bound, bound/1000)
			b.ReportAllocs()
			for b.Loop() {
				if err := review(ctx, to); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
