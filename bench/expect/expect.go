// Package expect holds what a scenario expects of a run, in the words of the measures, and tells whether it came true. An
// expectation is one line:
//
//	[WINDOW [of fault N]:] FIGURE [of OPERATION] COMPARISON VALUE
//
// for example "during: availability of CreateComment >= 99 %", "recovery < 3 s" or "lost = 0". It knows neither the load nor the
// stacks: it reads figures and a judgement.
package expect

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tandem/bench/check"
	"tandem/bench/measure"
)

// Expectation is one line, understood. Parse makes it.
type Expectation struct {
	Text string `json:"text"`

	window     window
	fault      int // index; 0 is the first
	figure     figure
	op         string // "" for all
	comparison string
	value      float64 // in the figure's own unit
	word       string  // of a figure whose values are words
}

// Run is what an expectation is held against: one stack's part of a run.
type Run struct {
	Figures measure.Report
	Check   check.Result
	// RPCs and Messages are those of each operation in the steady window; 0 if they were not counted.
	RPCs     float64
	Messages float64
}

// Outcome is whether an expectation came true.
type Outcome struct {
	Expectation Expectation `json:"expectation"`
	// Measured is what the run has to say, with its unit; "" if it has nothing to say.
	Measured string `json:"measured"`
	Holds    bool   `json:"holds"`
	// Problem is why the run has nothing to say; then it does not hold.
	Problem string `json:"problem,omitempty"`
	// Open: it does not hold, and what kept the run from a verdict may be the reason.
	Open bool `json:"open,omitempty"`
}

// window is the part of a run that a figure is about.
type window string

// The windows of a fault. A figure that is about none has "".
const (
	before window = "before"
	during window = "during"
	after  window = "after"
	end    window = "end" // the last 2 s of the time after the fault, recovered or not
)

var form = regexp.MustCompile(`^(?:(before|during|after|end)(?: of fault ([0-9]{1,3}))?\s*:\s*)?(.+?)(?: of ([A-Z][A-Za-z]+))?\s*(>=|<=|=|>|<|≥|≤)\s*(.+)$`)

// Parse reads one line. The error says what is wrong, and what there is to choose from.
func Parse(text string) (Expectation, error) {
	parts := form.FindStringSubmatch(strings.TrimSpace(text))
	if parts == nil {
		return Expectation{}, fmt.Errorf("%q: write it as [during:] figure [of Operation] < value, for example %q", text,
			"during: availability of CreateComment >= 99 %")
	}
	e := Expectation{
		Text: strings.TrimSpace(text), window: window(parts[1]), op: parts[4],
		comparison: strings.NewReplacer("≥", ">=", "≤", "<=").Replace(parts[5]),
	}
	if parts[2] != "" {
		n, _ := strconv.Atoi(parts[2]) // the form has digits here
		if n < 1 {
			return Expectation{}, fmt.Errorf("%q: faults are counted from 1", text)
		}
		e.fault = n - 1
	}
	if err := e.choose(strings.TrimSpace(parts[3])); err != nil {
		return Expectation{}, fmt.Errorf("%q: %w", text, err)
	}
	if err := e.readValue(strings.TrimSpace(parts[6])); err != nil {
		return Expectation{}, fmt.Errorf("%q: %w", text, err)
	}
	return e, nil
}

// Fault is the number of the fault that the expectation is about, counted from 1; 0 if it is about none.
func (e Expectation) Fault() int {
	if e.window == "" && !e.figure.ofFault {
		return 0
	}
	return e.fault + 1
}

// Figure is the name of the figure, for example "availability".
func (e Expectation) Figure() string { return e.figure.name }

// Operation is the RPC that the expectation is about; "" if it is about all.
func (e Expectation) Operation() string { return e.op }

// choose finds the figure, and checks that what stands around it goes with it.
func (e *Expectation) choose(name string) error {
	var names []string
	for _, f := range figures() {
		if f.name == name {
			e.figure = f
		}
		names = append(names, f.name)
	}
	f := e.figure
	switch {
	case f.name == "":
		slices.Sort(names)
		return fmt.Errorf("no figure %q: use one of %s", name, strings.Join(names, ", "))
	case f.windowed && e.window == "":
		return fmt.Errorf("say when: before, during or after the fault, or at its end, for example \"during: %s\"", name)
	case e.window != "" && !f.windowed && !f.ofFault && !f.either:
		return fmt.Errorf("%s is about the whole run: leave out %q", name, e.window)
	case e.window == end && f.unit != percent:
		return fmt.Errorf("%s is not measured at the end: use before, during or after", name)
	case e.op != "" && !f.perOp:
		return fmt.Errorf("%s is not counted by operation: leave out \"of %s\"", name, e.op)
	case e.op == "" && f.needsOp:
		return fmt.Errorf("say of which operation, for example \"%s of CreateComment\"", name)
	}
	if _, known := measure.Needs("sync", "", e.op); e.op != "" && !known {
		return fmt.Errorf("no operation %q: use the name of an RPC, for example CreateComment", e.op)
	}
	return nil
}

// readValue reads the number or word to compare with.
func (e *Expectation) readValue(text string) error {
	if len(e.figure.words) > 0 {
		if e.comparison != "=" || !slices.Contains(e.figure.words, text) {
			return fmt.Errorf("%s is a word: use = and one of %s", e.figure.name, strings.Join(e.figure.words, ", "))
		}
		e.word = text
		return nil
	}
	value, err := e.figure.unit.parse(text)
	e.value = value
	return err
}

// unit is how a figure's value is written.
type unit string

const (
	percent unit = "%"
	millis  unit = "ms"
	count   unit = ""
)

func (u unit) parse(text string) (float64, error) {
	switch u {
	case percent:
		number, found := strings.CutSuffix(text, "%")
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if !found || err != nil || !(v >= 0 && v <= 100) {
			return 0, fmt.Errorf("value %q: use a share from 0 %% to 100 %%", text)
		}
		return v, nil
	case millis:
		d, err := time.ParseDuration(strings.ReplaceAll(text, " ", ""))
		if err != nil || d < 0 {
			return 0, fmt.Errorf("value %q: use a time such as 250 ms or 3 s", text)
		}
		return float64(d) / float64(time.Millisecond), nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0) {
		return 0, fmt.Errorf("value %q: use a number from 0 on", text)
	}
	return v, nil
}

func (u unit) format(v float64) string {
	switch u {
	case percent:
		return strconv.FormatFloat(v, 'f', 1, 64) + " %"
	case millis:
		return time.Duration(v * float64(time.Millisecond)).Round(10 * time.Microsecond).String()
	}
	return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
}

// Judge tells whether the expectation came true in a run.
func (e Expectation) Judge(r Run) Outcome {
	o := Outcome{Expectation: e}
	if len(e.figure.words) > 0 {
		o.Measured = e.figure.word(r)
		o.Holds = o.Measured == e.word
		o.Open = !o.Holds && r.Check.Verdict == check.Unknown
		return o
	}
	v, err := e.figure.value(r, e)
	if err != nil {
		o.Problem, o.Open = err.Error(), r.Check.Verdict == check.Unknown
		return o
	}
	o.Measured, o.Holds = e.figure.unit.format(v), e.compare(v)
	o.Open = !o.Holds && r.Check.Verdict == check.Unknown && !(r.Check.OnlyDisturbed() && e.isAgainst(v))
	return o
}

// isAgainst tells whether a value that is not as expected differs in a direction in which no busy machine pushes it.
func (e Expectation) isAgainst(v float64) bool {
	switch e.figure.busy {
	case lowers:
		return v > e.value
	case raises:
		return v < e.value
	}
	return false
}

func (e Expectation) compare(v float64) bool {
	switch e.comparison {
	case ">=":
		return v >= e.value
	case "<=":
		return v <= e.value
	case ">":
		return v > e.value
	case "<":
		return v < e.value
	}
	return v == e.value
}
