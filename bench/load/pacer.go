package load

import (
	"context"
	"time"
)

// longestNap bounds how long the pacer sleeps at a stretch, so that it notices soon when the run is interrupted.
const longestNap = 20 * time.Millisecond

// pace calls send(i) for each i at its moment, in order, until there are no more or ctx ends, and returns how many it sent.
// It never sends early and does not spin. How late it sends is the timer error, which BenchmarkTimerError measures.
func pace(ctx context.Context, clock Clock, moment func(i int) (t time.Duration, ok bool), send func(i int)) int {
	nap, done := newNap()
	defer done()
	for i := 0; ; i++ {
		t, ok := moment(i)
		if !ok {
			return i
		}
		for left := t - clock.Now(); left > 0 && ctx.Err() == nil; left = t - clock.Now() {
			nap(min(left, longestNap))
		}
		if ctx.Err() != nil {
			return i
		}
		send(i)
	}
}
