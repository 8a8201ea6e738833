package measure

import (
	"fmt"
	"strings"
)

// Figure is one headline figure of a run.
type Figure struct {
	Name         string   // for example "CreateComment, TTA p50"
	Unit         string   // "ms", "%", "MB", or "" for a number
	LessIsBetter bool     //
	Value        *float64 // nil if the run does not have it
}

// Figures are the headline figures: how long each operation took in the steady window, and what each fault that hurt the stack
// did.
func (r *Report) Figures() []Figure {
	var all []Figure
	for _, m := range r.Ops {
		all = append(all, m.figures()...)
	}
	times := map[string]int{}
	for _, f := range r.Faults {
		name := strings.TrimSpace(f.Name + " " + f.Victim)
		if times[name]++; times[name] > 1 {
			name = fmt.Sprintf("%s (%d)", name, times[name])
		}
		all = append(all, f.figures(name)...)
	}
	return all
}

// shownMeasure is a distribution of an operation with the percentiles of it that are headline figures.
type shownMeasure struct {
	name     string
	of       *Percentiles
	percents []float64
}

func (m *Op) figures() []Figure {
	shown := []shownMeasure{{"latency", m.Latency, []float64{50, 99}}}
	if m.Write {
		shown = []shownMeasure{{"TTA", m.TTA, []float64{50, 99}}, {"TTE", m.TTE, []float64{50, 99}}, {"staleness", m.Staleness, []float64{50}}}
	}
	var all []Figure
	for _, s := range shown {
		for _, percent := range s.percents {
			all = append(all, Figure{Name: percentileName(m.Op, s.name, percent), Unit: "ms", LessIsBetter: true, Value: s.of.at(percent)})
		}
	}
	return all
}

func percentileName(op, measure string, percent float64) string {
	return fmt.Sprintf("%s, %s p%g", op, measure, percent)
}

// at returns the p50 or the p99.
func (p *Percentiles) at(percent float64) *float64 {
	switch {
	case p == nil:
		return nil
	case percent == 50:
		return &p.P50
	}
	return &p.P99
}

// figures are those of a fault, which name tells from all others of the run.
func (f *Fault) figures(name string) []Figure {
	if f.Absent {
		return nil
	}
	available, longest := f.Total.During.Share, f.MaxTTEMS
	if available != nil {
		available = new(100 * *available)
	}
	if f.TTEMissing > 0 {
		longest = nil // what was never seen took longer
	}
	return []Figure{
		{Name: name + ", availability", Unit: "%", Value: available},
		{Name: name + ", recovery", Unit: "ms", LessIsBetter: true, Value: f.RecoveryMS},
		{Name: name + ", drain", Unit: "ms", LessIsBetter: true, Value: f.DrainMS},
		{Name: name + ", max TTE", Unit: "ms", LessIsBetter: true, Value: longest},
	}
}
