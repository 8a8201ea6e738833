package measure

import (
	"cmp"
	"slices"
	"time"

	"tandem/bench/history"
)

// witnessBound is by how much an effect may lie outside of what a reader saw: the precision that TTE promises. Some of it is
// used up, because others can read a change a little before the process that made it hears of its own commit.
const witnessBound = 5 * time.Millisecond

// Witness compares two independent accounts of when writes showed: the effects that services told, and readers who asked
// query's pages for a sample of the writes again and again. A reader knows only that a write showed between the sending of the
// last read without it and the answer to the first read with it; the effect must lie in there.
type Witness struct {
	Writes  int     `json:"writes"`   // that were read back and seen by both
	Agree   int     `json:"agree"`    // within BoundMS
	BoundMS float64 `json:"bound_ms"` // by how much the effect may lie outside of what the reader saw
	// Off is by how much the effects lie outside (0 for those inside), Span how long what the reader knew of each was.
	Off  *Percentiles `json:"off"`
	Span *Percentiles `json:"span"`
	// Untold are writes that the reader saw and no effect was told of; NotSeen are those that the reader gave up on.
	Untold  int `json:"untold"`
	NotSeen int `json:"not_seen"`
}

// witness compares the looks with the effects. A look that got no answer from the page says nothing.
func (s *subject) witness() *Witness {
	if len(s.h.Looks) == 0 {
		return nil
	}
	w := &Witness{BoundMS: ms(witnessBound)}
	var off, span []time.Duration
	for o, looks := range s.looked() {
		from, to, seen := sighting(o, looks)
		if !seen {
			w.NotSeen++
			continue
		}
		switch at, sight := s.effects.by(o); sight {
		case missing:
			w.Untold++
		case shown:
			off, span = append(off, max(0, from-at, at-to)), append(span, to-from)
		}
	}
	w.Writes = len(off)
	for _, d := range off {
		if d <= witnessBound {
			w.Agree++
		}
	}
	w.Off, w.Span = percentiles(off), percentiles(span)
	return w
}

// looked returns the looks at each write of the load, in the order of their sending.
func (s *subject) looked() map[*history.Operation][]history.Look {
	writes := map[int64]*history.Operation{}
	for _, o := range s.load {
		writes[o.Index] = o
	}
	all := map[*history.Operation][]history.Look{}
	for _, l := range s.h.Looks {
		if o := writes[l.Write]; o != nil {
			all[o] = append(all[o], l)
		}
	}
	for _, looks := range all {
		slices.SortStableFunc(looks, func(a, b history.Look) int { return cmp.Compare(a.Sent, b.Sent) })
	}
	return all
}

// sighting returns between which times a reader saw a write appear: it was sent before it could.
func sighting(o *history.Operation, looks []history.Look) (from, to time.Duration, seen bool) {
	from = o.Sent
	for _, l := range looks {
		switch {
		case l.Shown:
			return from, l.Completed, true
		case l.Code == "OK" || l.Code == "NOT_FOUND":
			from = max(from, l.Sent)
		}
	}
	return 0, 0, false
}
