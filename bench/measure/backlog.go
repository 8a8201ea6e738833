package measure

import (
	"time"

	"tandem/bench/history"
)

// Backlog is what was acknowledged and did not show yet at one moment.
type Backlog struct {
	AtMS     float64 `json:"at_ms"` // run time
	Waiting  int     `json:"waiting"`
	OldestMS float64 `json:"oldest_ms"` // how long ago the oldest of them was acknowledged; 0 if none waits
}

// wait is the time of one write from its acknowledgement until it showed.
type wait struct{ from, to time.Duration }

// backlog counts, every 100 ms from the start of the load until the drain, the writes of the load that wait to show. The effect
// of a later change of the same thing counts as theirs. A write whose effect was never seen waits at no time: TTEMissing counts
// it, and whether it is lost is check's to say.
func (s *subject) backlog() []Backlog {
	waits, end := s.waits()
	steps := []Backlog{}
	at := func(i int) time.Duration { return s.start + time.Duration(i)*bucketLength }
	for i := 0; at(i) <= end; i++ {
		steps = append(steps, Backlog{AtMS: ms(at(i))})
	}
	for _, w := range waits {
		for i := max(0, int((w.from-s.start+bucketLength-1)/bucketLength)); i < len(steps) && at(i) < w.to; i++ {
			steps[i].Waiting++
			steps[i].OldestMS = max(steps[i].OldestMS, ms(at(i)-w.from))
		}
	}
	return steps
}

// waits are the waits of all acknowledged writes of the load, and the end of the last one, of the load, and of the drain.
func (s *subject) waits() (all []wait, end time.Duration) {
	end = max(s.end, s.h.Drained)
	for _, o := range s.load {
		if !o.IsWrite() || o.Outcome != history.OK {
			continue
		}
		at, sight := s.effects.by(o)
		if sight != shown {
			continue
		}
		at = s.readable(o, at)
		all, end = append(all, wait{o.Completed, at}), max(end, at)
	}
	return all, end
}
