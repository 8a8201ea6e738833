package check

import (
	"fmt"
	"slices"
	"strings"

	"tandem/bench/history"
)

// leastShare of the offered rate must have been achieved before the first fault, or the run says nothing: a system without
// load has nothing to lose.
const leastShare = 0.9

// result puts the judgement together.
func (j *judge) result() Result {
	violations, doubts, disturbed := j.violations(), j.doubts(), j.disturbances()
	if few := j.fewSucceeded(); len(disturbed) > 0 { // a machine with other things to do explains it
		disturbed = append(disturbed, few...)
	} else {
		doubts = append(doubts, few...)
	}
	r := Result{
		Figures: j.figures, Verdict: Valid, Reasons: slices.Concat(violations, doubts, disturbed), Disturbed: disturbed,
	}
	if len(doubts)+len(disturbed) > 0 {
		r.Verdict = Unknown
	}
	if len(violations) > 0 {
		r.Verdict = Invalid
	}
	return r
}

// violations are the reasons for invalid.
func (j *judge) violations() []string {
	f := &j.figures
	stale := f.Stale
	if j.h.Header.Stack == async {
		stale = Figure{} // what async does not promise
	}
	reasons := []string{}
	for _, v := range []struct {
		figure Figure
		what   string
	}{
		{f.Lost.Store, "lost in the store"}, {f.Lost.ReadModel, "lost in the read model"}, {f.Lost.Log, "lost in the log"},
		{f.Duplicated.Store, "duplicated in the store"}, {f.Duplicated.ReadModel, "duplicated in the read model"},
		{f.Unexpected.Store, "unexpected in the store"}, {f.Unexpected.ReadModel, "unexpected in the read model"},
		{f.CounterDrift, "counters that drifted"}, {f.WrongStatus, "comments with a wrong status"},
		{f.WrongText, "texts that are not those of the last write"}, {f.WrongList, "author pages with a wrong list"},
		{j.brokenSessions, "reads that broke what their client was promised"}, {stale, "stale reads"},
		{f.Effects.Reordered, "effects out of order"}, {f.Effects.Repeated, "effects repeated"}, {f.Effects.Gaps, "gaps in the effects"},
		{f.Log.Reordered, "records out of order in the log"}, {f.Log.Gaps, "gaps in the log"},
		{f.NotLinearizable, "posts and comments without a linear order"}, {f.PassedOver, "records passed over in silence"},
	} {
		if v.figure.Count > 0 {
			reasons = append(reasons, fmt.Sprintf("%d %s. %s", v.figure.Count, v.what, v.figure.Examples[0]))
		}
	}
	return reasons
}

// doubts are the reasons for unknown.
func (j *judge) doubts() []string {
	var reasons []string
	if !j.h.Complete {
		reasons = append(reasons, "The history is not complete: the run was interrupted.")
	}
	if j.h.Drained == 0 {
		reasons = append(reasons, "The wait for the effects of all acknowledged writes was given up: what is missing may still have been on its way.")
	}
	if j.h.Unsettled {
		reasons = append(reasons, "The last look at what is there was given up, because it went on changing: what is missing may still have been on its way.")
	}
	reasons = append(reasons, j.loadDoubts()...)
	for _, f := range j.h.Faults {
		reasons = append(reasons, faultDoubts(f)...)
	}
	if n := j.figures.NeverRead; n.Count > 0 {
		reasons = append(reasons, fmt.Sprintf("%d were not looked at after the drain. %s", n.Count, n.Examples[0]))
	}
	if j.h.Header.Stack == async && len(j.h.Records) == 0 && j.figures.Acknowledged.Count > 0 && ofLaboratory(j.h.Load()) {
		reasons = append(reasons, "The log of the broker was not read: nothing is known of what was lost or doubled there.")
	}
	if n := j.unsearched; n.Count > 0 {
		reasons = append(reasons, fmt.Sprintf("%d orders were not found in time. %s", n.Count, n.Examples[0]))
	}
	return reasons
}

func faultDoubts(f history.Fault) []string {
	name := f.Name
	if f.Victim != "" { // a rolling restart has none
		name += " of " + f.Victim
	}
	switch {
	case f.Absent:
		return nil
	case f.Problem != "":
		return []string{fmt.Sprintf("The fault %s at %s had a problem: %s.", name, at(f.Asked), strings.TrimSuffix(f.Problem, "."))}
	case f.InEffect == 0:
		return []string{fmt.Sprintf("The fault %s at %s was not seen to take effect.", name, at(f.Asked))}
	case f.Lifted == 0:
		return []string{fmt.Sprintf("The fault %s at %s was not seen to be lifted.", name, at(f.Asked))}
	}
	return nil
}

// loadDoubts are the reasons why the load may have been no test.
func (j *judge) loadDoubts() []string {
	load := j.h.Load()
	if len(load) == 0 {
		return []string{"The load has no operations."}
	}
	if r := j.rateDoubt(); r != "" {
		return []string{r}
	}
	return nil
}

// beforeFaults counts the operations that were due before the first fault, and those of them that succeeded.
func (j *judge) beforeFaults() (intended, ok int) {
	end := j.h.FirstFault()
	for _, o := range j.h.Load() {
		if o.Intended < end {
			intended++
			if o.Outcome == history.OK {
				ok++
			}
		}
	}
	return intended, ok
}

// fewSucceeded compares what was achieved before the first fault with what was offered, and names what never was. Random arrivals
// rarely hit the offered rate exactly, so the answers are counted against the arrivals of that window.
func (j *judge) fewSucceeded() (reasons []string) {
	if intended, ok := j.beforeFaults(); float64(ok) < leastShare*float64(intended) {
		reasons = []string{fmt.Sprintf(
			"Before the first fault %d of %d operations succeeded, which is under 90 %% of the offered rate.", ok, intended)}
	}
	return append(reasons, neverSucceeded(j.h.Load())...)
}

// rateDoubt tells whether the arrivals before the first fault fall short of the offered rate by more than chance explains (three
// standard deviations of a Poisson process).
func (j *judge) rateDoubt() string {
	window := (j.h.FirstFault() - j.h.LoadStart()).Seconds()
	intended, _ := j.beforeFaults()
	expected := j.h.Header.OfferedRate * window
	switch {
	case intended == 0 || window <= 0:
		return "There was no load before the first fault."
	case fallsShort(float64(intended), leastShare*expected):
		return fmt.Sprintf("Before the first fault %d operations were due in %.1f s, which is under 90 %% of the offered rate of %g a second.",
			intended, window, j.h.Header.OfferedRate)
	}
	return ""
}

// fallsShort tells whether n arrivals are fewer than chance makes of a mean: (mean − n)² > 9 mean.
func fallsShort(n, mean float64) bool { return n < mean && (mean-n)*(mean-n) > 9*mean }

// neverSucceeded names the RPCs of the load that have no success.
func neverSucceeded(load []*history.Operation) []string {
	succeeded := map[string]bool{}
	for _, o := range load {
		succeeded[o.Op] = succeeded[o.Op] || o.Outcome == history.OK
	}
	var reasons []string
	for op, ok := range succeeded {
		if !ok {
			reasons = append(reasons, op+" never succeeded.")
		}
	}
	slices.Sort(reasons)
	return reasons
}
