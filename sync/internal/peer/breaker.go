package peer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"tandem/shared/problem"
)

const (
	// opensAt of the last window calls must fail for the breaker to open. It counts calls and not time, so that it opens after ten
	// calls that fail, be it in 10 ms of load or by hand; half, so that a callee that fails now and then goes on being called.
	opensAt, window = 10, 20
	// probeAfter is how long an open breaker lets no call through, ± a fifth so that callers do not probe in step. Half of the
	// longest pause between two attempts to connect: it is not the breaker that decides how soon a callee that is back is found.
	probeAfter  = 250 * time.Millisecond
	probeJitter = 0.2
	// probes calls must succeed for a half-open breaker to close, and no more are under way at once. One that fails opens it.
	probes = 3
	// fairChance is what a callee must have had to answer in before a deadline that ran out is held against it: the time that a
	// user left may have been too short for anybody.
	fairChance = 100 * time.Millisecond

	// mostCalls are under way to one callee at once: more than several of the largest pages need, and few enough for a callee that hangs
	// not to take its caller with it. One more call waits for up to mostWait.
	mostCalls = 128
	mostWait  = 100 * time.Millisecond
)

// guard is the circuit breaker and the bulkhead of one callee. It goes around the retries of a call: a call that succeeds in the
// end has succeeded. failsafe-go's own gRPC interceptors are not used: its policies are asked here, for one call after the other.
type guard struct {
	callee   string
	bulkhead bulkhead.Bulkhead[any]
	breaker  circuitbreaker.CircuitBreaker[any]
	mu       sync.Mutex // held while an outcome is told to the breaker
}

func newGuard(callee string, log *slog.Logger) *guard {
	return &guard{callee: callee, bulkhead: bulkhead.New[any](mostCalls), breaker: newBreaker(callee, log).Build()}
}

func newBreaker(callee string, log *slog.Logger) circuitbreaker.Builder[any] {
	return circuitbreaker.NewBuilder[any]().
		WithFailureThresholdRatio(opensAt, window).WithSuccessThreshold(probes).
		WithDelay(probeAfter).WithJitterFactor(probeJitter).
		OnStateChanged(func(e circuitbreaker.StateChangedEvent) {
			log.Info("circuit breaker", "callee", callee, "was", e.OldState.String(), "is", e.NewState.String())
		})
}

// call makes a call unless the breaker is open or too many are under way: then the answer is Unavailable at once.
func (g *guard) call(ctx context.Context, call func(context.Context) error) error {
	if !g.breaker.TryAcquirePermit() {
		return problem.New(problem.Unavailable, fmt.Sprintf(
			"the circuit breaker of %s is %s: calls to it kept failing, and none is sent until a probe has succeeded",
			g.callee, g.breaker.State()), nil)
	}
	if err := g.bulkhead.AcquirePermitWithMaxWait(ctx, mostWait); err != nil {
		g.learnNothing()
		return g.refused(err)
	}
	defer g.bulkhead.ReleasePermit()
	start := time.Now()
	err := call(ctx)
	g.learn(err, time.Since(start))
	return err
}

func (g *guard) refused(err error) error {
	if !errors.Is(err, bulkhead.ErrFull) { // the caller's context has ended
		return fmt.Errorf("wait for calls to %s to end: %w", g.callee, err)
	}
	return problem.New(problem.Unavailable, fmt.Sprintf(
		"%d calls to %s are under way, and none ended within %v: this one is not sent", mostCalls, g.callee, mostWait), nil)
}

// learn tells the breaker what a call says of the callee. Any answer shows that it is well, be it NOT_FOUND or INVALID_ARGUMENT.
func (g *guard) learn(err error, took time.Duration) {
	switch kind := problem.KindOf(err); {
	case kind == problem.Canceled, kind == problem.DeadlineExceeded && took < fairChance:
		g.learnNothing()
	case isAway(err):
		g.mu.Lock()
		defer g.mu.Unlock()
		g.breaker.RecordFailure()
	default:
		g.mu.Lock()
		defer g.mu.Unlock()
		g.breaker.RecordSuccess()
	}
}

// learnNothing is for a call that says nothing of the callee. As a probe it was wasted: failsafe-go cannot take a permit back, so
// the breaker opens again, and probes again later.
func (g *guard) learnNothing() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.breaker.IsHalfOpen() {
		g.breaker.Open()
	}
}

// isAway tells whether a call failed because the callee is not there, or does not answer in time.
func isAway(err error) bool {
	kind := problem.KindOf(err)
	return kind == problem.Unavailable || kind == problem.DeadlineExceeded
}
