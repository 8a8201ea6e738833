package report

import (
	"fmt"

	"tandem/bench/check"
	"tandem/bench/cluster"
)

// accountLine is one figure of the account of the writes.
type accountLine struct {
	name string
	of   func(check.Figures) check.Figure
	// bad tells whether the figure must be 0 in a stack.
	bad  func(stack string) bool
	help string
}

func everywhere(string) bool { return true }

func nowhere(string) bool { return false }

// onlySync: sync promises that reads are fresh, async does not.
func onlySync(stack string) bool { return stack == cluster.Sync }

func outcomeLines() []accountLine {
	return []accountLine{
		{"attempted", func(f check.Figures) check.Figure { return f.Attempted }, nowhere, "writes of the load"},
		{"acknowledged", func(f check.Figures) check.Figure { return f.Acknowledged }, nowhere, "answered OK"},
		{"failed", func(f check.Figures) check.Figure { return f.Failed }, nowhere, "certainly had no effect"},
		{"unknown", func(f check.Figures) check.Figure { return f.Unknown }, nowhere, "no certain answer: may have happened"},
		{"recovered", func(f check.Figures) check.Figure { return f.Recovered }, nowhere, "unknown, and found to have happened"},
		{"half done", func(f check.Figures) check.Figure { return f.HalfDone }, nowhere, "unknown, and only a part has happened"},
	}
}

func guaranteeLines() []accountLine {
	return []accountLine{
		{"lost in the store", func(f check.Figures) check.Figure { return f.Lost.Store }, everywhere, "acknowledged and not at its owner"},
		{"lost in the log", func(f check.Figures) check.Figure { return f.Lost.Log }, everywhere, "acknowledged, and the broker's log has no event of it"},
		{"lost in the read model", func(f check.Figures) check.Figure { return f.Lost.ReadModel }, everywhere, "acknowledged or stored, and not on query's pages"},
		{"duplicated in the store", func(f check.Figures) check.Figure { return f.Duplicated.Store }, everywhere, "one request, more than one effect"},
		{"duplicated in the read model", func(f check.Figures) check.Figure { return f.Duplicated.ReadModel }, everywhere, "shown more than once"},
		{"unexpected in the store", func(f check.Figures) check.Figure { return f.Unexpected.Store }, everywhere, "nobody asked for it"},
		{"unexpected in the read model", func(f check.Figures) check.Figure { return f.Unexpected.ReadModel }, everywhere, "shown, and not in the store"},
		{"counters that drifted", func(f check.Figures) check.Figure { return f.CounterDrift }, everywhere, "differ from what they count"},
		{"wrong status", func(f check.Figures) check.Figure { return f.WrongStatus }, everywhere, "comments that did not end as their text demands"},
		{"wrong text", func(f check.Figures) check.Figure { return f.WrongText }, everywhere, "the text or the author is not that of the last write"},
		{"author pages with a wrong list", func(f check.Figures) check.Figure { return f.WrongList }, everywhere, "not the posts that the store lists"},
		{"not linearizable", func(f check.Figures) check.Figure { return f.NotLinearizable }, everywhere, "posts and comments whose answers no order explains"},
		{"passed over in silence", func(f check.Figures) check.Figure { return f.PassedOver }, everywhere, "unreadable records that nobody put aside"},
		{"dead letters", func(f check.Figures) check.Figure { return f.DeadLetters }, nowhere, "records that a consumer put aside"},
		{"never read", func(f check.Figures) check.Figure { return f.NeverRead }, nowhere, "nothing is known of them: no verdict"},
	}
}

func readLines() []accountLine {
	return []accountLine{
		{"own writes not read", func(f check.Figures) check.Figure { return f.ReadYourWrites }, onlySync, "a violation in sync; async does not promise it"},
		{"reads that went back", func(f check.Figures) check.Figure { return f.MonotonicReads }, onlySync, "an older version after a newer one"},
		{"stale reads", func(f check.Figures) check.Figure { return f.Stale }, onlySync, "showed what was before an acknowledged write"},
		{"writes that a read missed", func(f check.Figures) check.Figure { return f.StaleWrites }, nowhere, "at least one stale read"},
	}
}

func orderLines() []accountLine {
	return []accountLine{
		{"effects reordered", func(f check.Figures) check.Figure { return f.Effects.Reordered }, everywhere, "an older version after a newer one"},
		{"effects repeated", func(f check.Figures) check.Figure { return f.Effects.Repeated }, everywhere, "the same version again"},
		{"effects with gaps", func(f check.Figures) check.Figure { return f.Effects.Gaps }, everywhere, "a version is left out"},
		{"log reordered", func(f check.Figures) check.Figure { return f.Log.Reordered }, everywhere, "in the broker's log, per aggregate"},
		{"log repeated", func(f check.Figures) check.Figure { return f.Log.Repeated }, nowhere, "at-least-once allows it; the inbox keeps it out"},
		{"log with gaps", func(f check.Figures) check.Figure { return f.Log.Gaps }, everywhere, "a version is not in the log"},
	}
}

// accountFigures is what became of the writes.
func (r *Results) accountFigures() *figures {
	return r.accountOf("Account of the writes after the drain", append(outcomeLines(), guaranteeLines()...))
}

// orderFigures is what reads showed, and in which order changes came.
func (r *Results) orderFigures() *figures {
	return r.accountOf("Reads, and the order of changes", append(readLines(), orderLines()...))
}

// accountOf is an account with examples of what was counted.
func (r *Results) accountOf(caption string, lines []accountLine) *figures {
	f := r.newFigures(caption, []string{"figure"}, []string{"count"})
	if len(r.Stacks) == 0 {
		return nil
	}
	for _, l := range lines {
		row := figureRow{Lead: []string{l.name}, Help: l.help}
		for _, s := range r.Stacks {
			found := l.of(s.Check.Figures)
			row.Cells = append(row.Cells, figureCell{Text: fmt.Sprint(found.Count), Bad: found.Count > 0 && l.bad(s.Stack)})
			if len(found.Examples) > 0 {
				row.Examples = append(row.Examples, example{s.Stack, found.Examples})
			}
		}
		f.add(row)
	}
	return f
}
