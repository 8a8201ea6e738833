package measure

import (
	"time"

	"tandem/bench/history"
)

// Times is how long the operations of one kind took that were intended in a window. Each is null if there are none.
type Times struct {
	// OK is until the answer, over the OK operations: the latency of a read, the TTA of a write. It says little where few succeed.
	OK *Percentiles `json:"ok"`
	// Answer is until any answer, good or bad, or until the client gave up: how long users waited. An operation that had neither when the
	// run ended is left out.
	Answer *Percentiles `json:"answer"`
	// TTE is until the effect of an acknowledged write showed. TTEMissing are those whose effect was never seen: they took longer.
	TTE        *Percentiles `json:"tte,omitempty"`
	TTEMissing int          `json:"tte_missing,omitempty"`
	// Attempts is how often a user sent an operation, on average over those that were sent; 0 if none was.
	Attempts float64 `json:"attempts,omitempty"`
}

// WindowTimes is Times around a fault, in the windows of Windows.
type WindowTimes struct {
	Before Times `json:"before"`
	During Times `json:"during"`
	After  Times `json:"after"`
}

// times measures one kind of operation in a window.
func (s *subject) times(op string, w window) Times {
	var t Times
	var ok, answer, effect []time.Duration
	sent, attempts := 0, 0
	for _, o := range s.in(w) {
		if o.Op != op {
			continue
		}
		if o.Attempts > 0 {
			sent, attempts = sent+1, attempts+o.Attempts
		}
		if o.Completed > 0 {
			answer = append(answer, latency(o))
		}
		if o.Outcome != history.OK {
			continue
		}
		ok = append(ok, latency(o))
		if !o.IsWrite() {
			continue
		}
		switch at, sight := s.shown(o); sight {
		case missing:
			t.TTEMissing++
		case shown:
			effect = append(effect, at-o.Intended)
		}
	}
	t.Attempts = float64(attempts) / float64(max(1, sent))
	t.OK, t.Answer, t.TTE = percentiles(ok), percentiles(answer), percentiles(effect)
	return t
}

func (s *subject) windowTimes(op string, w slot) *WindowTimes {
	return &WindowTimes{Before: s.times(op, w.before), During: s.times(op, w.during), After: s.times(op, w.after)}
}
