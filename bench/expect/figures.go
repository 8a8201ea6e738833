package expect

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tandem/bench/check"
	"tandem/bench/history"
	"tandem/bench/measure"
)

// figure is one of the measures, as an expectation names it.
type figure struct {
	name     string
	unit     unit
	windowed bool // it is about a window of a fault
	ofFault  bool // it is about a fault, and has no window of its own
	either   bool // it is about a window of a fault, or without one about the steady window
	perOp    bool // it may be asked of one operation
	needsOp  bool // it must be
	busy     push // what a busy machine does to it
	value    func(Run, Expectation) (float64, error)
	words    []string // the values of a figure that is a word, whose value word tells
	word     func(Run) string
}

// push is what a busy machine can do to a figure; "" if that is not known, or both.
type push string

const (
	raises push = "raises" // it takes longer
	lowers push = "lowers" // it succeeds less often; or it is less of what only happens under load
)

// figures are all figures that can be expected.
func figures() []figure {
	all := []figure{
		{name: "availability", unit: percent, windowed: true, perOp: true, busy: lowers, value: availability},
		{name: "degraded answers", unit: percent, windowed: true, perOp: true, value: degraded},
		{name: "recovery", unit: millis, ofFault: true, busy: raises, value: ofFault("recovery",
			func(f measure.Fault) (*float64, string) { return f.RecoveryMS, f.RecoveryProblem })},
		{name: "drain", unit: millis, ofFault: true, busy: raises, value: ofFault("drain",
			func(f measure.Fault) (*float64, string) { return f.DrainMS, f.DrainProblem })},
		{name: "attempts", unit: count, windowed: true, perOp: true, needsOp: true, busy: raises, value: attempts},
		{name: "max TTE", unit: millis, ofFault: true, busy: raises, value: maxTTE},
		{name: "share of TTA in TTE", unit: percent, perOp: true, needsOp: true, value: acceptInEffect},
		{name: "faults not seen", unit: count, value: notSeen},
		{name: "verdict", words: []string{"valid", "invalid", "unknown"}, word: func(r Run) string { return string(r.Check.Verdict) }},
	}
	return slices.Concat(all, answers(), times(), traffic(), counts())
}

// times are percentiles of the steady window, or of one around a fault: "p99 latency", "p50 TTA", ...
func times() (all []figure) {
	for name, t := range map[string]timesOf{
		"latency":     {steady: func(o measure.Op) *measure.Percentiles { return o.Latency }, window: okOf(false)},
		"TTA":         {steady: func(o measure.Op) *measure.Percentiles { return o.TTA }, window: okOf(true)},
		"TTE":         {steady: func(o measure.Op) *measure.Percentiles { return o.TTE }, window: func(_ string, t measure.Times) *measure.Percentiles { return t.TTE }},
		"staleness":   {steady: func(o measure.Op) *measure.Percentiles { return o.Staleness }},
		"answer time": {window: func(_ string, t measure.Times) *measure.Percentiles { return t.Answer }},
	} {
		for p, at := range map[string]func(measure.Percentiles) float64{
			"p50": func(p measure.Percentiles) float64 { return p.P50 },
			"p99": func(p measure.Percentiles) float64 { return p.P99 },
		} {
			all = append(all, figure{
				name: p + " " + name, unit: millis, perOp: true, needsOp: true, busy: raises, value: t.percentile(at),
				either: t.steady != nil && t.window != nil, windowed: t.steady == nil,
			})
		}
	}
	return all
}

// timesOf are where a distribution is found: in the steady window, and in one around a fault. nil: nowhere.
type timesOf struct {
	steady func(measure.Op) *measure.Percentiles
	window func(op string, t measure.Times) *measure.Percentiles
}

// okOf is the time until an OK answer, of writes or of reads.
func okOf(writes bool) func(string, measure.Times) *measure.Percentiles {
	return func(op string, t measure.Times) *measure.Percentiles {
		if history.IsWrite(op) != writes {
			return nil
		}
		return t.OK
	}
}

func (t timesOf) percentile(at func(measure.Percentiles) float64) func(Run, Expectation) (float64, error) {
	return func(r Run, e Expectation) (float64, error) {
		if e.window != "" {
			return t.inWindow(r, e, at)
		}
		for _, op := range r.Figures.Ops {
			if op.Op != e.op {
				continue
			}
			if p := t.steady(op); p != nil {
				return at(*p), nil
			}
			return 0, fmt.Errorf("no %s succeeded in the steady window, or it has no such time", e.op)
		}
		return 0, fmt.Errorf("the load has no %s", e.op)
	}
}

// inWindow is a percentile of a window around a fault. An effect that was never seen took longer than those that were: then only that
// a time is above something can come true.
func (t timesOf) inWindow(r Run, e Expectation, at func(measure.Percentiles) float64) (float64, error) {
	windows, err := windowsOf(r, e)
	if err != nil {
		return 0, err
	}
	if windows.Times == nil {
		return 0, errors.New("this run was measured without times around its faults")
	}
	times := map[window]measure.Times{before: windows.Times.Before, during: windows.Times.During, after: windows.Times.After}[e.window]
	p := t.window(e.op, times)
	if p == nil {
		return 0, fmt.Errorf("no %s has such a time %s the fault", e.op, e.window)
	}
	v := at(*p)
	if above := strings.HasPrefix(e.comparison, ">") && e.compare(v); p == times.TTE && times.TTEMissing > 0 && !above {
		return 0, fmt.Errorf("the effects of %d acknowledged writes were never seen", times.TTEMissing)
	}
	return v, nil
}

// answers are how many comments were told in their answer what became of them: of all that were accepted, and of those that must be
// rejected.
func answers() []figure {
	share := func(part, all func(measure.Op) int) func(Run, Expectation) (float64, error) {
		return func(r Run, _ Expectation) (float64, error) {
			for _, op := range r.Figures.Ops {
				if op.Op == "CreateComment" && all(op) > 0 {
					return 100 * float64(part(op)) / float64(all(op)), nil
				}
			}
			return 0, errors.New("there was no such comment")
		}
	}
	return []figure{
		{name: "decided in the answer", unit: percent, value: share(
			func(o measure.Op) int { return o.Decided }, func(o measure.Op) int { return o.OK })},
		{name: "rejected in the answer", unit: percent, value: share(
			func(o measure.Op) int { return o.Refused }, func(o measure.Op) int { return o.Blocked })},
	}
}

// attempts is how often users sent an operation, on average: with those of a retrying client.
func attempts(r Run, e Expectation) (float64, error) {
	windows, err := windowsOf(r, e)
	if err != nil {
		return 0, err
	}
	if windows.Times == nil {
		return 0, errors.New("this run was measured without times around its faults")
	}
	of := map[window]measure.Times{before: windows.Times.Before, during: windows.Times.During, after: windows.Times.After}[e.window]
	if of.Attempts == 0 {
		return 0, fmt.Errorf("no %s was sent %s the fault", e.op, e.window)
	}
	return of.Attempts, nil
}

// traffic is what the stack said for each operation, in the steady window.
func traffic() (all []figure) {
	for name, of := range map[string]func(Run) float64{
		"rpcs per operation":     func(r Run) float64 { return r.RPCs },
		"messages per operation": func(r Run) float64 { return r.Messages },
	} {
		all = append(all, figure{name: name, unit: count, value: func(r Run, _ Expectation) (float64, error) {
			if r.RPCs == 0 { // even an operation that calls nobody is a call
				return 0, errors.New("calls and messages were not counted in this run")
			}
			return of(r), nil
		}})
	}
	return all
}

// acceptInEffect is the median time to accept as a share of the median time to effect: how much of the way to its effect a write is
// when its user is answered.
func acceptInEffect(r Run, e Expectation) (float64, error) {
	for _, op := range r.Figures.Ops {
		if op.Op == e.op && op.TTA != nil && op.TTE != nil && op.TTE.P50 > 0 {
			return 100 * op.TTA.P50 / op.TTE.P50, nil
		}
	}
	return 0, fmt.Errorf("no %s succeeded in the steady window, or it has no such times", e.op)
}

// counts are the figures of the checker's account.
func counts() (all []figure) {
	for name, of := range map[string]func(check.Figures) int{
		"lost":                         func(f check.Figures) int { return f.Lost.Store.Count + f.Lost.ReadModel.Count + f.Lost.Log.Count },
		"lost in the store":            func(f check.Figures) int { return f.Lost.Store.Count },
		"lost in the log":              func(f check.Figures) int { return f.Lost.Log.Count },
		"lost in the read model":       func(f check.Figures) int { return f.Lost.ReadModel.Count },
		"duplicated":                   func(f check.Figures) int { return f.Duplicated.Store.Count + f.Duplicated.ReadModel.Count },
		"unexpected":                   func(f check.Figures) int { return f.Unexpected.Store.Count + f.Unexpected.ReadModel.Count },
		"counter drift":                func(f check.Figures) int { return f.CounterDrift.Count },
		"wrong status":                 func(f check.Figures) int { return f.WrongStatus.Count },
		"wrong text":                   func(f check.Figures) int { return f.WrongText.Count },
		"unknown writes":               func(f check.Figures) int { return f.Unknown.Count },
		"unknown writes that happened": func(f check.Figures) int { return f.Recovered.Count },
		"half done":                    func(f check.Figures) int { return f.HalfDone.Count },
		"dead letters":                 func(f check.Figures) int { return f.DeadLetters.Count },
		"stale reads":                  func(f check.Figures) int { return f.Stale.Count },
		"read-your-writes violations":  func(f check.Figures) int { return f.ReadYourWrites.Count },
		"read-your-writes violations at the owner": func(f check.Figures) int { return f.ReadYourWritesAtOwner.Count },
		"read-your-writes violations on pages":     func(f check.Figures) int { return f.ReadYourWrites.Count - f.ReadYourWritesAtOwner.Count },
		"monotonic-reads violations":               func(f check.Figures) int { return f.MonotonicReads.Count },
		"passed over":                              func(f check.Figures) int { return f.PassedOver.Count },
		"repeated effects":                         func(f check.Figures) int { return f.Effects.Repeated.Count },
		"reordered effects":                        func(f check.Figures) int { return f.Effects.Reordered.Count },
		"repeated records":                         func(f check.Figures) int { return f.Log.Repeated.Count },
	} {
		busy := lowers
		if slices.Contains(ofTimeouts(), name) {
			busy = raises
		}
		all = append(all, figure{name: name, unit: count, busy: busy, value: func(r Run, _ Expectation) (float64, error) {
			return float64(of(r.Check.Figures)), nil
		}})
	}
	return all
}

// ofTimeouts are the counts that grow where answers, retries or consumers are late. No other count does.
func ofTimeouts() []string {
	return []string{
		"unknown writes", "half done", "stale reads", "read-your-writes violations", "monotonic-reads violations", "repeated records",
	}
}

// faultOf returns the fault that an expectation is about.
func faultOf(r Run, e Expectation) (measure.Fault, error) {
	if e.fault >= len(r.Figures.Faults) {
		return measure.Fault{}, fmt.Errorf("the run has %d faults, and not %d", len(r.Figures.Faults), e.fault+1)
	}
	return r.Figures.Faults[e.fault], nil
}

func ofFault(what string, of func(measure.Fault) (*float64, string)) func(Run, Expectation) (float64, error) {
	return func(r Run, e Expectation) (float64, error) {
		f, err := faultOf(r, e)
		if err != nil {
			return 0, err
		}
		v, problem := of(f)
		switch {
		case v != nil:
			return *v, nil
		case f.Absent:
			return 0, fmt.Errorf("the stack has no %s, and so no %s", f.Victim, what)
		case problem != "":
			return 0, fmt.Errorf("%s", problem)
		}
		return 0, fmt.Errorf("the run has no %s", what)
	}
}

// notSeen counts the faults that no probe has seen in effect. Those that a stack has no part for are none of them.
func notSeen(r Run, _ Expectation) (n float64, _ error) {
	for _, f := range r.Figures.Faults {
		if !f.Absent && f.InEffectMS == 0 {
			n++
		}
	}
	return n, nil
}

// maxTTE is at least that of the effects that were seen. One that was never seen took longer, nobody knows how long: then only that it
// is above a time can come true.
func maxTTE(r Run, e Expectation) (float64, error) {
	v, err := ofFault("time to effect", func(f measure.Fault) (*float64, string) { return f.MaxTTEMS, "no effect was seen" })(r, e)
	if err != nil {
		return 0, err
	}
	missing := r.Figures.Faults[e.fault].TTEMissing
	if above := strings.HasPrefix(e.comparison, ">") && e.compare(v); missing > 0 && !above {
		return 0, fmt.Errorf("the effects of %d acknowledged writes were never seen", missing)
	}
	return v, nil
}

// windowsOf returns what was measured around the fault that an expectation is about, of its operation.
func windowsOf(r Run, e Expectation) (measure.Windows, error) {
	f, err := faultOf(r, e)
	if err != nil || e.op == "" {
		return f.Total, err
	}
	for _, w := range f.Ops {
		if w.Op == e.op {
			return w, nil
		}
	}
	return measure.Windows{}, fmt.Errorf("the load has no %s", e.op)
}

// availabilityIn returns the availability in the window that an expectation is about.
func availabilityIn(r Run, e Expectation) (measure.Availability, error) {
	windows, err := windowsOf(r, e)
	if err != nil {
		return measure.Availability{}, err
	}
	a := map[window]measure.Availability{
		before: windows.Before, during: windows.During, after: windows.After, end: windows.End,
	}[e.window]
	if a.Share == nil {
		return a, fmt.Errorf("nothing was due %s the fault, or there was no such time", e.window)
	}
	return a, nil
}

func availability(r Run, e Expectation) (float64, error) {
	a, err := availabilityIn(r, e)
	if err != nil {
		return 0, err
	}
	return 100 * *a.Share, nil
}

func degraded(r Run, e Expectation) (float64, error) {
	a, err := availabilityIn(r, e)
	if err != nil {
		return 0, err
	}
	return 100 * float64(a.Degraded) / float64(a.Intended), nil
}
