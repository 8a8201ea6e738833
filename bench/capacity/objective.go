// Package capacity finds the highest rate that a stack holds: how many operations a second can be offered to it, open loop, until
// its answers come too late, too many fail, or it only puts off the work. The search knows nothing of stacks, and what loads a
// stack nothing of the search.
package capacity

import (
	"fmt"
	"time"

	"tandem/bench/check"
	"tandem/bench/history"
	"tandem/bench/measure"
)

// Objective is what a stack must do at a rate to hold it.
type Objective struct {
	// P99 bounds the 99th percentile of the time from the intended send to the answer (latency of reads, time to accept of writes),
	// over the OK operations.
	P99 time.Duration `json:"p99_ns"`
	// Availability is the least share of operations with an OK answer within the deadline, from 0 to 1.
	Availability float64 `json:"availability"`
	// TTE bounds the 99th percentile of the time to effect of the writes; 0 for no bound.
	TTE time.Duration `json:"tte_p99_ns"`
	// Drain bounds how long after the end of the load the last acknowledged write shows. A stack that accepts and never catches up
	// has not held the rate: its queue only hides that.
	Drain time.Duration `json:"drain_ns"`
}

// DefaultObjective is what users of a page do not notice.
func DefaultObjective() Objective {
	return Objective{P99: 50 * time.Millisecond, Availability: 0.999, Drain: 2 * time.Second}
}

// Check returns what is wrong with an objective, or nil.
func (o Objective) Check() error {
	switch {
	case o.P99 <= 0:
		return fmt.Errorf("objective %v: use a time above 0", o.P99)
	case o.Availability <= 0 || o.Availability > 1:
		return fmt.Errorf("availability %g %%: use a share above 0 and up to 100", 100*o.Availability)
	case o.TTE < 0:
		return fmt.Errorf("time to effect %v: use a time above 0, or 0 for no bound", o.TTE)
	case o.Drain <= 0:
		return fmt.Errorf("drain %v: use a time above 0", o.Drain)
	}
	return nil
}

// Outcome is what a step showed.
type Outcome string

// The outcomes.
const (
	Held      Outcome = "held"
	Missed    Outcome = "missed"    // by the stack
	Generator Outcome = "generator" // missed, and the load generator may be why
	Others    Outcome = "others"    // missed, and other programs on the machine may be why
)

// Step is one load at one rate, and what became of it.
type Step struct {
	Offered float64 `json:"offered_rate"` // operations a second
	measure.Overall
	// Availability is OK answers ÷ operations intended.
	Availability float64 `json:"availability"`
	// DrainMS is how long after the end of the load the last acknowledged write showed; null if the wait was given up.
	DrainMS *float64 `json:"drain_ms"`
	Outcome Outcome  `json:"outcome"`
	// Reasons are plain words: what was missed, and why it may not be the stack's doing. Empty if the rate was held.
	Reasons []string `json:"reasons,omitempty"`
}

// NewStep judges a load by the history of it, which holds nothing else. drained is the run time at which the last acknowledged
// write showed, 0 if the wait was given up.
func (o Objective) NewStep(h *history.History, drained time.Duration) Step {
	s := Step{Offered: h.Header.OfferedRate, Overall: measure.WholeLoad(h)}
	s.Availability = share(s.OK, s.Operations)
	if drained > 0 {
		s.DrainMS = new(ms(max(0, drained-h.LoadEnd())))
	}
	s.Outcome, s.Reasons = o.judge(s, h.Generator)
	return s
}

// judge tells what a step showed. What was held was held, however late the generator was: that is in the times. What was missed
// is the stack's doing only if it was missed also without what the generator was late by, and neither the generator nor other
// programs had the processors.
func (o Objective) judge(s Step, g *history.Generator) (Outcome, []string) {
	missed := o.misses(s.Answer, s.Availability, s)
	if len(missed) == 0 {
		return Held, nil
	}
	if g != nil && g.Wall > 0 {
		if doubt := check.GeneratorDoubt(g); doubt != "" {
			return Generator, append(missed, doubt)
		}
		if doubt := check.MachineDoubt(g); doubt != "" {
			return Others, append(missed, doubt)
		}
	}
	if len(o.misses(s.FromSend, share(s.OK, s.Sent), s)) == 0 {
		return Generator, append(missed, "The load generator was the bottleneck: counted from the actual send, nothing was missed.")
	}
	return Missed, missed
}

// misses are the bounds that are not kept by the times of the answers and the availability, or by what else a step shows.
func (o Objective) misses(answer *measure.Percentiles, availability float64, s Step) []string {
	var missed []string
	add := func(is bool, text string, values ...any) {
		if is {
			missed = append(missed, fmt.Sprintf(text, values...))
		}
	}
	add(answer == nil, "Nothing was answered.")
	add(answer != nil && answer.P99 > ms(o.P99), "p99 was above %v.", o.P99)
	add(availability < o.Availability, "Fewer than %g %% were OK.", 100*o.Availability)
	add(o.TTE > 0 && s.TTE != nil && s.TTE.P99 > ms(o.TTE), "The time to effect had a p99 above %v.", o.TTE)
	add(s.DrainMS == nil, "The stack did not catch up.")
	add(s.DrainMS != nil && *s.DrainMS > ms(o.Drain), "It took longer than %v after the load to catch up.", o.Drain)
	return missed
}

// share is part ÷ all, 0 of nothing.
func share(part, all int) float64 { return float64(part) / float64(max(1, all)) }

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
