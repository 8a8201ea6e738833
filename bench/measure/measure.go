// Package measure computes a run's figures from its history alone: how long answers and effects took, what was available
// while a part was broken, and how long it took to be well again. It is pure, and one definition for both stacks. It gives no
// verdict: that is check's.
//
// All times count from an operation's intended send time, so that a stall counts against the system. All times of a report
// are in milliseconds; those that name a moment count from the start of the run. A value that cannot be known is null.
package measure

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"tandem/bench/history"
)

// Report is all figures of a run.
type Report struct {
	Stack     string     `json:"stack"`
	Load      Load       `json:"load"`
	Ops       []Op       `json:"ops"`    // by name
	Faults    []Fault    `json:"faults"` // in the order of the run
	Timelines []Timeline `json:"timelines"`
	Writes    []Showing  `json:"writes"`  // how writes were accepted and showed over time: of all, then of each by name
	Curves    []Curve    `json:"curves"`  // by operation and measure
	Backlog   []Backlog  `json:"backlog"` // in steps of 100 ms, from the start of the load until the drain
	// Witness is how well the effects that were told agree with what readers saw; null if nobody read back.
	Witness *Witness `json:"witness"`
}

// Load is how the load generator kept its word.
type Load struct {
	StartMS     float64 `json:"start_ms"`
	EndMS       float64 `json:"end_ms"`
	SteadyEndMS float64 `json:"steady_end_ms"` // of the steady window, which begins with the load; see history.SteadyEnd
	Operations  int     `json:"operations"`    // intended
	Dropped     int     `json:"dropped"`       // never sent
	// OfferedRate is operations a second as the run was asked for.
	OfferedRate float64 `json:"offered_rate"`
	// AchievedRate is OK answers a second over the whole load; SteadyRate those to operations intended in the steady window;
	// null if the window is empty.
	AchievedRate *float64 `json:"achieved_rate"`
	SteadyRate   *float64 `json:"steady_rate"`
	// TimerError is how long after its intended time the generator woke up for an operation. SendLateness is how long after it the
	// operation was sent: the timer error, and the time until it got the processor. Null if none is known.
	TimerError   *Percentiles `json:"timer_error"`
	SendLateness *Percentiles `json:"send_lateness"`
	// Late are the operations that were sent more than LateAboveMS after their intended time.
	Late        int     `json:"late"`
	LateAboveMS float64 `json:"late_above_ms"`
	// Generator is what the load generator used; null if the history does not tell.
	Generator *Generator `json:"generator"`
}

// Generator is what the load took of the machine, each as a share of the CPU time that all cores together have, from 0 to 1.
type Generator struct {
	CPUShare    float64 `json:"cpu_share"`    // of the laboratory's own process, while it sent the load
	OthersShare float64 `json:"others_share"` // of programs that are neither the stack's nor the laboratory; 0 where the system does not tell
	Cores       int     `json:"cores"`
}

// Op is the figures of one operation.
type Op struct {
	Op    string `json:"op"`
	Write bool   `json:"write"`
	// Count is how many were intended in the load. OK, Failed and Unknown are its parts, by outcome.
	Count   int `json:"count"`
	OK      int `json:"ok"`
	Failed  int `json:"failed"`
	Unknown int `json:"unknown"`
	// Degraded are those of OK whose answer was less than asked for, and said so.
	Degraded int `json:"degraded,omitempty"`

	// Decided are those of OK, of CreateComment, whose answer said what became of the comment: APPROVED or REJECTED. Blocked are those
	// of OK whose text must be rejected, and Refused those of Blocked whose answer said so.
	Decided int `json:"decided,omitempty"`
	Blocked int `json:"blocked,omitempty"`
	Refused int `json:"refused,omitempty"`

	// Steady is the availability in the steady window. The percentiles below are over the OK operations only, so they say
	// little where this is not 1.
	Steady Availability `json:"steady"`

	// Latency of a read, and TTA (time to accept) of a write: until the answer, over the OK operations intended in the steady
	// window. Null if there were none.
	Latency *Percentiles `json:"latency,omitempty"`
	TTA     *Percentiles `json:"tta,omitempty"`

	// TTE (time to effect) of a write: until it shows on query's pages, over the acknowledged ones whose effect was seen, in the
	// steady window and over the whole load.
	TTE      *Percentiles `json:"tte,omitempty"`
	TTEWhole *Percentiles `json:"tte_whole_run,omitempty"`
	// Staleness is TTE − TTA of each write. In sync the effect comes with the commit, a little before the answer: what would be
	// below 0 counts as 0.
	Staleness      *Percentiles `json:"staleness,omitempty"`
	StalenessWhole *Percentiles `json:"staleness_whole_run,omitempty"`
	// TTEMissing are acknowledged writes of the load whose effect was never seen. TTEUnchanged are those that asked for what was
	// so already, and so had no effect to wait for.
	TTEMissing   int `json:"tte_missing"`
	TTEUnchanged int `json:"tte_unchanged"`
}

// subject is a history prepared for measuring.
type subject struct {
	h       *history.History
	load    []*history.Operation // by intended time
	ops     []string             // the names of the load's operations, sorted
	effects *effects
	start   time.Duration
	end     time.Duration
	steady  window
}

// Measure computes the figures of a history. It does not change it.
func Measure(h *history.History) Report {
	s := newSubject(h)
	r := Report{
		Stack: h.Header.Stack, Load: s.measureLoad(), Ops: []Op{}, Faults: []Fault{}, Timelines: s.timelines(),
		Writes: s.showings(), Curves: []Curve{}, Backlog: s.backlog(), Witness: s.witness(),
	}
	for _, op := range s.ops {
		m, curves := s.measureOp(op)
		r.Ops, r.Curves = append(r.Ops, m), append(r.Curves, curves...)
	}
	for i := range h.Faults {
		r.Faults = append(r.Faults, s.measureFault(i))
	}
	return r
}

func newSubject(h *history.History) *subject {
	s := &subject{h: h, load: h.Load(), effects: newEffects(h), start: h.LoadStart(), end: h.LoadEnd()}
	s.steady = window{s.start, h.SteadyEnd()}
	slices.SortStableFunc(s.load, func(a, b *history.Operation) int { return cmp.Compare(a.Intended, b.Intended) })
	for _, o := range s.load {
		s.ops = append(s.ops, o.Op)
	}
	slices.Sort(s.ops)
	s.ops = slices.Compact(s.ops)
	return s
}

// measureLoad computes how the load went.
func (s *subject) measureLoad() Load {
	l := Load{
		StartMS: ms(s.start), EndMS: ms(s.end), SteadyEndMS: ms(s.steady.to),
		Operations: len(s.load), OfferedRate: s.h.Header.OfferedRate,
		AchievedRate: s.okRate(window{s.start, s.end}), SteadyRate: s.okRate(s.steady),
		LateAboveMS: ms(lateAbove), Generator: generatorOf(s.h.Generator),
	}
	s.measureSending(&l)
	return l
}

// lateAbove is from when on an operation was sent late: the precision that TTE promises. Latency counts from the intended time, so
// what is late is in the figures, but there it is the generator's doing and not the stack's.
const lateAbove = 5 * time.Millisecond

// measureSending computes how punctual the generator was.
func (s *subject) measureSending(l *Load) {
	var woken, sent []time.Duration
	for _, o := range s.load {
		if o.Woken > 0 {
			woken = append(woken, o.Woken-o.Intended)
		}
		if o.Sent == 0 {
			l.Dropped++
			continue
		}
		sent = append(sent, o.Sent-o.Intended)
		if o.Sent-o.Intended > lateAbove {
			l.Late++
		}
	}
	l.TimerError, l.SendLateness = percentiles(woken), percentiles(sent)
}

func generatorOf(g *history.Generator) *Generator {
	if g == nil || g.Wall <= 0 || g.Cores <= 0 {
		return nil
	}
	all := g.Wall.Seconds() * float64(g.Cores)
	return &Generator{CPUShare: g.CPU.Seconds() / all, OthersShare: g.Stolen.Seconds() / all, Cores: g.Cores}
}

// okRate is the OK answers a second to the operations intended in a window.
func (s *subject) okRate(w window) *float64 {
	if w.length() <= 0 {
		return nil
	}
	ok := 0
	for _, o := range s.in(w) {
		if o.Outcome == history.OK {
			ok++
		}
	}
	return new(float64(ok) / w.length().Seconds())
}

// measureOp computes the figures and the curves of one operation.
func (s *subject) measureOp(op string) (Op, []Curve) {
	m := Op{Op: op, Write: history.IsWrite(op), Steady: s.availability(op, s.steady)}
	var steady, whole samples
	for _, o := range s.load {
		if o.Op != op {
			continue
		}
		m.countOutcome(o)
		if o.Outcome != history.OK {
			continue
		}
		one := s.sample(&m, o)
		whole.add(one)
		if s.steady.holds(o.Intended) {
			steady.add(one)
		}
	}
	m.describe(steady, whole)
	return m, m.curves(steady)
}

// samples are the durations of an operation, each list with what is known of it.
type samples struct{ answer, effect, staleness []time.Duration }

func (s *samples) add(more samples) {
	s.answer = append(s.answer, more.answer...)
	s.effect = append(s.effect, more.effect...)
	s.staleness = append(s.staleness, more.staleness...)
}

// sample measures one operation that succeeded.
func (s *subject) sample(m *Op, o *history.Operation) samples {
	one := samples{answer: []time.Duration{latency(o)}}
	if !m.Write {
		return one
	}
	switch at, sight := s.shown(o); sight {
	case missing:
		m.TTEMissing++
	case unchanged:
		m.TTEUnchanged++
	case shown:
		one.effect = []time.Duration{at - o.Intended}
		one.staleness = []time.Duration{at - o.Completed}
	}
	return one
}

func (m *Op) countOutcome(o *history.Operation) {
	m.Count++
	switch o.Outcome {
	case history.OK:
		m.OK++
		m.countAnswer(o)
	case history.Fail:
		m.Failed++
	default:
		m.Unknown++
	}
}

// countAnswer counts what an OK answer said.
func (m *Op) countAnswer(o *history.Operation) {
	if o.Degraded {
		m.Degraded++
	}
	if o.Op != "CreateComment" {
		return
	}
	if o.Status == "APPROVED" || o.Status == "REJECTED" {
		m.Decided++
	}
	if o.Blocked {
		m.Blocked++
		if o.Status == "REJECTED" {
			m.Refused++
		}
	}
}

func (m *Op) describe(steady, whole samples) {
	if !m.Write {
		m.Latency = percentiles(steady.answer)
		return
	}
	m.TTA = percentiles(steady.answer)
	m.TTE, m.TTEWhole = percentiles(steady.effect), percentiles(whole.effect)
	m.Staleness, m.StalenessWhole = percentiles(steady.staleness), percentiles(whole.staleness)
}

// Comparable returns nil if two runs had the same work under the same terms, so that their figures may stand side by side, and
// otherwise an error that names every difference.
func Comparable(a, b *history.History) error {
	var differ []error
	for _, x := range []struct {
		what string
		a, b any
	}{
		{"seed", a.Header.Seed, b.Header.Seed},
		{"schedule of operations", a.Header.Schedule, b.Header.Schedule},
		{"deadline", a.Header.Deadline, b.Header.Deadline},
		{"offered rate", a.Header.OfferedRate, b.Header.OfferedRate},
		{"length of the load", a.Header.Length, b.Header.Length},
	} {
		if x.a != x.b {
			differ = append(differ, fmt.Errorf("the %s differs: %v and %v", x.what, x.a, x.b))
		}
	}
	if len(differ) == 0 {
		return nil
	}
	return fmt.Errorf("the two runs cannot be compared, run both with the same settings: %w", errors.Join(differ...))
}
