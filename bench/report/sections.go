package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"tandem/bench/check"
	"tandem/bench/measure"
)

// writeFigures are the percentiles behind the curves of the writes.
func (r *Results) writeFigures() *figures {
	f := r.newFigures("Writes before any fault, ms", []string{"operation", "time"}, timeHeads())
	for _, op := range r.ops(true) {
		f.add(figureRow{Lead: []string{op, "to accept"}, Cells: r.eachCell(func(s Stack) []string {
			return timeCells(s.op(op), s.op(op).TTA)
		})})
		f.add(figureRow{Lead: []string{op, "to effect"}, Cells: r.eachCell(func(s Stack) []string {
			return append([]string{""}, timeCells(s.op(op), s.op(op).TTE)[1:]...)
		})})
	}
	return f.orNil()
}

func (r *Results) readFigures() *figures {
	f := r.newFigures("Reads before any fault: latency, ms", []string{"operation"}, timeHeads())
	for _, op := range r.ops(false) {
		f.add(figureRow{Lead: []string{op}, Cells: r.eachCell(func(s Stack) []string { return timeCells(s.op(op), s.op(op).Latency) })})
	}
	return f.orNil()
}

func timeHeads() []string { return []string{"OK %", "p50", "p90", "p99", "p99.9", "max"} }

func timeCells(op measure.Op, p *measure.Percentiles) []string {
	longest := none
	if p != nil {
		longest = millis(p.Max)
	}
	return append(okAnd(op, p), longest)
}

func (r *Results) eachCell(texts func(Stack) []string) []figureCell { return cells(r.eachStack(texts)) }

// staleFigures are how long acknowledged writes did not show.
func (r *Results) staleFigures() *figures {
	f := r.newFigures("Staleness of acknowledged writes (TTE − TTA), ms", []string{"operation", "window"}, []string{"p50", "p99", "max", "never seen"})
	for _, op := range r.ops(true) {
		f.add(figureRow{Lead: []string{op, "before any fault"}, Cells: r.eachCell(func(s Stack) []string {
			return staleCells(s.op(op).Staleness, "")
		})})
		f.add(figureRow{Lead: []string{op, "whole load"}, Cells: r.eachCell(func(s Stack) []string {
			return staleCells(s.op(op).StalenessWhole, fmt.Sprint(s.op(op).TTEMissing))
		})})
	}
	return f.orNil()
}

func staleCells(p *measure.Percentiles, missing string) []string {
	if p == nil {
		return []string{none, none, none, missing}
	}
	return []string{millis(p.P50), millis(p.P99), millis(p.Max), missing}
}

func (r *Results) faultFigures() *figures {
	f := r.newFigures("Around each fault: availability of all operations, %, and the time to get over it",
		[]string{"fault"}, []string{"before", "during", "after", "recovery", "drain", "longest TTE"})
	for i, victim := range r.Settings.Plan.Faults() {
		f.add(figureRow{Lead: []string{victim}, Cells: r.eachCell(func(s Stack) []string { return faultCells(s.fault(i)) })})
	}
	f.Notes = r.problems()
	return f.orNil()
}

// waitFigures are how long users waited for whatever they were told, during each fault.
func (r *Results) waitFigures() *figures {
	f := r.newFigures("During each fault: until users had any answer, good or bad, ms", []string{"fault", "operation"}, []string{"p50", "p99", "max"})
	for i, fault := range r.Settings.Plan.Faults() {
		for _, op := range append(r.ops(true), r.ops(false)...) {
			row := r.eachStack(func(s Stack) []string { return waitCells(answersDuring(s.fault(i), op)) })
			if slices.ContainsFunc(row, func(cell string) bool { return cell != none }) {
				f.add(figureRow{Lead: []string{fault, op}, Cells: cells(row)})
			}
		}
	}
	return f.orNil()
}

func waitCells(p *measure.Percentiles) []string {
	if p == nil {
		return []string{none, none, none}
	}
	return []string{millis(p.P50), millis(p.P99), millis(p.Max)}
}

// problems are why figures of faults are missing.
func (r *Results) problems() (notes []string) {
	for _, s := range r.Stacks {
		for _, f := range s.Figures.Faults {
			for _, p := range []string{f.RecoveryProblem, f.DrainProblem} {
				if p != "" && !f.Absent {
					notes = append(notes, fmt.Sprintf("%s, %s: %s", s.Stack, faultName(&f), p))
				}
			}
		}
	}
	return notes
}

// lagFigures are the quantiles of how long reads missed what was acknowledged.
func (r *Results) lagFigures() *figures {
	f := r.newFigures("How long reads missed acknowledged writes, ms", []string{"figure", "quantile"}, []string{"ms"})
	for _, figure := range []struct {
		name string
		of   func(check.Figures) map[string]float64
	}{
		{"stable latency", func(c check.Figures) map[string]float64 { return c.StableLatency }},
		{"realtime lag", func(c check.Figures) map[string]float64 { return c.RealtimeLag }},
	} {
		for _, quantile := range r.quantiles(figure.of) {
			f.add(figureRow{Lead: []string{figure.name, quantile}, Cells: r.eachCell(func(s Stack) []string {
				return []string{quantileCell(figure.of(s.Check.Figures), quantile)}
			})})
		}
	}
	return f.orNil()
}

func quantileCell(values map[string]float64, quantile string) string {
	if v, ok := values[quantile]; ok {
		return millis(v)
	}
	return none
}

// quantiles are those that any stack has, rising.
func (r *Results) quantiles(of func(check.Figures) map[string]float64) []string {
	all := map[string]float64{}
	for _, s := range r.Stacks {
		for q := range of(s.Check.Figures) {
			all[q], _ = strconv.ParseFloat(q, 64) // what is no number comes first
		}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		if all[a] < all[b] || all[a] == all[b] && a < b {
			return -1
		}
		return 1
	})
}

func (r *Results) witnessFigures() *figures {
	f := r.newFigures("The services' account of when writes showed, and what readers saw", []string{""}, []string{"value"})
	if !slices.ContainsFunc(r.Stacks, func(s Stack) bool { return s.Figures.Witness != nil }) {
		return nil
	}
	for _, row := range []struct {
		name string
		of   func(*measure.Witness) string
	}{
		{"writes that both saw", func(w *measure.Witness) string { return fmt.Sprint(w.Writes) }},
		{"of these in agreement", func(w *measure.Witness) string { return fmt.Sprintf("%d (%s)", w.Agree, partOf(w.Agree, w.Writes)) }},
		{"bound of the agreement", func(w *measure.Witness) string { return millis(w.BoundMS) + " ms" }},
		{"off by, p99 and at most", func(w *measure.Witness) string { return p99AndMax(w.Off) }},
		{"what a reader can tell apart, p50", func(w *measure.Witness) string { return p50(w.Span) }},
		{"seen by the reader, not told by a service", func(w *measure.Witness) string { return fmt.Sprint(w.Untold) }},
		{"given up by the reader", func(w *measure.Witness) string { return fmt.Sprint(w.NotSeen) }},
	} {
		f.add(figureRow{Lead: []string{row.name}, Cells: r.eachCell(func(s Stack) []string {
			if s.Figures.Witness == nil {
				return []string{none}
			}
			return []string{row.of(s.Figures.Witness)}
		})})
	}
	return f
}

func partOf(n, of int) string {
	if of == 0 {
		return none
	}
	return percent(float64(n)/float64(of)) + " %"
}

func p99AndMax(p *measure.Percentiles) string {
	if p == nil {
		return none
	}
	return millis(p.P99) + " / " + millis(p.Max) + " ms"
}

func p50(p *measure.Percentiles) string {
	if p == nil {
		return none
	}
	return millis(p.P50) + " ms"
}

// fitnessFigures are how the load generator kept its word.
func (r *Results) fitnessFigures() *figures {
	f := r.newFigures("How punctual it was, and what it took of the machine", []string{""}, []string{"value"})
	for _, row := range []struct {
		name string
		of   func(Stack) string
	}{
		{"operations intended", func(s Stack) string { return fmt.Sprint(s.Figures.Load.Operations) }},
		{"offered, operations/s", func(s Stack) string { return fmt.Sprintf("%g", s.Figures.Load.OfferedRate) }},
		{"answered OK before any fault, operations/s", func(s Stack) string { return rate(s.Figures.Load.SteadyRate) }},
		{"answered OK over the whole load, operations/s", func(s Stack) string { return rate(s.Figures.Load.AchievedRate) }},
		{"timer error, p50", func(s Stack) string { return p50(s.Figures.Load.TimerError) }},
		{"timer error, p99 / max", func(s Stack) string { return p99AndMax(s.Figures.Load.TimerError) }},
		{"sent after its time by, p50", func(s Stack) string { return p50(s.Figures.Load.SendLateness) }},
		{"sent after its time by, p99 / max", func(s Stack) string { return p99AndMax(s.Figures.Load.SendLateness) }},
		{"counted as late", func(s Stack) string { return late(s.Figures.Load) }},
		{"never sent", func(s Stack) string { return fmt.Sprint(s.Figures.Load.Dropped) }},
		{"CPU of the generator for 1,000 operations", func(s Stack) string { return lasting(s.Cost.GeneratorCPU) }},
		{"the generator's share of all cores", func(s Stack) string { return ofTheMachine(s, func(g *measure.Generator) float64 { return g.CPUShare }) }},
		{"other programs' share of all cores", func(s Stack) string {
			return ofTheMachine(s, func(g *measure.Generator) float64 { return g.OthersShare })
		}},
	} {
		f.add(figureRow{Lead: []string{row.name}, Cells: r.eachCell(func(s Stack) []string { return []string{row.of(s)} })})
	}
	return f
}

func ofTheMachine(s Stack, share func(*measure.Generator) float64) string {
	if s.Figures.Load.Generator == nil {
		return none
	}
	return percent(share(s.Figures.Load.Generator)) + " %"
}

func rate(v *float64) string {
	if v == nil {
		return none
	}
	return fmt.Sprintf("%.1f", *v)
}

func late(l measure.Load) string {
	if l.LateAboveMS == 0 {
		return none
	}
	return fmt.Sprintf("%d (by more than %s ms)", l.Late, millis(l.LateAboveMS))
}

// lasting shows what the system told: 0 is for what it did not.
func lasting(d time.Duration) string {
	if d == 0 {
		return none
	}
	return duration(d)
}

func (r *Results) startFigures() *figures {
	if !r.haveCosts() {
		return nil
	}
	f := r.newFigures("Start and filling", []string{""}, []string{"time"})
	for _, row := range []struct {
		name string
		of   func(Stack) time.Duration
	}{
		{"first exec until all parts are SERVING", func(s Stack) time.Duration { return s.Cost.StartUp }},
		{"filling", func(s Stack) time.Duration { return s.Cost.Preload }},
		{"until all of it shows, after that", func(s Stack) time.Duration { return s.Cost.DrainPreload }},
	} {
		f.add(figureRow{Lead: []string{row.name}, Cells: r.eachCell(func(s Stack) []string { return []string{duration(row.of(s))} })})
	}
	return f
}

// costView is one kind of cost, with a bar for each stack.
type costView struct {
	Name string
	Help string
	Bars []bar
}

// bar is a value; Part is its length, as a percentage of the longest.
type bar struct {
	Stack string
	Text  string
	Part  int
}

func (r *Results) costViews() (all []costView) {
	for _, c := range []struct {
		name, help string
		value      func(Stack) float64
		text       func(Stack) string
	}{
		{"RPCs per operation", "calls that services answered, the user's own included", func(s Stack) float64 { return s.Cost.RPCs },
			func(s Stack) string { return perOperation(s.Cost.RPCs) }},
		{"Messages per operation", "records that reached the broker", func(s Stack) float64 { return s.Cost.Messages },
			func(s Stack) string { return perOperation(s.Cost.Messages) }},
		{"CPU for 1,000 operations", "all processes, over the steady window",
			func(s Stack) float64 { return float64(s.Cost.CPUPerThousand) }, func(s Stack) string { return cpu(s.Cost) }},
		{"Memory", "resident, all processes, after the drain; with the broker", func(s Stack) float64 { return float64(s.Cost.Memory) },
			func(s Stack) string { return size(s.Cost.Memory) }},
	} {
		v := costView{Name: c.name, Help: c.help}
		most := 0.0
		for _, s := range r.Stacks {
			most = max(most, c.value(s))
		}
		for _, s := range r.Stacks {
			v.Bars = append(v.Bars, bar{s.Stack, c.text(s), part(c.value(s), most)})
		}
		if most > 0 {
			all = append(all, v)
		}
	}
	return all
}

func part(value, most float64) int {
	if most == 0 {
		return 0
	}
	return int(100*value/most + 0.5)
}

func perOperation(v float64) string {
	if v == 0 {
		return none
	}
	return fmt.Sprintf("%.2f", v)
}
