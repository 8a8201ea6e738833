// Package scenario carries out one experiment on one stack: start fresh, fill, load, break and mend each part in turn, drain,
// look at what is left. What it does comes from a Plan, which is the same for both stacks; what happened goes to a history.
package scenario

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"tandem/bench/cluster"
	"tandem/bench/fault"
	"tandem/bench/history"
	"tandem/bench/load"
)

// Plan is an experiment, as data. Everything that it leaves to chance follows from Seed.
type Plan struct {
	Seed     uint64         `json:"seed"`
	World    load.WorldSize `json:"world"`
	Rate     float64        `json:"rate"`        // operations per second
	Arrivals load.Arrivals  `json:"arrivals"`    // how operations are spread over time
	Zipf     float64        `json:"zipf"`        // how steep the popularity of posts and authors is; 0: all alike
	Mix      []load.Share   `json:"mix"`         // which operations, in which proportion
	Clients  int            `json:"clients"`     // sessions that the operations are spread over
	Deadline time.Duration  `json:"deadline_ns"` // of each operation, from its intended send time
	Retries  int            `json:"retries"`     // how often a write that ends UNAVAILABLE is sent again, with the same request_id
	Steady   time.Duration  `json:"steady_ns"`   // load without faults, at the beginning
	// WaitForPosition has each client ask for pages that show what it has written; only async has something to wait for.
	WaitForPosition bool `json:"wait_for_position,omitempty"`

	// Steps are the faults, one after the other. A stack without the victim spends the time of a step unhurt.
	Steps []Step `json:"steps"`

	// Narrow are services with a bottleneck, in both stacks and for the whole run.
	Narrow []Narrow `json:"narrow,omitempty"`
	// RequestReply has async answer CreateComment only when the verdict has come back through the broker.
	RequestReply bool `json:"request_reply,omitempty"`
	// Capacity is what Rate follows from; nil if it was given.
	Capacity *Capacity `json:"capacity,omitempty"`

	// Delay is what each call of the load takes longer on its way from its user to a service, in whole milliseconds. It is for testing
	// the laboratory: what it adds must be found again. 0 puts nothing in the way.
	Delay time.Duration `json:"delay_ns,omitempty"`

	// WitnessShare is the share of the load's writes to posts and comments, from 0 to 1, that are looked for on query's pages.
	WitnessShare float64 `json:"witness_share"`
	// Sample is how many posts of the preload are looked at in the end besides those that the load touched.
	Sample int `json:"sample"`
}

// DefaultPlan kills each part once, and fits into three minutes for both stacks together on two cores.
func DefaultPlan() Plan {
	return Plan{
		Seed: 1, World: load.DefaultWorldSize(), Rate: 500,
		Arrivals: load.Poisson, Zipf: load.ZipfExponent, Mix: load.DefaultMix(), Clients: load.DefaultClients,
		Deadline: time.Second, Steady: 10 * time.Second,
		Steps:        Kills(DefaultSlot(), DefaultVictims()...),
		WitnessShare: load.WitnessShare, Sample: 500,
	}
}

// Step is one fault in its slot: Before passes, the fault is injected, For passes, it is lifted, After passes.
type Step struct {
	fault.Spec
	Before time.Duration `json:"before_ns"`
	For    time.Duration `json:"for_ns"`
	After  time.Duration `json:"after_ns"`
}

// Slot is the times of a step.
type Slot struct{ Before, For, After time.Duration }

// DefaultSlot is long enough for both stacks to get over a kill.
func DefaultSlot() Slot {
	return Slot{Before: 1500 * time.Millisecond, For: 3 * time.Second, After: 3500 * time.Millisecond}
}

// DefaultVictims are all parts of both stacks.
func DefaultVictims() []string {
	return []string{"moderation", "posts", "comments", "subscriptions", "query", cluster.Broker}
}

// Kills are steps that kill one part after the other, each for the same time.
func Kills(slot Slot, victims ...string) (steps []Step) {
	for _, v := range victims {
		steps = append(steps, Step{
			Spec: fault.Spec{Kind: fault.Kill, Victim: v}, Before: slot.Before, For: slot.For, After: slot.After,
		})
	}
	return steps
}

// bursts are the times in which the load is heavier.
func (p Plan) bursts() (all []load.Burst) {
	slot := p.Steady
	for _, s := range p.Steps {
		if s.Kind == fault.Burst {
			all = append(all, load.Burst{From: slot + s.Before, Until: slot + s.Before + s.For, Factor: s.Factor})
		}
		slot += s.length()
	}
	return all
}

func (s Step) length() time.Duration { return s.Before + s.For + s.After }

// Faults are the names of the steps, as tables show them.
func (p Plan) Faults() (names []string) {
	for _, s := range p.Steps {
		names = append(names, s.String())
	}
	return names
}

// Length is how long the load lasts.
func (p Plan) Length() time.Duration {
	length := p.Steady
	for _, s := range p.Steps {
		length += s.length()
	}
	return length
}

// steadyLength is how long the load is steady, as the plan has it; see history.SteadyEnd.
func (p Plan) steadyLength() time.Duration {
	if len(p.Steps) == 0 {
		return p.Length()
	}
	return history.SteadyUntil(0, p.Steady+p.Steps[0].Before, p.Deadline)
}

// dueBefore counts the operations of a schedule that are due before a time.
func dueBefore(s *load.Schedule, t time.Duration) int {
	n, _ := slices.BinarySearchFunc(s.Ops, t, func(o load.Planned, t time.Duration) int {
		if o.At < t {
			return -1
		}
		return 1 // an equal one is not before it
	})
	return n
}

// Check returns what is wrong with a plan, or nil.
func (p Plan) Check() error {
	switch {
	case p.Rate <= 0:
		return fmt.Errorf("rate %v: use a rate above 0 operations a second", p.Rate)
	case p.Clients < 1:
		return fmt.Errorf("%d clients: use at least 1", p.Clients)
	case !(p.WitnessShare >= 0 && p.WitnessShare <= 1): // NaN too
		return fmt.Errorf("a share of %v of the writes to witness: use 0 to 1", p.WitnessShare)
	case p.Deadline <= 0:
		return fmt.Errorf("deadline %v: use a time above 0", p.Deadline)
	case p.Retries < 0:
		return fmt.Errorf("%d retries: use 0 for none, or more", p.Retries)
	case p.Delay < 0 || p.Delay%time.Millisecond != 0:
		return fmt.Errorf("delay %v: use whole milliseconds, or 0 for none", p.Delay)
	case p.Steady <= 0:
		return fmt.Errorf("steady %v: use a time above 0, or there is nothing to compare with", p.Steady)
	}
	if err := errors.Join(load.CheckArrivals(p.Arrivals), load.CheckZipf(p.Zipf), load.CheckMix(p.Mix)); err != nil {
		return err
	}
	if err := errors.Join(p.checkNarrow(), p.checkCapacity()); err != nil {
		return err
	}
	for _, s := range p.Steps {
		if err := s.check(); err != nil {
			return err
		}
		if p.Delay > 0 && s.HurtsLinks() {
			return fmt.Errorf("delay %v and %s: both hurt the same links, use one of the two", p.Delay, s)
		}
	}
	return nil
}

func (s Step) check() error {
	if s.Before < 0 || s.For <= 0 || s.After <= 0 {
		return fmt.Errorf("%s, before %v, for %v, after %v: use times above 0", s, s.Before, s.For, s.After)
	}
	return s.Spec.Check()
}

// Experiment is a plan with the work that follows from it: the same for every stack that it is run on.
type Experiment struct {
	Plan     Plan
	World    *load.World
	Schedule *load.Schedule
}

// New draws the world and the schedule of a plan.
func New(p Plan) (*Experiment, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	world, err := load.NewWorld(p.Seed, p.World)
	if err != nil {
		return nil, err
	}
	schedule, err := load.NewSchedule(load.ScheduleConfig{
		World: world, Seed: p.Seed, Rate: p.Rate, Length: p.Length(),
		Arrivals: p.Arrivals, Zipf: &p.Zipf, Mix: p.Mix, Clients: p.Clients, Witness: p.WitnessShare,
		Bursts: p.bursts(),
	})
	if err != nil {
		return nil, err
	}
	return &Experiment{Plan: p, World: world, Schedule: schedule}, nil
}
