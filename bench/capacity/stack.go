package capacity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"tandem/bench/cluster"
	"tandem/bench/history"
	"tandem/bench/load"
	"tandem/bench/testbed"
)

// Plan is a search, as data. Everything that it leaves to chance follows from Seed: the same steps get the same work on every stack.
type Plan struct {
	Seed      uint64         `json:"seed"`
	World     load.WorldSize `json:"world"`
	Arrivals  load.Arrivals  `json:"arrivals"`
	Zipf      float64        `json:"zipf"` // how steep the popularity of posts and authors is; 0: all alike
	Mix       []load.Share   `json:"mix"`
	Deadline  time.Duration  `json:"deadline_ns"` // of each operation, from its intended send time
	Length    time.Duration  `json:"length_ns"`   // of each load
	Objective Objective      `json:"objective"`
	Bounds    Bounds         `json:"bounds"`
}

// DefaultPlan loads with what `tandem bench` loads with.
func DefaultPlan() Plan {
	return Plan{
		Seed: 1, World: load.DefaultWorldSize(), Arrivals: load.Poisson, Zipf: load.ZipfExponent, Mix: load.DefaultMix(),
		Deadline: time.Second, Length: 5 * time.Second, Objective: DefaultObjective(), Bounds: DefaultBounds(),
	}
}

// leastSamples is how many operations a load needs for its p99 to mean something.
const leastSamples = 100

// Check returns what is wrong with a plan, or nil.
func (p Plan) Check() error {
	if err := errors.Join(p.Objective.Check(), p.Bounds.Check()); err != nil {
		return err
	}
	switch {
	case p.Deadline <= 0 || p.Length <= 0:
		return fmt.Errorf("deadline %v, length %v: use times above 0", p.Deadline, p.Length)
	case p.Objective.P99 > p.Deadline:
		return fmt.Errorf("objective %v: nothing is answered later than the deadline of %v; use a time below it", p.Objective.P99, p.Deadline)
	case p.Bounds.Least*p.Length.Seconds() < leastSamples:
		return fmt.Errorf("%g operations a second for %v: a p99 needs at least %d operations; use a higher least rate or a longer load",
			p.Bounds.Least, p.Length, leastSamples)
	}
	return nil
}

// Lab is where a search takes place.
type Lab struct {
	Cluster cluster.Config // Dir gets data/ and logs/; it must be new, for a fresh state
	Log     *slog.Logger
	Show    func(Progress) // nil for none; called from many goroutines
}

// Progress is how far a search is.
type Progress struct {
	Stage       string  // "start", "preload", "load" or "drain"
	Done, Total int     // of the preload
	Step        int     // of the search, from 1
	Rate        float64 // of the step
}

// Find searches for the capacity of a stack: started once, filled once, and loaded again and again, each time when it has nothing
// left to do. If ctx ends half-way that is an error, and the stack is stopped all the same.
func Find(ctx context.Context, p Plan, lab Lab) (result Result, err error) {
	if err := p.Check(); err != nil {
		return Result{}, err
	}
	world, err := load.NewWorld(p.Seed, p.World)
	if err != nil {
		return Result{}, err
	}
	f := &finder{plan: p, lab: lab, world: world}
	f.show(Progress{Stage: "start"})
	f.bed, err = testbed.Start(ctx, testbed.Config{
		Cluster: lab.Cluster, World: world, Clock: load.NewClock(), Deadline: p.Deadline, Log: lab.Log,
	})
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, f.bed.Stop(ctx)) }()
	_, err = f.bed.Fill(ctx, func(done, total int) { f.show(Progress{Stage: "preload", Done: done, Total: total}) })
	if err != nil {
		return Result{}, err
	}
	return Search(ctx, p.Bounds, f.bed.Clock.Now, f.step)
}

// finder is one search under way.
type finder struct {
	plan  Plan
	lab   Lab
	world *load.World
	bed   *testbed.Testbed
	last  *load.Schedule // nil before the first step
	steps int
}

func (f *finder) show(p Progress) {
	if f.lab.Show != nil {
		f.lab.Show(p)
	}
}

// runUp is the time between the call of load.Run and the first operation.
const runUp = 200 * time.Millisecond

// step loads the stack at a rate, and waits until it has caught up.
func (f *finder) step(ctx context.Context, rate float64) (Step, error) {
	f.steps++
	f.show(Progress{Stage: "load", Step: f.steps, Rate: rate})
	h, err := f.load(ctx, rate)
	if err != nil {
		return Step{}, err
	}
	f.show(Progress{Stage: "drain", Step: f.steps, Rate: rate})
	drained := load.AwaitDrain(ctx, load.DrainConfig{Client: f.bed.Client, Effects: f.bed.Effects, Operations: h.Operations})
	h.Effects = f.bed.Effects.List()
	step := f.plan.Objective.NewStep(h, drained.At)
	if err := f.calm(ctx); err != nil {
		return Step{}, err
	}
	return step, f.ended()
}

// load offers a rate for the length of a step and returns what became of it, without the effects.
func (f *finder) load(ctx context.Context, rate float64) (*history.History, error) {
	schedule, err := load.NewSchedule(load.ScheduleConfig{
		World: f.world, Seed: f.plan.Seed + uint64(f.steps), Rate: rate, Length: f.plan.Length,
		Arrivals: f.plan.Arrivals, Mix: f.plan.Mix, Zipf: &f.plan.Zipf, After: f.last,
	})
	if err != nil {
		return nil, err
	}
	f.last = schedule
	runtime.GC() // what earlier steps left behind is no part of this one
	start, before := f.bed.Clock.Now()+runUp, f.bed.Spent()
	ops, err := load.Run(ctx, load.RunConfig{
		Schedule: schedule, Client: f.bed.Client, Clock: f.bed.Clock, Start: start, MaxInFlight: f.mostInFlight(rate),
	})
	if err != nil {
		return nil, errors.Join(err, f.ended())
	}
	return &history.History{
		Header: history.Header{
			Stack: f.lab.Cluster.Stack, Seed: f.plan.Seed, Schedule: schedule.Hash(), Start: f.bed.Clock.Start(), OfferedRate: rate,
			Length: f.plan.Length, Deadline: f.plan.Deadline,
		},
		Operations: ops, Generator: new(before.Generator(f.bed.Spent())),
	}, nil
}

// mostInFlight lets every operation be sent, also to a stack that answers none of them: the deadline ends each.
func (f *finder) mostInFlight(rate float64) int {
	return load.MaxInFlight + int(2*rate*f.plan.Deadline.Seconds())
}

// How calm a stack must be before the next step, and how long that is waited for: work that nobody waits for any more, because its
// deadline is over, must not be in the next step's way.
const (
	calmLook  = 200 * time.Millisecond
	calmShare = 0.2 // of one core
	calmAfter = 10 * time.Second
)

// calm waits until the stack hardly uses the processors. Where the system does not tell, it is calm.
func (f *finder) calm(ctx context.Context) error {
	for give := f.bed.Clock.Now() + calmAfter; f.bed.Clock.Now() < give; {
		before := f.bed.Spent()
		if err := wait(ctx, calmLook); err != nil {
			return err
		}
		after := f.bed.Spent()
		if float64(after.Stack-before.Stack) < calmShare*float64(after.At-before.At) {
			return nil
		}
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ended is the error of a part that has ended although nobody asked: what is measured after that is no stack's capacity.
func (f *finder) ended() error {
	select {
	case exit := <-f.bed.Cluster.Unexpected():
		return exit
	default:
		return nil
	}
}
