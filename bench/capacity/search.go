package capacity

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Bounds are what a search keeps to. All rates are operations a second.
type Bounds struct {
	Start     float64       `json:"start"`     // first rate
	Least     float64       `json:"least"`     // no lower rate is tried
	Most      float64       `json:"most"`      // no higher rate is tried
	Growth    float64       `json:"growth"`    // factor between rates until one is missed
	Precision float64       `json:"precision"` // the search ends when the lowest missed rate is at most this share above the highest held
	Steps     int           `json:"steps"`     // most loads
	Time      time.Duration `json:"time_ns"`   // no load begins later
}

// DefaultBounds find the capacity of stacks on a laptop to 5 %.
func DefaultBounds() Bounds {
	return Bounds{Start: 200, Least: 20, Most: 50_000, Growth: 1.6, Precision: 0.05, Steps: 30, Time: 4 * time.Minute}
}

// Check returns what is wrong with the bounds, or nil.
func (b Bounds) Check() error {
	switch {
	case b.Least <= 0 || b.Start < b.Least || b.Most < b.Start:
		return fmt.Errorf("rates %g, %g, %g: use a least rate above 0, a first one not below it, and a highest one not below that",
			b.Least, b.Start, b.Most)
	case b.Growth <= 1:
		return fmt.Errorf("growth %g: use a factor above 1", b.Growth)
	case b.Precision <= 0:
		return fmt.Errorf("precision %g: use a share above 0", b.Precision)
	case b.Steps < 1 || b.Time <= 0:
		return fmt.Errorf("%d steps in %v: use at least one step, and a time above 0", b.Steps, b.Time)
	}
	return nil
}

// Limit is what keeps a stack, or the search, from a higher rate.
type Limit string

// The limits. Only with the first the capacity is known.
const (
	LimitStack     Limit = "stack"
	LimitGenerator Limit = "generator" // the capacity is at least Holds
	LimitOthers    Limit = "others"    // the capacity is at least Holds
	LimitMost      Limit = "most"      // the highest rate of the bounds was held
	LimitLeast     Limit = "least"     // not even the lowest rate of the bounds was held
	LimitCut       Limit = "cut"       // the search ended before a rate was missed
)

// Result is what a search found.
type Result struct {
	Steps []Step `json:"steps"` // in the order in which they were taken
	// Holds is the highest offered rate that was held; null if none was. Misses is the lowest above it that was not; null if none.
	Holds  *float64 `json:"holds"`
	Misses *float64 `json:"misses"`
	Limit  Limit    `json:"limit"`
	// Coarse tells that the search ended before Holds and Misses were as close as they should be.
	Coarse bool `json:"coarse,omitempty"`
}

// Known tells whether Holds is the capacity of the stack, and not only a rate that it holds.
func (r Result) Known() bool { return r.Limit == LimitStack && r.Holds != nil }

// tries is how often a rate must be missed to count as missed. One miss may be a hiccup of the machine.
const tries = 2

// Stack loads a stack at a rate and tells what became of that, once the stack has nothing left to do. A stack that does not get
// there shows in the step: it has no DrainMS.
type Stack func(ctx context.Context, rate float64) (Step, error)

// Search steps the rate up until it is missed, or down until it is held, and then halves the gap by the ratio. now is any clock. It
// ends early, with what it has, when a stack does not catch up any more. If ctx ends, or the stack fails, that is an error, and
// the steps so far are in the result.
func Search(ctx context.Context, b Bounds, now func() time.Duration, stack Stack) (Result, error) {
	if err := b.Check(); err != nil {
		return Result{}, err
	}
	s := &search{bounds: b, end: now() + b.Time, now: now, stack: stack}
	err := s.run(ctx)
	return s.result(), err
}

type search struct {
	bounds Bounds
	end    time.Duration
	now    func() time.Duration
	stack  Stack

	steps  []Step
	holds  float64 // 0 for none yet
	misses float64 // 0 for none yet
	why    Outcome // of the misses
	stuck  bool
}

func (s *search) run(ctx context.Context) error {
	for rate := s.bounds.Start; rate > 0 && s.more(); rate = s.next() {
		outcome, err := s.try(ctx, rate)
		if err != nil {
			return err
		}
		switch outcome {
		case Held:
			s.holds = rate
		case "": // the search is over before it is known
			return nil
		default:
			s.misses, s.why = rate, outcome
		}
	}
	return nil
}

// more tells whether there may be another step.
func (s *search) more() bool {
	return len(s.steps) < s.bounds.Steps && s.now() < s.end && !s.stuck
}

// try loads at a rate until it is held or has been missed often enough. The outcome is empty if there may be no more steps before
// that is known. Of different misses the one that says the least of the stack counts.
func (s *search) try(ctx context.Context, rate float64) (Outcome, error) {
	var missed Outcome
	for n := range tries {
		if n > 0 && !s.more() {
			if s.stuck {
				return missed, nil
			}
			return "", nil
		}
		if err := ctx.Err(); err != nil {
			return "", context.Cause(ctx)
		}
		step, err := s.stack(ctx, rate)
		if err != nil {
			return "", err
		}
		s.steps = append(s.steps, step)
		s.stuck = step.DrainMS == nil
		if step.Outcome == Held {
			return Held, nil
		}
		if missed == "" || missed == Missed {
			missed = step.Outcome
		}
	}
	return missed, nil
}

// next is the rate to try now, 0 if there is nothing left to find out.
func (s *search) next() float64 {
	b := s.bounds
	switch {
	case s.misses == 0 && s.holds == b.Most:
		return 0
	case s.misses == 0:
		return min(s.holds*b.Growth, b.Most)
	case s.holds == 0 && s.misses == b.Least:
		return 0
	case s.holds == 0:
		return max(s.misses/b.Growth, b.Least)
	case s.close():
		return 0
	}
	return math.Sqrt(s.holds * s.misses)
}

// close tells whether the gap is small enough.
func (s *search) close() bool { return s.misses <= s.holds*(1+s.bounds.Precision) }

func (s *search) result() Result {
	r := Result{Steps: s.steps, Limit: s.limit()}
	if s.holds > 0 {
		r.Holds = &s.holds
	}
	if s.misses > 0 {
		r.Misses = &s.misses
	}
	r.Coarse = r.Holds != nil && r.Misses != nil && !s.close()
	return r
}

func (s *search) limit() Limit {
	switch {
	case s.misses == 0 && s.holds == s.bounds.Most:
		return LimitMost
	case s.misses == 0:
		return LimitCut
	case s.why == Generator:
		return LimitGenerator
	case s.why == Others:
		return LimitOthers
	case s.holds == 0 && s.misses == s.bounds.Least:
		return LimitLeast
	case s.holds == 0:
		return LimitCut
	}
	return LimitStack
}
