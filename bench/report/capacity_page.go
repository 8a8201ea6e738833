package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"tandem/bench/capacity"
)

//go:embed page/capacity.html.tmpl
var capacityTemplate string

// Page is report.html of the searches: one self-contained file without a script. The knee is drawn, and all numbers stand in
// tables below.
func (c *Capacity) Page() ([]byte, error) {
	t, err := template.New(PageName).Funcs(template.FuncMap{"mark": mark}).Parse(capacityTemplate)
	if err != nil {
		return nil, fmt.Errorf("read the template of the capacity's report: %w", err)
	}
	var page bytes.Buffer
	if err := t.Execute(&page, map[string]any{"View": c.view(), "Style": template.CSS(pageStyle)}); err != nil {
		return nil, fmt.Errorf("make the report: %w", err)
	}
	return page.Bytes(), nil
}

// capacityView is what the page shows, ready to be read.
type capacityView struct {
	Title    string
	Subtitle string
	Stacks   []stackCapacityView
	Contrast string
	Promise  string
	Drawing  kneeDrawing
	Settings []pair
	Machine  []pair
}

type stackCapacityView struct {
	Stack    string
	Known    bool
	Sentence string
	Reason   string
	Tables   []stepRows
}

type stepRows struct {
	Caption string
	Heads   []string
	Rows    []stepRow
}

type stepRow struct {
	Step  int
	Knee  bool
	Cells []string
}

func (c *Capacity) view() capacityView {
	v := capacityView{
		Title: "Tandem: " + c.Name, Subtitle: c.Start.Format(time.RFC1123), Promise: promise(c.Settings.Plan), Drawing: c.drawing(),
		Settings: c.settingPairs(), Machine: (&Results{Machine: c.Machine, Start: c.Start}).machinePairs(),
	}
	for _, x := range c.Contrasts {
		v.Contrast = contrastSentence(x)
	}
	for _, s := range c.Stacks {
		one := stackCapacityView{Stack: s.Stack, Known: s.Known, Sentence: s.sentence(), Reason: s.reason(c.Settings.Plan)}
		for n, r := range s.Searches {
			one.Tables = append(one.Tables, rowsOf(r, fmt.Sprintf("Steps of %s, search %d of %d", s.Stack, n+1, len(s.Searches))))
		}
		v.Stacks = append(v.Stacks, one)
	}
	return v
}

func rowsOf(r capacity.Result, caption string) stepRows {
	heads := stepHeads()
	t := stepRows{Caption: caption, Heads: slices.Concat(heads[:len(heads)-2], []string{"outcome"})}
	for _, i := range byRate(r.Steps) {
		s := r.Steps[i]
		t.Rows = append(t.Rows, stepRow{
			Step: i + 1, Knee: r.Holds != nil && s.Offered == *r.Holds && s.Outcome == capacity.Held,
			Cells: append(stepCells(s), mean(s.Outcome)),
		})
	}
	return t
}

func (c *Capacity) settingPairs() []pair {
	s, p := c.Settings, c.Settings.Plan
	return []pair{
		{"Seed", fmt.Sprint(p.Seed)},
		{"Searches of each stack", fmt.Sprint(s.Repeat)},
		{"Load of a step", fmt.Sprintf("%v, open loop, %s arrivals", p.Length, p.Arrivals)},
		{"Deadline of an operation", p.Deadline.String()},
		{"Rates tried", fmt.Sprintf("from %g to %g operations/s, first %g, to within %g %%", p.Bounds.Least, p.Bounds.Most, p.Bounds.Start, 100*p.Bounds.Precision)},
		{"Filled before the load", fmt.Sprintf("%d posts, %d comments, %d authors, %d subscriptions",
			p.World.Posts, p.World.Comments, p.World.Authors, p.World.Subscriptions)},
		{"Protection level, sync", orNone(s.SyncLevel)},
		{"Protection level, async", orNone(s.AsyncLevel)},
		{"Broker", orNone(s.Broker)},
		{"Acknowledgements of the broker", orNone(s.Acks)},
		{"Databases, synchronous", orNone(s.DBSync)},
		{"GOMAXPROCS of each service", procs(s.Procs)},
		{"GOMAXPROCS of the laboratory", procs(s.OwnProcs)},
	}
}

// The drawing: its size and the room around it, in the units of its view box.
const (
	drawnWidth, drawnHeight = 720, 360
	drawnLeft, drawnRight   = 62, 16
	drawnTop, drawnBottom   = 16, 44
	unansweredMS, fastestMS = 10_000, 0.1 // where a step without answers is drawn; what is faster is drawn here
)

// kneeDrawing is p99 over the offered rate, both on logarithmic scales, with the bound and the knees.
type kneeDrawing struct {
	Width, Height            int
	Left, Right, Top, Bottom float64 // of the plot
	Xs, Ys                   []tick
	Bound                    float64 // y
	BoundText                string
	Lines                    []kneeLine
}

type tick struct {
	At   float64
	Text string
}

// kneeLine is one stack. A knee is drawn where its capacity is, or where it is at least.
type kneeLine struct {
	Stack  string
	Path   string
	Points []kneePoint
	Knee   *tick
}

type kneePoint struct {
	X, Y  float64
	Held  bool
	Title string
}

// scale maps values to places, logarithmically.
type scale struct{ from, to, low, high float64 }

func (s scale) at(v float64) float64 {
	if s.from == s.to {
		return (s.low + s.high) / 2
	}
	part := math.Log(min(max(v, s.from), s.to)/s.from) / math.Log(s.to/s.from)
	return math.Round(10*(s.low+part*(s.high-s.low))) / 10
}

func (c *Capacity) drawing() kneeDrawing {
	bound := float64(c.Settings.Plan.Objective.P99) / float64(time.Millisecond)
	x, y := c.scales(bound)
	d := kneeDrawing{
		Width: drawnWidth, Height: drawnHeight, Left: x.low, Right: x.high, Top: y.high, Bottom: y.low,
		Xs: ticks(x, perSecond), Ys: ticks(y, func(v float64) string { return fmt.Sprintf("%g", v) }),
		Bound: y.at(bound), BoundText: fmt.Sprintf("p99 at most %v", c.Settings.Plan.Objective.P99),
	}
	for _, s := range c.Stacks {
		d.Lines = append(d.Lines, s.line(x, y))
	}
	return d
}

// scales hold all steps and the bound.
func (c *Capacity) scales(bound float64) (x, y scale) {
	rates, times := []float64{}, []float64{bound}
	for _, s := range c.Stacks {
		for _, r := range s.Searches {
			for _, step := range r.Steps {
				rates, times = append(rates, step.Offered), append(times, p99Of(step))
			}
		}
	}
	if len(rates) == 0 {
		rates = []float64{1}
	}
	x = scale{slices.Min(rates) / 1.1, slices.Max(rates) * 1.1, drawnLeft, drawnWidth - drawnRight}
	return x, scale{slices.Min(times) / 1.5, slices.Max(times) * 1.5, drawnHeight - drawnBottom, drawnTop}
}

// p99Of is the p99 of a step's answers, in milliseconds.
func p99Of(s capacity.Step) float64 {
	if s.Answer == nil {
		return unansweredMS
	}
	return max(fastestMS, s.Answer.P99)
}

// ticks are the round values of a scale: 1, 2 and 5 of each power of ten.
func ticks(s scale, text func(float64) string) (all []tick) {
	for decade := math.Pow(10, math.Floor(math.Log10(s.from))); decade <= s.to; decade *= 10 {
		for _, digit := range []float64{1, 2, 5} {
			if v := decade * digit; v >= s.from && v <= s.to {
				all = append(all, tick{s.at(v), text(v)})
			}
		}
	}
	return all
}

// line is the steps of all searches of a stack by rising rate, each a point; the line goes through the median of each rate.
func (s *StackCapacity) line(x, y scale) kneeLine {
	l := kneeLine{Stack: s.Stack}
	byRate := map[float64][]float64{}
	for _, r := range s.Searches {
		for _, step := range r.Steps {
			byRate[step.Offered] = append(byRate[step.Offered], p99Of(step))
			l.Points = append(l.Points, kneePoint{x.at(step.Offered), y.at(p99Of(step)), step.Outcome == capacity.Held,
				fmt.Sprintf("%s: %s/s, p99 %s ms, %s", s.Stack, perSecond(step.Offered), at(step.Answer, 99), mean(step.Outcome))})
		}
	}
	l.Path = path(byRate, x, y)
	if s.Rate != nil {
		least := ""
		if !s.Known {
			least = "≥ "
		}
		l.Knee = &tick{x.at(s.Rate.Median), least + perSecond(s.Rate.Median) + "/s"}
	}
	return l
}

func path(byRate map[float64][]float64, x, y scale) string {
	var rates []float64
	for rate := range byRate {
		rates = append(rates, rate)
	}
	slices.Sort(rates)
	var b strings.Builder
	for i, rate := range rates {
		times := byRate[rate]
		slices.Sort(times)
		fmt.Fprintf(&b, "%s%g %g", map[bool]string{true: "M", false: "L"}[i == 0], x.at(rate), y.at(times[len(times)/2]))
	}
	return b.String()
}
