package check

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"tandem/bench/history"
)

// session is what one client was shown of one thing. A comment waits at its owner for moderation, and stands on no page before: so
// what a client saw at the owner is nothing that a page must show.
type session struct {
	client int
	owner  bool // of comments only
}

// judgeSessions judges the reads of each client by what this client wrote and was shown before. A history without clients has no
// sessions.
func (j *judge) judgeSessions(glances []*glance) {
	if j.h.Header.Clients == 0 {
		return
	}
	sessions := map[session][]*glance{}
	var order []session
	for _, g := range glances {
		s := session{client: g.client, owner: g.owner && g.thing.aggregate == history.Comment}
		if sessions[s] == nil {
			order = append(order, s)
		}
		sessions[s] = append(sessions[s], g)
	}
	for _, s := range order {
		j.judgeMonotonic(sessions[s])
		j.judgeOwnWrites(sessions[s])
	}
}

// judgeMonotonic goes through the reads of a session in the order of their sending, beside those that were answered by then.
func (j *judge) judgeMonotonic(byAnswer []*glance) {
	bySending := slices.Clone(byAnswer)
	slices.SortStableFunc(bySending, func(a, b *glance) int { return cmp.Compare(a.sent, b.sent) })
	var newest *glance // among those that were answered
	next := 0
	for _, g := range bySending {
		for ; next < len(byAnswer) && byAnswer[next].completed < g.sent; next++ {
			if newest == nil || byAnswer[next].least > newest.least {
				newest = byAnswer[next]
			}
		}
		if newest != nil && g.most < newest.least {
			j.breach(&j.figures.MonotonicReads, newest.owner && g.owner,
				fmt.Sprintf("%s %s, and %s had been answered at %s and %s.", g, g.shown(), newest, at(newest.completed), newest.shown()))
		}
	}
}

// judgeOwnWrites finds the reads that miss what their own client wrote.
func (j *judge) judgeOwnWrites(glances []*glance) {
	for _, g := range glances {
		if j.h.Header.Waits && g.op == aLook {
			continue // the witness waits for nothing
		}
		for _, o := range g.thing.missedBy(g) {
			if o.Client == g.client && o.Phase == history.PhaseLoad {
				j.missedItsOwn(g, fmt.Sprintf("%s %s, after its own %s.", g, g.shown(), ackedAt(o)))
				break
			}
		}
	}
}

// missedItsOwn counts a read that misses what its own client wrote.
func (j *judge) missedItsOwn(g *glance, example string) {
	if g.owner {
		j.figures.ReadYourWritesAtOwner.add(example)
	}
	j.breach(&j.figures.ReadYourWrites, g.owner || j.h.Header.Waits, example)
}

// missedBy are the acknowledged writes that a read should have shown and did not, in the order of their acknowledgements.
func (t *thing) missedBy(g *glance) []*history.Operation {
	var missed []*history.Operation
	for _, o := range t.writes {
		if version := versionOf(o); version > g.most && o.Completed < g.sent && o.Completed > 0 && promised(o, g) {
			missed = append(missed, o)
		}
	}
	slices.SortStableFunc(missed, func(a, b *history.Operation) int { return cmp.Compare(a.Completed, b.Completed) })
	return missed
}

// promised tells whether a write must show where a glance looked: at the owner all do.
func promised(o *history.Operation, g *glance) bool { return g.owner || mustShow(o) }

// breach counts a broken session. It is a violation where it was promised not to happen, and in sync always.
func (j *judge) breach(f *Figure, promised bool, example string) {
	f.add(example)
	if promised || j.h.Header.Stack != async {
		j.brokenSessions.add(example)
	}
}

// missed is which writes were missed by readers, and for how long.
type missed struct {
	last map[*history.Operation]time.Duration // when the last read that missed it was sent
	lags []time.Duration                      // of each read
}

func newMissed() *missed { return &missed{last: map[*history.Operation]time.Duration{}} }

// judgeStaleness finds the reads of a thing that missed a write of anybody.
func (j *judge) judgeStaleness(glances []*glance, m *missed) {
	for _, g := range glances {
		writes := g.thing.missedBy(g)
		if len(writes) == 0 {
			m.lags = append(m.lags, 0)
			continue
		}
		m.lags = append(m.lags, g.sent-writes[0].Completed)
		j.figures.Stale.add(fmt.Sprintf("%s %s, after %s.", g, g.shown(), ackedAt(writes[0])))
		for _, o := range writes {
			m.last[o] = max(m.last[o], g.sent)
		}
	}
}

// stableLatencies are how long after their acknowledgement writes were still missed.
func (m *missed) stableLatencies(writes []*history.Operation) []time.Duration {
	var latencies []time.Duration
	for _, o := range writes {
		latencies = append(latencies, max(0, m.last[o]-o.Completed))
	}
	return latencies
}
