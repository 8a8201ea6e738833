package check

import (
	"fmt"
	"slices"
	"time"

	"tandem/bench/history"
)

// Where the load generator, or the machine under it, begins to be what is measured. On a shared machine with 2 cores the timer
// error of a run at peace has a p99 of 0.2 to 0.4 ms, with bursts of 5 to 10 ms now and then.
const (
	// worstTimer bounds the p99 of the timer error: the precision that time to effect promises.
	worstTimer = 5 * time.Millisecond
	// worstLateness bounds the p99 of how late operations are sent, as a share of their deadline: what is late by less hardly
	// changes whether an answer came in time.
	worstLateness = 0.01
	// fewestTimes is how many it takes to speak of a p99.
	fewestTimes = 100
	// mostOwnCores and mostOwnShare bound what the laboratory may use itself, in cores and as a share of the machine: as much as one
	// core, and half of a larger machine. Above the smaller machines' bound the stack runs on what the generator leaves over.
	mostOwnCores, mostOwnShare = 0.9, 0.45
	// mostStolenShare bounds what other programs may use of the machine. A stack with its generator uses up to three quarters of two
	// cores at the usual rate; others that take more than the rest take it from them.
	mostStolenShare = 0.25
)

// disturbances are the reasons to think that the figures are the load generator's, or the machine's, and not the stack's.
func (j *judge) disturbances() []string {
	var reasons []string
	add := func(reason string) {
		if reason != "" {
			reasons = append(reasons, reason)
		}
	}
	load := j.h.Load()
	add(j.timerDoubt(load))
	add(j.latenessDoubt(load))
	add(j.unsentDoubt(load))
	switch g := j.h.Generator; {
	case g != nil && g.Wall > 0:
		add(GeneratorDoubt(g))
		add(MachineDoubt(g))
	case ofLaboratory(load):
		add("What the load generator and other programs used of the machine was not noted.")
	}
	return reasons
}

// ofLaboratory tells whether a load was sent by the laboratory's own generator, which notes when it woke up. Its runs tell
// everything that a history can; what a history made in another way does not tell is no doubt.
func ofLaboratory(load []*history.Operation) bool {
	return slices.ContainsFunc(load, func(o *history.Operation) bool { return o.Woken > 0 })
}

// p99 is over the operations of the steady window that have such a time; 0 if they are too few.
func (j *judge) p99(load []*history.Operation, of func(*history.Operation) (time.Duration, bool)) time.Duration {
	var times []time.Duration
	end := j.h.SteadyEnd()
	for _, o := range load {
		if d, ok := of(o); ok && o.Intended < end {
			times = append(times, d)
		}
	}
	if len(times) < fewestTimes {
		return 0
	}
	slices.Sort(times)
	return nearestRank(times, 0.99)
}

func (j *judge) timerDoubt(load []*history.Operation) string {
	p99 := j.p99(load, func(o *history.Operation) (time.Duration, bool) { return o.Woken - o.Intended, o.Woken > 0 })
	if p99 <= worstTimer {
		return ""
	}
	return fmt.Sprintf("The load generator was the bottleneck: it woke up late for its operations before the first fault, by %s at p99, "+
		"and %s is the most at which times mean something.", millis(p99), millis(worstTimer))
}

func (j *judge) latenessDoubt(load []*history.Operation) string {
	p99 := j.p99(load, func(o *history.Operation) (time.Duration, bool) { return o.Sent - o.Intended, o.Sent > 0 })
	bound := time.Duration(worstLateness * float64(j.h.Header.Deadline))
	if bound == 0 || p99 <= bound {
		return ""
	}
	return fmt.Sprintf("The load generator was the bottleneck: before the first fault it sent its operations late, by %s at p99, "+
		"and a hundredth of their deadline, %s, is the most.", millis(p99), millis(bound))
}

// unsentDoubt counts what was not sent at all: dropped before the first fault, because too many operations were under way, and at
// any time because the generator came to it when its deadline was over.
func (j *judge) unsentDoubt(load []*history.Operation) string {
	dropped, late := 0, 0
	for _, o := range load {
		switch {
		case o.Sent > 0:
		case o.Code == "DROPPED" && o.Intended < j.h.FirstFault():
			dropped++
		case o.Code == "DEADLINE_EXCEEDED":
			late++
		}
	}
	if dropped+late == 0 {
		return ""
	}
	return fmt.Sprintf("The load generator was the bottleneck: it dropped %d operations before the first fault, "+
		"and came too late to send %d of the load.", dropped, late)
}

// GeneratorDoubt is why the load generator itself may be what was measured, by the CPU that it used; empty if it used little enough.
func GeneratorDoubt(g *history.Generator) string {
	cores := float64(g.CPU) / float64(g.Wall)
	most := max(mostOwnCores, mostOwnShare*float64(g.Cores))
	if cores < most {
		return ""
	}
	return fmt.Sprintf("The load generator was the bottleneck: it used %.2f of the machine's %d cores, and %.2f is the most.", cores, g.Cores, most)
}

// MachineDoubt is why other programs may have spoilt the figures; empty if they used little enough.
func MachineDoubt(g *history.Generator) string {
	share := float64(g.Stolen) / float64(g.Wall) / float64(max(1, g.Cores))
	if share < mostStolenShare {
		return ""
	}
	return fmt.Sprintf("Other programs used %.0f %% of the machine's %d cores while the load was sent, and %.0f %% is the most: "+
		"end them, and run again.", 100*share, g.Cores, 100*mostStolenShare)
}
