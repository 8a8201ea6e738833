package load

import (
	"context"
	"time"
)

// longestNap bounds how long the pacer sleeps at a stretch, so that it notices soon when the run is interrupted.
const longestNap = 20 * time.Millisecond

// Due is when an operation is to be sent, in run time.
type Due struct {
	Intended time.Duration // by the schedule
	Woken    time.Duration // when the pacer woke for it; the timer error is Woken − Intended
}

// pace calls send(i) for each i at its moment, in order, until there are no more or ctx ends, and returns how many it sent.
// It never sends early and does not spin. How late it sends is the timer error, which BenchmarkFloorTimer measures.
func pace(ctx context.Context, clock Clock, moment func(i int) (t time.Duration, ok bool), send func(i int, due Due)) int {
	nap, done := newNap()
	defer done()
	for i := 0; ; i++ {
		t, ok := moment(i)
		if !ok {
			return i
		}
		now := clock.Now()
		for ; now < t && ctx.Err() == nil; now = clock.Now() {
			nap(min(t-now, longestNap))
		}
		if ctx.Err() != nil {
			return i
		}
		send(i, Due{Intended: t, Woken: now})
	}
}
