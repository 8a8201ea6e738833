package report

import (
	"encoding/json"
	"math"

	"tandem/bench/measure"
)

// chartData is what the charts are drawn from. Times are in seconds since the load began, so that both stacks share one axis.
type chartData struct {
	Stacks []chartStack `json:"stacks"`
	Writes []string     `json:"writes"`
	Reads  []string     `json:"reads"`
}

type chartStack struct {
	Name    string                  `json:"name"`
	Length  float64                 `json:"length"`
	Step    float64                 `json:"step"`
	Windows []chartWindow           `json:"windows"`
	Lines   map[string]chartLine    `json:"lines"` // by operation; "" is all
	Shown   map[string]chartShowing `json:"shown"` // by operation; "" is all writes
	Backlog *chartBacklog           `json:"backlog"`
	Curves  map[string]chartTime    `json:"curves"` // by operation
}

// chartWindow is when a part was down: from when that was asked for until it served again.
type chartWindow struct {
	Victim string  `json:"victim"`
	From   float64 `json:"from"`
	To     float64 `json:"to"`
}

// chartLine is a timeline: one value for each step.
type chartLine struct {
	OK     []int   `json:"ok"`
	Failed []int   `json:"failed"`
	P99    []point `json:"p99"` // milliseconds
}

// chartShowing is how long writes took to show: one value for each of its longer steps.
type chartShowing struct {
	Step float64 `json:"step"`
	TTE  []point `json:"tte"` // p99, milliseconds
}

type chartBacklog struct {
	At      []float64 `json:"at"`
	Waiting []int     `json:"waiting"`
	Oldest  []point   `json:"oldest"` // milliseconds
}

// chartTime is the curves of one operation, by measure: pairs of percent and milliseconds.
type chartTime map[string][][2]float64

// point is a number of a chart, or nothing (NaN). Three digits that count are enough to draw, and keep the file small.
type point float64

// MarshalJSON writes null for NaN.
func (p point) MarshalJSON() ([]byte, error) {
	v := float64(p)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(shortened(v))
}

// shortened rounds to three digits that count, and to whole numbers above 100.
func shortened(v float64) float64 {
	if v == 0 {
		return 0
	}
	scale := math.Pow(10, min(6, max(0, 2-math.Floor(math.Log10(math.Abs(v))))))
	return math.Round(v*scale) / scale
}

func (r *Results) chartData() chartData {
	d := chartData{Stacks: []chartStack{}, Writes: r.ops(true), Reads: r.ops(false)}
	for _, s := range r.Stacks {
		d.Stacks = append(d.Stacks, s.chart())
	}
	return d
}

func (s Stack) chart() chartStack {
	start := s.Figures.Load.StartMS
	c := chartStack{
		Name: s.Stack, Length: seconds(s.Figures.Load.EndMS - start), Windows: []chartWindow{},
		Lines: map[string]chartLine{}, Shown: map[string]chartShowing{}, Curves: map[string]chartTime{}, Backlog: backlogOf(s.Figures.Backlog, start),
	}
	for _, f := range s.Figures.Faults {
		if !f.Absent {
			c.Windows = append(c.Windows, windowOf(f, start, s.Figures.Load.EndMS))
		}
	}
	for _, t := range s.Figures.Timelines {
		c.Lines[t.Op] = timelineOf(t.Buckets)
		if len(t.Buckets) > 1 {
			c.Step = seconds(t.Buckets[1].AtMS - t.Buckets[0].AtMS)
		}
	}
	for _, w := range s.Figures.Writes {
		c.Shown[w.Op] = showingOf(w.Steps)
	}
	for _, op := range s.Figures.Ops {
		c.Curves[op.Op] = s.curvesOf(op)
	}
	return c
}

// windowOf is a fault's window. One that was never lifted lasts to the end of the load.
func windowOf(f measure.Fault, start, end float64) chartWindow {
	to := f.LiftedMS
	if to < f.AskedMS {
		to = end
	}
	return chartWindow{faultName(&f), seconds(f.AskedMS - start), seconds(to - start)}
}

// seconds are milliseconds of run time as seconds.
func seconds(ms float64) float64 { return math.Round(ms) / 1000 }

func timelineOf(buckets []measure.Bucket) chartLine {
	l := chartLine{OK: []int{}, Failed: []int{}, P99: []point{}}
	for _, b := range buckets {
		l.OK, l.Failed, l.P99 = append(l.OK, b.OK), append(l.Failed, b.Failed), append(l.P99, pointOf(b.P99MS))
	}
	return l
}

func showingOf(steps []measure.ShowingStep) chartShowing {
	s := chartShowing{TTE: []point{}}
	if len(steps) > 1 {
		s.Step = seconds(steps[1].AtMS - steps[0].AtMS)
	}
	for _, step := range steps {
		s.TTE = append(s.TTE, pointOf(step.TTEP99MS))
	}
	return s
}

func pointOf(v *float64) point {
	if v == nil {
		return point(math.NaN())
	}
	return point(*v)
}

func backlogOf(all []measure.Backlog, start float64) *chartBacklog {
	if len(all) == 0 {
		return nil
	}
	c := &chartBacklog{}
	for _, b := range all {
		c.At = append(c.At, seconds(b.AtMS-start))
		c.Waiting, c.Oldest = append(c.Waiting, b.Waiting), append(c.Oldest, point(b.OldestMS))
	}
	return c
}

// curvesOf are the curves of an operation, or their few points that the percentiles tell if there are none.
func (s Stack) curvesOf(op measure.Op) chartTime {
	t := chartTime{}
	for _, c := range s.Figures.Curves {
		if c.Op != op.Op {
			continue
		}
		for _, p := range c.Points {
			t[c.Measure] = append(t[c.Measure], [2]float64{p.Percent, shortened(p.MS)})
		}
	}
	for name, p := range map[string]*measure.Percentiles{"latency": op.Latency, "tta": op.TTA, "tte": op.TTE} {
		if len(t[name]) == 0 && p != nil {
			t[name] = [][2]float64{{50, p.P50}, {90, p.P90}, {99, p.P99}, {99.9, p.P999}}
		}
	}
	return t
}
