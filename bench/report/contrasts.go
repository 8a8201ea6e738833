package report

import (
	"fmt"
	"io"
	"strings"

	"tandem/bench/check"
	"tandem/bench/measure"
	"tandem/bench/scenario"
)

// Headline is the headline figures of a stack: those of its history, and what it cost. A cost that the system did not tell is
// none.
func (s *Stack) Headline() []measure.Figure {
	return append(s.Figures.Figures(), costFigures(s.Cost)...)
}

func costFigures(c scenario.Cost) []measure.Figure {
	told := func(name, unit string, value float64) measure.Figure {
		f := measure.Figure{Name: name, Unit: unit, LessIsBetter: true}
		if value > 0 {
			f.Value = &value
		}
		return f
	}
	return []measure.Figure{
		told("CPU for 1,000 operations", "ms", float64(c.CPUPerThousand)/1e6),
		told("memory at the end", "MB", float64(c.Memory)/(1<<20)),
		told("RPCs per operation", "", c.RPCs),
		told("messages per operation", "", c.Messages),
	}
}

// Light is a stack without what is drawn over time, which its history still holds: many rounds would make the results too large to
// be opened.
func (s Stack) Light() Stack {
	s.Figures.Timelines, s.Figures.Writes, s.Figures.Backlog, s.Figures.Curves = nil, nil, nil, nil
	return s
}

// OfRounds are all stacks of all rounds, or those of the only one.
func (r *Results) OfRounds() []Stack {
	if len(r.Rounds) == 0 {
		return r.Stacks
	}
	var all []Stack
	for _, round := range r.Rounds {
		all = append(all, round.Stacks...)
	}
	return all
}

// Contrasts is a set of figures of two sides, for printing.
type Contrasts struct {
	Title string
	A, B  string // what the sides are called
	Rows  []measure.Contrast
}

// Print writes the figures as a table, and what may be said of them.
func (c *Contrasts) Print(w io.Writer) error { return printParts(w, []string{c.text()}) }

func (c *Contrasts) text() string {
	t := &table{
		title: c.Title, stacks: []string{c.A, c.B, c.B + " − " + c.A}, lead: []string{"", "", "claim"},
		heads: []string{"value", "95 % interval"},
	}
	for _, row := range c.Rows {
		t.add([]string{row.Figure, row.Unit, claimOf(row)}, append(append(estimated(row.A), estimated(row.B)...), estimated(row.Difference)...))
	}
	return t.String() + "\n" + c.note()
}

// claimOf says what may be claimed of B.
func claimOf(c measure.Contrast) string {
	switch {
	case !c.Claimed:
		return none
	case c.Difference.Median < 0 || c.Difference.Median == 0 && *c.Difference.High < 0:
		return "less"
	}
	return "more"
}

func (c *Contrasts) note() string {
	claimed := 0
	for _, row := range c.Rows {
		if row.Claimed {
			claimed++
		}
	}
	return wrapped(fmt.Sprintf("claim: %s has less or more than %s, and the data support it; a difference with %s must not be claimed. "+
		"%d of %d are claimed. Of figures that do not differ, up to 1 in 20 may be claimed by chance.", c.B, c.A, none, claimed, len(c.Rows)), "")
}

func estimated(e measure.Estimate) []string {
	if e.Low == nil || e.High == nil {
		return []string{signed(e.Median), ""}
	}
	return []string{signed(e.Median), signed(*e.Low) + " to " + signed(*e.High)}
}

// overRounds is what several rounds say together.
func (r *Results) overRounds() string {
	if len(r.Rounds) < 2 || len(r.Contrasts) == 0 {
		return ""
	}
	c := Contrasts{Title: fmt.Sprintf("Over %d rounds: medians", len(r.Rounds)), A: "sync", B: "async", Rows: r.Contrasts}
	if len(r.Rounds) < measure.LeastRounds {
		return c.text() + "\n" + fmt.Sprintf("Not enough rounds to claim a difference: %d, and it takes %d.", len(r.Rounds), measure.LeastRounds)
	}
	return c.text()
}

// roundVerdicts are the verdicts of the rounds after the first, whose stand with the answer.
func (r *Results) roundVerdicts() []string {
	var lines []string
	for i, round := range r.Rounds {
		for _, s := range round.Stacks {
			if i > 0 && s.Check.Verdict != check.Valid {
				lines = append(lines, fmt.Sprintf("  %-6s %s in round %d", s.Stack, verdictStyle(s.Check.Verdict).Render(strings.ToUpper(string(s.Check.Verdict))), i+1))
				for _, reason := range s.Check.Reasons {
					lines = append(lines, reasonIndent+wrapped(reason, reasonIndent))
				}
			}
		}
	}
	return lines
}
