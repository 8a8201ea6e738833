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
	for i, victim := range r.Settings.Plan.Victims {
		if line := brokenLine(sync.fault(i), async.fault(i), victim); line != "" {
			lines = append(lines, "  "+line)
		}
	}
	for _, line := range []string{timesLine(sync, async), latestLine(async), lossLine(sync, async), costLine(sync, async)} {
		if line != "" {
			lines = append(lines, "  "+line)
		}
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

// brokenLine says how many operations stopped working while a part was down.
func brokenLine(sync, async *measure.Fault, victim string) string {
	s, of := broken(sync)
	a, ofAsync := broken(async)
	switch {
	case of > 0 && ofAsync > 0:
		return fmt.Sprintf("%-19s %2d of %d operations stop in sync, %2d of %d in async.", victim+" down:", s, of, a, ofAsync)
	case ofAsync > 0:
		return fmt.Sprintf("%-19s %2d of %d operations stop in async; sync has none.", victim+" down:", a, ofAsync)
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

// timesLine sets the two times of the longest chain side by side: the one in which async wins, and the one in which it loses.
func timesLine(sync, async *Stack) string {
	const op = "CreateComment"
	s, a := sync.op(op), async.op(op)
	if s.TTA == nil || a.TTA == nil || s.TTE == nil || a.TTE == nil {
		return ""
	}
	return fmt.Sprintf("%s, half of them within: accepted %s ms in sync, %s ms in async; visible %s ms in sync, %s ms in async.",
		op, millis(s.TTA.P50), millis(a.TTA.P50), millis(s.TTE.P50), millis(a.TTE.P50))
}

// latestLine says what async pays for staying available.
func latestLine(async *Stack) string {
	worst, victim := 0.0, ""
	for _, f := range async.Figures.Faults {
		if f.MaxTTEMS != nil && *f.MaxTTEMS > worst {
			worst, victim = *f.MaxTTEMS, f.Victim
		}
	}
	if victim == "" {
		return ""
	}
	return fmt.Sprintf("What async accepts while a part is down shows late: up to %s (%s).", span(&worst), victim)
}

// lossLine says what became of the acknowledged writes.
func lossLine(sync, async *Stack) string {
	if sync.Check.Verdict != check.Valid || async.Check.Verdict != check.Valid {
		return "" // the verdicts say more
	}
	return fmt.Sprintf("Nothing acknowledged was lost or doubled: %d writes in sync, %d in async.",
		sync.Check.Figures.Acknowledged.Count, async.Check.Figures.Acknowledged.Count)
}

func costLine(sync, async *Stack) string {
	if sync.Cost.Memory == 0 || async.Cost.Memory == 0 {
		return ""
	}
	return fmt.Sprintf("Per 1,000 operations: %s of CPU in sync, %s in async. Memory: %s and %s (the broker included).",
		duration(sync.Cost.CPUPerThousand), duration(async.Cost.CPUPerThousand), size(sync.Cost.Memory), size(async.Cost.Memory))
}
