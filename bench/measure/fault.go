package measure

import (
	"math"
	"slices"
	"time"

	"tandem/bench/history"
)

// What decides about a fault's figures.
const (
	beforeAtMost     = 3 * time.Second // how far the window before a fault reaches back
	endAtMost        = 2 * time.Second // how long the end of a fault's slot is
	recoveredFor     = time.Second     // how long availability must be back
	surpriseAbove    = 0.05 + 1e-9     // difference between measured and predicted availability; 1 of 20 is no surprise
	surpriseAtLeast  = 5               // samples, or chance decides
	predictedWorking = 1.0
	predictedBroken  = 0.0
)

// Fault is what one fault did.
type Fault struct {
	Name   string `json:"name"`
	Victim string `json:"victim"`
	// Absent is true if the stack has no such part: its window is a control.
	Absent      bool    `json:"absent,omitempty"`
	AskedMS     float64 `json:"asked_ms"`
	InEffectMS  float64 `json:"in_effect_ms"`
	LiftAskedMS float64 `json:"lift_asked_ms"`
	LiftedMS    float64 `json:"lifted_ms"`
	EndMS       float64 `json:"end_ms"`

	Total Windows   `json:"total"` // all operations together
	Ops   []Windows `json:"ops"`   // by name
	// BlastRadius is this victim's row of the matrix: one cell for each operation of the load, by name.
	BlastRadius []Cell `json:"blast_radius"`

	// RecoveryMS is how long after the lift was asked for availability was back at its level of before, for 1 s; null if it was
	// not, or cannot be known, and RecoveryProblem says why.
	RecoveryMS      *float64 `json:"recovery_ms"`
	RecoveryProblem string   `json:"recovery_problem,omitempty"`
	// DrainMS is how long after the lift was asked for the last of the backlog had its effect: the DrainWrites writes intended
	// since the fault was asked for and acknowledged before the lift was. 0 if nothing was left; null if one has no effect, and
	// DrainProblem says so.
	DrainMS      *float64 `json:"drain_ms"`
	DrainWrites  int      `json:"drain_writes"`
	DrainProblem string   `json:"drain_problem,omitempty"`
	// MaxTTEMS is the longest time to effect of the acknowledged writes intended during the fault; null if none was seen.
	// TTEMissing are those whose effect was never seen.
	MaxTTEMS   *float64 `json:"max_tte_ms"`
	TTEMissing int      `json:"tte_missing"`
}

// Availability is OK answers within the deadline ÷ operations intended in a window.
type Availability struct {
	Share    *float64 `json:"share"` // 0 to 1; null if nothing was intended
	OK       int      `json:"ok"`
	Intended int      `json:"intended"`
	// Degraded are those of OK whose answer was less than asked for, and said so.
	Degraded int `json:"degraded,omitempty"`
}

// Windows is the availability around a fault, by intended time: before is the up to 3 s before the fault was asked for that
// belong to no other fault; during, from when it was seen in effect until the lift was asked for; after, from the recovery to
// the end of the fault's slot (empty without a recovery); end, the last up to 2 s of the slot since the lift was asked for, recovered
// or not.
type Windows struct {
	Op     string       `json:"op,omitempty"` // empty: all
	Before Availability `json:"before"`
	During Availability `json:"during"`
	After  Availability `json:"after"`
	End    Availability `json:"end"`
	// Times is how long the operation took in the same windows; null for all together, and in results of an older tandem.
	Times *WindowTimes `json:"times,omitempty"`
}

// Cell is the availability of an operation during a fault, beside what the dependency graph predicts.
type Cell struct {
	Op           string   `json:"op"`
	Availability *float64 `json:"availability"` // null without samples
	Samples      int      `json:"samples"`
	// Predicted is, if the fault takes a whole part away, 0 if the operation needs it and 1 if not. Otherwise it is composed from what the
	// single services did in the same time, with the 95 % interval PredictedLow to PredictedHigh. Null if the graph does not know the
	// operation, or a service that it needs was not measured alone.
	Predicted     *float64 `json:"predicted"`
	PredictedLow  *float64 `json:"predicted_low,omitempty"`
	PredictedHigh *float64 `json:"predicted_high,omitempty"`
	// Surprise: measured and predicted differ by more than 0.05, over at least 5 samples, and where there are intervals these are
	// apart. A call that is in flight when the victim dies belongs to the time before the fault was in effect, and is in no cell.
	Surprise bool `json:"surprise"`
	// P50MS is how long the operation took, over its OK answers within the deadline, and PredictedP50MS what follows from the single services.
	// SlowSurprise: they differ by more than 5 ms, and their 95 % intervals are apart. Null as Predicted, and with fewer than 5.
	P50MS          *float64 `json:"p50_ms,omitempty"`
	PredictedP50MS *float64 `json:"predicted_p50_ms,omitempty"`
	SlowSurprise   bool     `json:"slow_surprise,omitempty"`
}

// takesDown tells whether a kind of fault takes a part away, so that nothing that needs it can work.
func takesDown(kind string) bool {
	return slices.Contains([]string{"kill", "stop", "pause", "rebuild", "crash", "zombie"}, kind)
}

// window is a span of run time, its end excluded.
type window struct{ from, to time.Duration }

func (w window) holds(t time.Duration) bool { return w.from <= t && t < w.to }
func (w window) length() time.Duration      { return w.to - w.from }

// in returns the operations of the load that were intended in a window.
func (s *subject) in(w window) []*history.Operation {
	from := s.firstFrom(w.from)
	return s.load[from:max(from, s.firstFrom(w.to))]
}

// firstFrom is the index of the first operation intended at t or later.
func (s *subject) firstFrom(t time.Duration) int {
	i, _ := slices.BinarySearchFunc(s.load, t, func(o *history.Operation, t time.Duration) int {
		if o.Intended < t {
			return -1
		}
		return 1 // an equal one too: the first of several is wanted
	})
	return i
}

// available tells whether an operation counts as a success for its user.
func (s *subject) available(o *history.Operation) bool {
	return o.Outcome == history.OK && o.Completed-o.Intended <= s.h.Header.Deadline
}

// availability of an operation, or of all if op is empty, in a window.
func (s *subject) availability(op string, w window) Availability {
	var a Availability
	for _, o := range s.in(w) {
		if op != "" && o.Op != op {
			continue
		}
		a.Intended++
		if s.available(o) {
			a.OK++
			if o.Degraded {
				a.Degraded++
			}
		}
	}
	if a.Intended > 0 {
		a.Share = new(float64(a.OK) / float64(a.Intended))
	}
	return a
}

// slot is the times of a fault and what follows from them. A window that a fault never reached is empty.
type slot struct{ before, during, after, end window }

// slotOf computes the windows of fault i; recovered is when availability was back, or nil.
func (s *subject) slotOf(i int, recovered *time.Duration) slot {
	f := s.h.Faults[i]
	from := max(f.Asked-beforeAtMost, s.start)
	if i > 0 {
		from = max(from, s.h.Faults[i-1].End)
	}
	w := slot{before: window{from, max(from, f.Asked)}}
	if f.InEffect > 0 && f.LiftAsked > 0 {
		w.during = window{f.InEffect, f.LiftAsked}
	}
	if end := s.slotEnd(f); f.LiftAsked > 0 {
		w.end = window{min(max(f.LiftAsked, end-endAtMost), end), end}
	}
	if recovered != nil {
		w.after = window{*recovered, s.slotEnd(f)}
	}
	return w
}

// slotEnd is when a fault's slot ends; at the latest with the load.
func (s *subject) slotEnd(f history.Fault) time.Duration {
	if f.End == 0 {
		return s.end
	}
	return min(f.End, s.end)
}

// measureFault computes the figures of fault i.
func (s *subject) measureFault(i int) Fault {
	f := s.h.Faults[i]
	m := Fault{
		Name: f.Name, Victim: f.Victim, Absent: f.Absent, AskedMS: ms(f.Asked), InEffectMS: ms(f.InEffect),
		LiftAskedMS: ms(f.LiftAsked), LiftedMS: ms(f.Lifted), EndMS: ms(f.End),
	}
	recovered, problem := s.recovery(f, s.availability("", s.slotOf(i, nil).before))
	m.RecoveryProblem = problem
	if recovered != nil {
		m.RecoveryMS = new(ms(*recovered - f.LiftAsked))
	}
	w := s.slotOf(i, recovered)
	m.Total = s.windows("", w)
	for _, op := range s.ops {
		of := s.windows(op, w)
		of.Times = s.windowTimes(op, w)
		m.Ops = append(m.Ops, of)
		m.BlastRadius = append(m.BlastRadius, s.cell(of, f, w.during))
	}
	s.measureDrain(&m, f)
	s.measureTTEDuring(&m, w.during)
	return m
}

func (s *subject) windows(op string, w slot) Windows {
	return Windows{
		Op: op, Before: s.availability(op, w.before), During: s.availability(op, w.during), After: s.availability(op, w.after),
		End: s.availability(op, w.end),
	}
}

// cell compares the availability during a fault with the dependency graph.
func (s *subject) cell(w Windows, f history.Fault, during window) Cell {
	c := Cell{Op: w.Op, Availability: w.During.Share, Samples: w.During.Intended}
	if !takesDown(f.Name) {
		s.addPrediction(&c, f, during)
		return c
	}
	needed, known := s.needs(w.Op)
	if !known {
		return c
	}
	c.Predicted = new(predictedWorking)
	if slices.Contains(needed, f.Victim) {
		c.Predicted = new(predictedBroken)
	}
	c.Surprise = c.Samples >= surpriseAtLeast && math.Abs(*c.Availability-*c.Predicted) > surpriseAbove
	return c
}

// recovery finds the first intended time from which on availability was at its level of before for a whole second within the
// fault's slot; otherwise it says why there is none.
func (s *subject) recovery(f history.Fault, before Availability) (at *time.Duration, problem string) {
	switch {
	case f.Absent: // nothing was done, so there is nothing to get over
		return nil, ""
	case f.LiftAsked == 0:
		return nil, "the lift of the fault was never asked for"
	case before.Share == nil:
		return nil, "no operations were due before the fault, so its level of before is not known"
	}
	end := s.slotEnd(f)
	for _, o := range s.in(window{f.LiftAsked, end}) {
		second := window{o.Intended, o.Intended + recoveredFor}
		if second.to > end {
			break
		}
		if now := s.availability("", second); *now.Share >= *before.Share {
			return &o.Intended, ""
		}
	}
	return nil, "availability was not back at its level of before for 1 s by the end of the fault's slot"
}

// measureDrain finds when the last of a fault's backlog had its effect.
func (s *subject) measureDrain(m *Fault, f history.Fault) {
	if f.Absent {
		return
	}
	if f.LiftAsked == 0 {
		m.DrainProblem = "the lift of the fault was never asked for"
		return
	}
	var last time.Duration
	for _, o := range s.in(window{f.Asked, f.LiftAsked}) {
		if !o.IsWrite() || o.Outcome != history.OK || o.Completed >= f.LiftAsked {
			continue
		}
		at, sight := s.effects.by(o)
		if sight == missing {
			m.DrainProblem = "an acknowledged write has no effect that was seen"
			return
		}
		m.DrainWrites++
		last = max(last, s.readable(o, at))
	}
	m.DrainMS = new(ms(max(0, last-f.LiftAsked)))
}

// measureTTEDuring finds how long the writes of a fault's window took to show.
func (s *subject) measureTTEDuring(m *Fault, during window) {
	for _, o := range s.in(during) {
		if !o.IsWrite() || o.Outcome != history.OK {
			continue
		}
		switch at, sight := s.shown(o); sight {
		case missing:
			m.TTEMissing++
		case shown:
			tte := ms(at - o.Intended)
			if m.MaxTTEMS == nil || tte > *m.MaxTTEMS {
				m.MaxTTEMS = &tte
			}
		}
	}
}
