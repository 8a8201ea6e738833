package fault

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// burst is a time in which the load is heavier. It is in the schedule, so that both stacks get the same one; what is done here is to see
// that it was sent.
type burst struct {
	e      Env
	factor float64
}

func newBurst(e Env, s Spec) (Fault, error) {
	if e.Sent == nil || e.Rate <= 0 {
		return nil, errors.New("a burst needs a load")
	}
	b := &burst{e: e, factor: s.Factor}
	return newTimed(Burst, "", e.Now, deed{do: b.begun, undo: b.over}), nil
}

// between is the rate that tells a burst from what is around it: as far above the one as below the other.
func (b *burst) between() float64 { return b.e.Rate * math.Sqrt(b.factor) }

func (b *burst) begun(ctx context.Context) error {
	return b.see(ctx, func(rate float64) error {
		if rate < b.between() {
			return fmt.Errorf("%.0f operations a second were sent, and not %.0f", rate, b.factor*b.e.Rate)
		}
		return nil
	})
}

func (b *burst) over(ctx context.Context) error {
	return b.see(ctx, func(rate float64) error {
		if rate >= b.between() {
			return fmt.Errorf("%.0f operations a second are still sent, and not %.0f", rate, b.e.Rate)
		}
		return nil
	})
}

// see looks until a rate is right. A look that was cut short says nothing.
func (b *burst) see(ctx context.Context, right func(rate float64) error) error {
	said := errors.New("there was no time to look")
	return await(ctx, func(ctx context.Context) error {
		if rate, whole := b.rate(ctx); whole {
			said = right(rate)
		}
		return said
	})
}

const (
	// enough operations of a burst to tell it from chance, and no longer than longestLook, nor shorter than shortestLook.
	enough                    = 50
	shortestLook, longestLook = 250 * time.Millisecond, time.Second
)

// rate counts for a while what is sent, unless ctx ends.
func (b *burst) rate(ctx context.Context) (rate float64, whole bool) {
	look := time.Duration(enough / (b.factor * b.e.Rate) * float64(time.Second))
	timer := time.NewTimer(min(max(look, shortestLook), longestLook))
	defer timer.Stop()
	from, start := b.e.Sent(), time.Now()
	select {
	case <-timer.C:
		return float64(b.e.Sent()-from) / time.Since(start).Seconds(), true
	case <-ctx.Done():
		return 0, false
	}
}
