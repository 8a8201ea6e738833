package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"tandem/bench/measure"
)

// figures are what is compared of a turn. short is the turn that was mostly starting up.
func (t turn) figures(short turn) []measure.Figure {
	var all []measure.Figure
	for _, percent := range percents() {
		all = append(all, measure.Figure{
			Name: fmt.Sprintf("call p%d", percent), Unit: "ms", Value: new(float64(t.Call[percent]) / float64(time.Millisecond)),
		})
	}
	return append(all, measure.Figure{Name: "CPU per operation", Unit: "µs", Value: t.perOperation(short)})
}

// perOperation is the CPU time in microseconds that one more operation costs; null if that cannot be told.
func (t turn) perOperation(short turn) *float64 {
	more := t.Count - short.Count
	if more <= 0 {
		return nil
	}
	return new(float64((t.CPU - short.CPU).Microseconds()) / float64(more))
}

// contrasts set ghz (A) and the laboratory's generator (B) beside each other, round by round.
func (r *results) contrasts() []measure.Contrast {
	return measure.Paired(figuresOf(r.ghz, r.ghzShort), figuresOf(r.ours, r.oursShort))
}

func figuresOf(turns []turn, short turn) (all [][]measure.Figure) {
	for _, t := range turns {
		all = append(all, t.figures(short))
	}
	return all
}

// print writes the comparison. What the rounds do not tell apart is said to be the same within noise, and not to be equal.
func (r *results) print(w io.Writer) error {
	fmt.Fprintf(w, "GetPost %s, %d a second for %v, %d rounds in turn: medians over the rounds, and their range.\n",
		r.way(), r.set.rate, r.set.length, len(r.ours))
	fmt.Fprintf(w, "GOMAXPROCS of ghz: %d, of tandem: %s.\n\n", r.set.cpus, procs(r.set.procs))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tghz\t\ttandem\t\tratio\t")
	for _, c := range r.contrasts() {
		fmt.Fprintf(t, "%s, %s\t%.3g\t%s\t%.3g\t%s\t%.2f\t%s\n",
			c.Figure, c.Unit, c.A.Median, span(c.A), c.B.Median, span(c.B), c.B.Median/c.A.Median, claim(c))
	}
	fmt.Fprintf(t, "from the intended time p50, ms\tnot told\t\t%.3g\t\t\t\n", r.intended(50))
	fmt.Fprintf(t, "from the intended time p99, ms\tnot told\t\t%.3g\t\t\t\n", r.intended(99))
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nOperations: %d of ghz (%d failed), %d of tandem (%d failed).\n\n",
		count(r.ghz), failed(r.ghz), count(r.ours), failed(r.ours))
	return err
}

// notes say what the numbers are.
func notes(w io.Writer) error {
	_, err := fmt.Fprint(w, "ghz counts a call from where it begins, tandem too in the first rows; only tandem knows when it was to begin.\n"+
		"CPU is user and system time of the whole process less that of a short run, per operation more; tandem's holds the history\n"+
		"that it writes to disk, ghz keeps its results in memory.\n")
	return err
}

// procs is a GOMAXPROCS as it was asked for.
func procs(n int) string {
	if n == 0 {
		return "not set"
	}
	return fmt.Sprint(n)
}

// span is the range of a figure over the rounds.
func span(e measure.Estimate) string {
	low, high := e.Median, e.Median
	for _, v := range e.Values {
		if v != nil {
			low, high = min(low, *v), max(high, *v)
		}
	}
	return fmt.Sprintf("(%.3g–%.3g)", low, high)
}

func claim(c measure.Contrast) string {
	switch {
	case c.Claimed && c.Difference.Median < 0:
		return "tandem is lower"
	case c.Claimed:
		return "ghz is lower"
	case len(c.Difference.Values) < measure.LeastRounds:
		return fmt.Sprintf("too few rounds to tell (%d are needed)", measure.LeastRounds)
	}
	return "no difference beyond noise"
}

// intended is the median over the rounds of a percentile from the intended time, in milliseconds.
func (r *results) intended(percent int) float64 {
	var all []time.Duration
	for _, t := range r.ours {
		all = append(all, t.Intended[percent])
	}
	return float64(ranks(all)[50]) / float64(time.Millisecond)
}

func count(turns []turn) (sum int) {
	for _, t := range turns {
		sum += t.Count
	}
	return sum
}

func failed(turns []turn) (sum int) {
	for _, t := range turns {
		sum += t.Failed
	}
	return sum
}
