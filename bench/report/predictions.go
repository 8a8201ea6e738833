package report

import (
	"fmt"
	"strings"

	"tandem/bench/measure"
)

// predictionHeads are what is predicted beside what was measured.
func predictionHeads() []string { return []string{"predicted %", "OK %", "predicted p50", "p50"} }

// worthTelling tells whether a prediction says more than that all is well: something fails, is slow, or is not as predicted.
func worthTelling(c measure.Cell) bool {
	if c.Predicted == nil || c.PredictedLow == nil || c.Availability == nil {
		return false
	}
	const slowMS = 50
	return c.Surprise || c.SlowSurprise || *c.Predicted < 1 || *c.Availability < 1 || c.PredictedP50MS != nil && *c.PredictedP50MS > slowMS
}

// predictionRow is the cells of an operation during a fault, for one stack.
func predictionRow(f *measure.Fault, op string) (texts []string, tell bool) {
	if f != nil {
		for _, c := range f.BlastRadius {
			if c.Op == op && c.Predicted != nil && c.PredictedLow != nil && c.Availability != nil {
				return predictionTexts(c), worthTelling(c)
			}
		}
	}
	return []string{none, none, none, none}, false
}

func predictionTexts(c measure.Cell) []string {
	predicted := percent(*c.Predicted)
	if low, high := percent(*c.PredictedLow), percent(*c.PredictedHigh); low != high {
		predicted += " (" + low + " to " + high + ")"
	}
	texts := []string{predicted, percent(*c.Availability), none, none}
	if c.Surprise {
		texts[1] += "!"
	}
	if c.P50MS != nil {
		texts[2], texts[3] = millis(*c.PredictedP50MS), millis(*c.P50MS)
		if c.SlowSurprise {
			texts[3] += "!"
		}
	}
	return texts
}

// eachPrediction calls do for each fault and operation of which at least one stack has something to tell.
func (r *Results) eachPrediction(do func(fault, op string, row []string)) {
	for i, fault := range r.Settings.Plan.Faults() {
		for _, op := range append(r.ops(true), r.ops(false)...) {
			any := false
			row := r.eachStack(func(s Stack) []string {
				texts, tell := predictionRow(s.fault(i), op)
				any = any || tell
				return texts
			})
			if any {
				do(fault, op, row)
			}
		}
	}
}

const predictionTitle = "During each fault: predicted from the single services, and measured (availability; p50 in ms)"

func predictionNotes() []string {
	return []string{
		"Operations are left out that were predicted to work, did, and took no 50 ms. In brackets: the 95 % interval.",
		"! marks what differs by more than 5 points or 5 ms, with intervals that are apart. docs/design.md says what the model leaves out.",
	}
}

// predictions is the table for a terminal.
func (r *Results) predictions() string {
	t := r.newTable(predictionTitle, []string{"fault", "operation"}, predictionHeads())
	r.eachPrediction(func(fault, op string, row []string) { t.add([]string{fault, op}, row) })
	if len(t.rows) == 0 {
		return ""
	}
	return t.String() + "\n" + strings.Join(predictionNotes(), "\n")
}

// predictionFigures is the same for the page.
func (r *Results) predictionFigures() *figures {
	f := r.newFigures(predictionTitle, []string{"fault", "operation"}, predictionHeads())
	r.eachPrediction(func(fault, op string, row []string) { f.add(figureRow{Lead: []string{fault, op}, Cells: cells(row)}) })
	f.Notes = predictionNotes()
	return f.orNil()
}

// Predictions are the lines about a stack that say what was predicted and what was measured.
func (s *Stack) Predictions() (lines []string) {
	for i := range s.Figures.Faults {
		f := s.fault(i)
		if f == nil {
			continue
		}
		for _, c := range f.BlastRadius {
			if !worthTelling(c) {
				continue
			}
			t := predictionTexts(c)
			line := fmt.Sprintf("%s: %s %% predicted, %s %% measured", c.Op, t[0], t[1])
			if c.P50MS != nil {
				line += fmt.Sprintf("; p50 %s ms predicted, %s ms measured", t[2], t[3])
			}
			lines = append(lines, line)
		}
	}
	return lines
}
