package scenario

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"tandem/bench/load"
	"tandem/bench/testbed"
	"tandem/shared/trouble"
)

// Narrow is a service with a bottleneck.
type Narrow struct {
	Part               string `json:"part" yaml:"part"`
	trouble.Bottleneck `yaml:",inline"`
}

// narrowed are the bottlenecks as a cluster takes them.
func narrowed(all []Narrow) map[string]string {
	by := map[string]string{}
	for _, n := range all {
		by[n.Part] = n.String()
	}
	return by
}

// checkNarrow returns what is wrong with the bottlenecks, or nil.
func (p Plan) checkNarrow() error {
	for i, n := range p.Narrow {
		if n.Part != "moderation" || i > 0 {
			return fmt.Errorf("narrow part %q: only moderation can be, and once", n.Part)
		}
		if err := n.Check(); err != nil {
			return fmt.Errorf("narrow %s: %w", n.Part, err)
		}
	}
	return nil
}

// Capacity says how heavy a load is beside what a stack can carry, so that it is as heavy on any machine.
type Capacity struct {
	Share float64 `json:"share"` // of what is carried; the operation is sent at that rate, and the others as the mix says
	Of    string  `json:"of"`    // the operation
	// PerSecond is what was measured; 0 for not yet.
	PerSecond float64 `json:"per_second"`
}

func (p Plan) checkCapacity() error {
	c := p.Capacity
	switch {
	case c == nil:
		return nil
	case !(c.Share > 0 && c.Share <= 10): // NaN too
		return fmt.Errorf("share_of_capacity %v: use a share above 0 and up to 10", c.Share)
	case p.shareOf(c.Of) == 0:
		return fmt.Errorf("of %q: use an operation that the mix has", c.Of)
	case len(p.Narrow) == 0:
		return errors.New("share_of_capacity: without a narrow part (topology: narrow) it is the machine that is measured; use rate")
	}
	return nil
}

// shareOf is how much of the load an operation is, from 0 to 1.
func (p Plan) shareOf(op string) float64 {
	sum, of := 0.0, 0.0
	for _, s := range p.Mix {
		sum += s.Share
		if s.Op == op {
			of += s.Share
		}
	}
	return of / sum
}

// WithCapacity returns the plan with the rate that follows from a measured capacity.
func (p Plan) WithCapacity(perSecond float64) Plan {
	c := *p.Capacity
	c.PerSecond = math.Round(10*perSecond) / 10
	p.Capacity = &c
	p.Rate = math.Max(1, math.Round(c.Share*c.PerSecond/p.shareOf(c.Of)))
	return p
}

const (
	// warmUp and measured are how long the capacity is loaded before it counts, and how long it counts.
	warmUp, measured = 300 * time.Millisecond, time.Second
	// pressure is how many callers there are for each worker of the bottleneck: all workers always have something to do, and nobody
	// waits long.
	pressure = 4
	// mostCarried bounds the operations that are made up for the measuring, for each second.
	mostCarried = 5000
)

// MeasureCapacity starts a stack of the plan for itself, and returns how many of Capacity.Of it carries a second. Each of a few callers
// sends its next operation when the last one is answered (a closed loop), so the stack is never idle and never overloaded.
func (p Plan) MeasureCapacity(ctx context.Context, lab Lab) (perSecond float64, err error) {
	world, err := load.NewWorld(p.Seed, p.World)
	if err != nil {
		return 0, err
	}
	schedule, err := load.NewSchedule(load.ScheduleConfig{
		World: world, Seed: p.Seed, Rate: mostCarried, Length: warmUp + measured, Arrivals: load.Constant,
		Mix: []load.Share{{Op: p.Capacity.Of, Share: 1}},
	})
	if err != nil {
		return 0, err
	}
	lab.Cluster.Narrow = narrowed(p.Narrow)
	bed, err := testbed.Start(ctx, testbed.Config{
		Cluster: lab.Cluster, World: world, Clock: load.NewClock(), Deadline: p.Deadline, Log: lab.Log,
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, bed.Stop(ctx)) }()
	if _, err := bed.Fill(ctx, nil); err != nil {
		return 0, err
	}
	carried := carry(ctx, bed, schedule, pressure*p.Narrow[0].AtOnce)
	if err := ctx.Err(); err != nil {
		return 0, context.Cause(ctx)
	}
	if carried == 0 {
		return 0, fmt.Errorf("no %s succeeded in %v: the capacity is not known", p.Capacity.Of, measured)
	}
	return float64(carried) / measured.Seconds(), nil
}

// carry counts the operations that succeed between the end of the warming up and that of the measuring.
func carry(ctx context.Context, bed *testbed.Testbed, s *load.Schedule, callers int) int64 {
	from := bed.Clock.Now() + warmUp
	until := from + measured
	var next, carried atomic.Int64
	var work sync.WaitGroup
	for range callers {
		work.Go(func() {
			for ctx.Err() == nil && bed.Clock.Now() < until {
				i := int(next.Add(1)) - 1
				if i >= len(s.Ops) {
					return
				}
				now := bed.Clock.Now()
				o := bed.Client.Do(ctx, &s.Ops[i], load.Due{Intended: now, Woken: now})
				if o.Code == "OK" && o.Completed >= from && o.Completed < until {
					carried.Add(1)
				}
			}
		})
	}
	work.Wait()
	return carried.Load()
}
