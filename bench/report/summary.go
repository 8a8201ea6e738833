package report

import (
	"fmt"
	"strings"

	"tandem/bench/check"
	"tandem/bench/cluster"
	"tandem/bench/measure"
)

// stopped is the availability below which an operation counts as not working.
const stopped = 0.5

// summary is the answer in plain words: a sentence for each thing that the figures really hold, and none for the rest. Without
// both stacks, or if they may not be compared, there is none.
func (r *Results) summary() string {
	sync, async := r.stack(cluster.Sync), r.stack(cluster.Async)
	if sync == nil || async == nil || r.NotComparable != "" {
		return ""
	}
	lines := []string{title("In short")}
	for i, victim := range r.Settings.Plan.Faults() {
		if line := brokenLine(sync.fault(i), async.fault(i), victim); line != "" {
			lines = append(lines, "  "+wrapped(line, "    "))
		}
	}
	for _, line := range []string{timesLine(sync, async, chained), timesLine(sync, async, alone), latestLine(sync, async), r.lossLine(sync, async), costLine(sync, async)} {
		if line != "" {
			lines = append(lines, "  "+wrapped(line, "    "))
		}
	}
	if len(lines) == 1 {
		return ""
	}
	return strings.Join(lines, "\n")
}

// stack returns a stack by its name, or nil.
func (r *Results) stack(name string) *Stack {
	for i := range r.Stacks {
		if r.Stacks[i].Stack == name {
			return &r.Stacks[i]
		}
	}
	return nil
}

// brokenLine says how many operations stopped working during a fault. sync is nil if it has no part for it.
func brokenLine(sync, async *measure.Fault, fault string) string {
	s, of := broken(sync)
	a, ofAsync := broken(async)
	when := during(fault) + ":"
	switch {
	case of > 0 && ofAsync > 0:
		return fmt.Sprintf("%-19s %2d of %d operations stop in sync, %2d of %d in async.", when, s, of, a, ofAsync)
	case ofAsync > 0 && sync == nil:
		return fmt.Sprintf("%-19s %2d of %d operations stop in async; sync has no such part.", when, a, ofAsync)
	}
	return ""
}

// broken counts the operations that did not work while a part was down, of those that were tried.
func broken(f *measure.Fault) (n, of int) {
	if f == nil {
		return 0, 0
	}
	for _, c := range f.BlastRadius {
		if c.Availability == nil {
			continue
		}
		of++
		if *c.Availability < stopped {
			n++
		}
	}
	return n, of
}

// A write that calls other services in sync, and one that calls nobody: async is quicker to accept the one and not the other.
const (
	chained = "CreateComment"
	alone   = "CreatePost"
)

// timesLine sets the two times of a write side by side. They are over OK operations, so there is nothing to say if few were.
func timesLine(sync, async *Stack, op string) string {
	s, a := sync.op(op), async.op(op)
	if s.TTA == nil || a.TTA == nil || s.TTE == nil || a.TTE == nil || !mostlyOK(s) || !mostlyOK(a) {
		return ""
	}
	return fmt.Sprintf("%s, p50: accepted after %s ms in sync, %s ms in async; shows after %s ms in sync, %s ms in async.",
		op, millis(s.TTA.P50), millis(a.TTA.P50), millis(s.TTE.P50), millis(a.TTE.P50))
}

// mostly is the share of OK answers under which a run is no test either.
const mostly = 0.9

func mostlyOK(op measure.Op) bool { return op.Steady.Share != nil && *op.Steady.Share >= mostly }

// latestLine says how late what was accepted shows while a part is down: the price of staying available.
func latestLine(sync, async *Stack) string {
	s, a := latest(sync), latest(async)
	if s == "" || a == "" {
		return ""
	}
	return fmt.Sprintf("Longest until an accepted write shows while a part is down: %s in sync, %s in async.", s, a)
}

// latest is the longest time to effect of what was accepted during a fault, and which; "" if no effect was seen.
func latest(s *Stack) string {
	f, missing := latestFault(s)
	if f == nil {
		return ""
	}
	more := ""
	if missing {
		more = "more than "
	}
	return fmt.Sprintf("%s%s (%s)", more, span(f.MaxTTEMS), faultName(f))
}

// latestFault is the fault with the longest time to effect, nil if no effect was seen; missing tells whether one of any fault was not.
func latestFault(s *Stack) (longest *measure.Fault, missing bool) {
	for i := range s.Figures.Faults {
		f := &s.Figures.Faults[i]
		if f.Absent {
			continue
		}
		missing = missing || f.TTEMissing > 0
		if f.MaxTTEMS != nil && (longest == nil || *f.MaxTTEMS > *longest.MaxTTEMS) {
			longest = f
		}
	}
	return longest, missing
}

// lossLine says what became of the acknowledged writes, unless any round is not valid.
func (r *Results) lossLine(sync, async *Stack) string {
	if r.Verdict() != check.Valid {
		return "" // the verdicts say more
	}
	return fmt.Sprintf("Nothing acknowledged was lost or doubled: %d writes in sync, %d in async.",
		sync.Check.Figures.Acknowledged.Count, async.Check.Figures.Acknowledged.Count)
}

func costLine(sync, async *Stack) string {
	if sync.Cost.Memory == 0 || async.Cost.Memory == 0 || sync.Cost.CPUPerThousand == 0 || async.Cost.CPUPerThousand == 0 {
		return ""
	}
	return fmt.Sprintf("CPU for 1,000 operations before any fault: %s in sync, %s in async. Memory: %s and %s, with the broker.",
		cpu(sync.Cost), cpu(async.Cost), size(sync.Cost.Memory), size(async.Cost.Memory))
}
