package measure

import (
	"slices"
	"time"

	"tandem/bench/history"
)

// showingLength is the step of Showing: of the rarest write there should be several in each.
const showingLength = 500 * time.Millisecond

// Showing is how long the writes of one operation took to be accepted and to show, over the load, in steps of 500 ms of intended
// time from the load's start; steps without writes are there too.
type Showing struct {
	Op    string        `json:"op,omitempty"` // empty: all writes
	Steps []ShowingStep `json:"steps"`
}

// ShowingStep is one step. Its times are over the acknowledged writes that were intended in it, those of TTE and staleness over
// the ones whose effect was seen, by nearest rank; null if there are none.
type ShowingStep struct {
	AtMS           float64  `json:"at_ms"` // its start, in run time
	Acknowledged   int      `json:"acknowledged"`
	TTAP50MS       *float64 `json:"tta_p50_ms"`
	TTAP99MS       *float64 `json:"tta_p99_ms"`
	TTEP50MS       *float64 `json:"tte_p50_ms"`
	TTEP99MS       *float64 `json:"tte_p99_ms"`
	StalenessP50MS *float64 `json:"staleness_p50_ms"`
	StalenessP99MS *float64 `json:"staleness_p99_ms"`
	StalenessMaxMS *float64 `json:"staleness_max_ms"`
	EffectsNotSeen int      `json:"effects_not_seen"` // acknowledged, and no effect was told
}

// showings returns that of all writes, then those of each, by name.
func (s *subject) showings() []Showing {
	all := []Showing{s.showing("")}
	for _, op := range s.ops {
		if history.IsWrite(op) {
			all = append(all, s.showing(op))
		}
	}
	return all
}

func (s *subject) showing(op string) Showing {
	w := Showing{Op: op, Steps: []ShowingStep{}}
	for from := s.start; from < s.end; from += showingLength {
		w.Steps = append(w.Steps, s.showingStep(op, window{from, from + showingLength}))
	}
	return w
}

func (s *subject) showingStep(op string, w window) ShowingStep {
	step := ShowingStep{AtMS: ms(w.from)}
	var all samples
	for _, o := range s.in(w) {
		if op != "" && o.Op != op || !o.IsWrite() || o.Outcome != history.OK {
			continue
		}
		m := Op{Write: true}
		all.add(s.sample(&m, o))
		step.EffectsNotSeen += m.TTEMissing
	}
	step.Acknowledged = len(all.answer)
	step.TTAP50MS, step.TTAP99MS = p50And99(all.answer)
	step.TTEP50MS, step.TTEP99MS = p50And99(all.effect)
	step.StalenessP50MS, step.StalenessP99MS = p50And99(all.staleness)
	if len(all.staleness) > 0 {
		step.StalenessMaxMS = new(ms(max(0, slices.Max(all.staleness))))
	}
	return step
}

func p50And99(durations []time.Duration) (p50, p99 *float64) {
	if len(durations) == 0 {
		return nil, nil
	}
	sorted := ascending(durations)
	return new(ms(sorted[rank(len(sorted), 50)-1])), new(ms(sorted[rank(len(sorted), 99)-1]))
}
