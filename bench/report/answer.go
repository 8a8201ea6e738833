package report

import (
	"fmt"
	"strings"

	"tandem/bench/check"
	"tandem/bench/cluster"
	"tandem/bench/fault"
	"tandem/bench/measure"
)

// answer is what the figures say, in plain words: one sentence that leads, and more.
type answer struct {
	Lead string
	More []string
}

// plainAnswer says only what the figures hold.
func (r *Results) plainAnswer() answer {
	sync, async := r.stack(cluster.Sync), r.stack(cluster.Async)
	if sync == nil || async == nil {
		return r.answerAlone()
	}
	a := answer{Lead: leadOf(sync, async)}
	for _, line := range []string{r.commentLine(sync, async), latestLine(sync, async), r.lossLine(sync, async)} {
		if line != "" {
			a.More = append(a.More, line)
		}
	}
	return a
}

func (r *Results) answerAlone() answer {
	if len(r.Stacks) == 0 {
		return answer{Lead: "This run holds no figures."}
	}
	s := &r.Stacks[0]
	a := answer{Lead: "No operation was measured while a part was down."}
	if w := worstFault(s); w.of > 0 {
		a.Lead = fmt.Sprintf("In %s the worst single failure, of %s, stops %d of %d operations.", s.Stack, w.victim, w.stopped, w.of)
	}
	if r.Verdict() == check.Valid {
		a.More = append(a.More, fmt.Sprintf("Nothing acknowledged was lost or doubled: %d writes.", s.Check.Figures.Acknowledged.Count))
	}
	return a
}

func leadOf(sync, async *Stack) string {
	s, a := worstFault(sync), worstFault(async)
	switch {
	case s.of == 0 || a.of == 0:
		return "No operation was measured while a part was down in both stacks."
	case s.stopped == a.stopped:
		return fmt.Sprintf("The worst single failure stops as much in both stacks: %d operations in sync (%s), %d in async (%s).",
			s.stopped, s.victim, a.stopped, a.victim)
	}
	return fmt.Sprintf("The worst single failure stops %d of %d operations in sync (%s), and %d of %d in async (%s).",
		s.stopped, s.of, s.victim, a.stopped, a.of, a.victim)
}

// faultName names a fault as the plan does: a part alone was killed.
func faultName(f *measure.Fault) string {
	return fault.Spec{Kind: f.Name, Victim: f.Victim}.String()
}

// during says in a few words what went on.
func during(fault string) string {
	if strings.Contains(fault, " ") {
		return fault
	}
	return fault + " down"
}

// worst is the failure that stops the most operations.
type worst struct {
	victim      string
	stopped, of int
}

func worstFault(s *Stack) (w worst) {
	for i := range s.Figures.Faults {
		f := &s.Figures.Faults[i]
		if f.Absent {
			continue
		}
		if n, of := broken(f); of > 0 && (w.of == 0 || n > w.stopped) {
			w = worst{faultName(f), n, of}
		}
	}
	return w
}

// commentLine sets the times of a comment side by side, and says so if several rounds do not support a difference.
func (r *Results) commentLine(sync, async *Stack) string {
	line := timesLine(sync, async, chained)
	if line == "" {
		return ""
	}
	for _, c := range r.Contrasts {
		if (c.Figure == chained+", TTA p50" || c.Figure == chained+", TTE p50") && !c.Claimed {
			line += fmt.Sprintf(" Over all rounds no difference is claimed in %s.", c.Figure)
		}
	}
	return line
}

// number is one of the four that answer most readers, with a value for each stack.
type number struct {
	Title  string
	Values []numberValue
	Help   string
}

type numberValue struct {
	Stack string
	Text  string
	Note  string
	Bad   bool
}

func (r *Results) numbers() []number {
	all := []number{
		{Title: "Operations that stop in the worst single failure", Help: "fewer than half of the calls answered within the deadline"},
		{Title: "A comment: accepted → shows, ms", Help: "medians before any fault, counted from the intended send time"},
		{Title: "Longest until an accepted write shows", Help: "of the writes accepted during a fault"},
		{Title: "Lost or doubled writes", Help: "after the drain, in the stores, the log and on the pages"},
	}
	for i := range r.Stacks {
		s := &r.Stacks[i]
		for n, v := range []numberValue{stopNumber(s), commentNumber(s), waitNumber(s), r.lossNumber(s.Stack)} {
			v.Stack = s.Stack
			all[n].Values = append(all[n].Values, v)
		}
	}
	return all
}

func stopNumber(s *Stack) numberValue {
	w := worstFault(s)
	if w.of == 0 {
		return numberValue{Text: none, Note: "nothing was measured"}
	}
	return numberValue{Text: fmt.Sprintf("%d of %d", w.stopped, w.of), Note: during(w.victim)}
}

func commentNumber(s *Stack) numberValue {
	op := s.op(chained)
	if op.TTA == nil || op.TTE == nil {
		return numberValue{Text: none, Note: "nothing was measured"}
	}
	v := numberValue{
		Text: millis(op.TTA.P50) + " → " + millis(op.TTE.P50),
		Note: fmt.Sprintf("p99: %s → %s", millis(op.TTA.P99), millis(op.TTE.P99)),
	}
	if !mostlyOK(op) {
		v.Note = fmt.Sprintf("only %s %% were answered OK", share(op.Steady))
	}
	return v
}

func waitNumber(s *Stack) numberValue {
	f, missing := latestFault(s)
	if f == nil {
		return numberValue{Text: none, Note: "no effect was seen"}
	}
	more := ""
	if missing {
		more = "> "
	}
	return numberValue{Text: more + span(f.MaxTTEMS), Note: during(faultName(f))}
}

// lossNumber counts in all rounds: what one of them lost must not hide behind the first.
func (r *Results) lossNumber(stack string) numberValue {
	acknowledged, lost, doubled := 0, 0, 0
	for _, s := range r.OfRounds() {
		if f := s.Check.Figures; s.Stack == stack {
			acknowledged += f.Acknowledged.Count
			lost += f.Lost.Store.Count + f.Lost.ReadModel.Count + f.Lost.Log.Count
			doubled += f.Duplicated.Store.Count + f.Duplicated.ReadModel.Count
		}
	}
	switch {
	case acknowledged+lost+doubled == 0:
		return numberValue{Text: none, Note: "nothing was acknowledged"}
	case lost+doubled == 0:
		return numberValue{Text: "0", Note: fmt.Sprintf("of %d acknowledged", acknowledged)}
	}
	return numberValue{
		Text: fmt.Sprint(lost + doubled), Bad: true, Note: fmt.Sprintf("%d lost, %d doubled; of %d acknowledged", lost, doubled, acknowledged),
	}
}
