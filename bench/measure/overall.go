package measure

import (
	"time"

	"tandem/bench/history"
)

// Overall is a load as a whole, all its operations together: what is asked of a rate.
type Overall struct {
	Operations int `json:"operations"` // intended
	Sent       int `json:"sent"`
	OK         int `json:"ok"`
	// AchievedRate is OK answers a second, over the length of the load.
	AchievedRate float64 `json:"achieved_rate"`
	// Answer is how long OK answers took: latency of reads and time to accept of writes. FromSend is the same from the actual
	// send, without what the load generator was late by. Null without any.
	Answer   *Percentiles `json:"answer"`
	FromSend *Percentiles `json:"from_send"`
	// TTE is the time to effect of the acknowledged writes whose effect was seen; null without any.
	TTE  *Percentiles `json:"tte"`
	Load Load         `json:"load"` // how the generator kept its word
}

// WholeLoad computes the figures of the whole load of a history. It does not change it.
func WholeLoad(h *history.History) Overall {
	s := newSubject(h)
	m := Overall{Operations: len(s.load), Load: s.measureLoad()}
	var answers, calls, effects []time.Duration
	for _, o := range s.load {
		if o.Sent > 0 {
			m.Sent++
		}
		if o.Outcome != history.OK {
			continue
		}
		m.OK++
		answers, calls = append(answers, latency(o)), append(calls, o.Completed-o.Sent)
		if at, sight := s.shown(o); o.IsWrite() && sight == shown {
			effects = append(effects, at-o.Intended)
		}
	}
	if rate := s.okRate(window{s.start, s.end}); rate != nil {
		m.AchievedRate = *rate
	}
	m.Answer, m.FromSend, m.TTE = percentiles(answers), percentiles(calls), percentiles(effects)
	return m
}
