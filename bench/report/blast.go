package report

import (
	"fmt"

	"tandem/bench/measure"
)

// heatMap is the blast radius of one stack: a row for each operation, a column for each victim.
type heatMap struct {
	Stack   string
	Victims []string
	Rows    []heatRow
}

type heatRow struct {
	Op    string
	Cells []heatCell
}

// heatCell is an availability, in percent, beside what the dependency graph predicts.
type heatCell struct {
	Text      string
	Predicted string
	Level     string // names its colour: "none", or "h0" (nothing works) to "h4" (all works)
	Surprise  bool
	Degraded  bool   // some answers were less than asked for, and said so
	Title     string // the whole of it in words
}

func (r *Results) heatMaps() (maps []heatMap) {
	ops := append(r.ops(true), r.ops(false)...)
	if len(r.Settings.Plan.Faults()) == 0 || len(ops) == 0 {
		return nil
	}
	for _, s := range r.Stacks {
		m := heatMap{Stack: s.Stack, Victims: r.Settings.Plan.Faults()}
		for _, op := range ops {
			row := heatRow{Op: op}
			for i, victim := range m.Victims {
				row.Cells = append(row.Cells, heatCellOf(s.fault(i), op, victim))
			}
			m.Rows = append(m.Rows, row)
		}
		maps = append(maps, m)
	}
	return maps
}

func heatCellOf(f *measure.Fault, op, victim string) heatCell {
	if f == nil {
		return heatCell{Text: none, Level: "none", Title: "no such part: " + victim}
	}
	for _, c := range f.BlastRadius {
		if c.Op == op && c.Availability != nil {
			return measuredCell(c, victim, degradedDuring(f, op))
		}
	}
	return heatCell{Text: none, Level: "none", Title: fmt.Sprintf("%s was not called during the fault %s", op, victim)}
}

// degradedDuring is how many of an operation's OK answers were less than asked for while a part was down.
func degradedDuring(f *measure.Fault, op string) int {
	for _, w := range f.Ops {
		if w.Op == op {
			return w.During.Degraded
		}
	}
	return 0
}

func measuredCell(c measure.Cell, victim string, degraded int) heatCell {
	h := heatCell{
		Text: percent(*c.Availability), Predicted: none, Level: level(*c.Availability), Surprise: c.Surprise, Degraded: degraded > 0,
	}
	if c.Predicted != nil {
		h.Predicted = percent(*c.Predicted)
	}
	h.Title = fmt.Sprintf("%s, fault %s: %s %% of %d calls were answered OK; predicted: %s %%",
		c.Op, victim, h.Text, c.Samples, h.Predicted)
	if h.Degraded {
		h.Title += fmt.Sprintf("; %d answers were less than asked for, and said so", degraded)
	}
	return h
}

// level names the colour of an availability.
func level(share float64) string {
	switch {
	case share < 0.01:
		return "h0"
	case share < stopped:
		return "h1"
	case share < 0.95:
		return "h2"
	case share < 1:
		return "h3"
	}
	return "h4"
}

// blastNote says how many cells are not as predicted, and what the marks mean.
func (r *Results) blastNote() string {
	n, degraded := 0, false
	for _, m := range r.heatMaps() {
		for _, row := range m.Rows {
			for _, c := range row.Cells {
				degraded = degraded || c.Degraded
				if c.Surprise {
					n++
				}
			}
		}
	}
	if degraded {
		return surpriseNote(n) + " ~ marks answers that were less than asked for, and said so."
	}
	return surpriseNote(n)
}
