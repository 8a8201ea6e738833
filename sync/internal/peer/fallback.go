package peer

import (
	"slices"
	"sync"
)

// DoesWithout tells whether an answer may go out without what a callee should have said to it: at Fallback, if the callee is not
// there (UNAVAILABLE, an open circuit breaker too) or does not answer in time. Anything else that a callee says is an answer.
func (l Level) DoesWithout(err error) bool { return l >= Fallback && isAway(err) }

// Gaps are the fields of one answer that it does without. It may be used from several goroutines.
type Gaps struct {
	level  Level
	mu     sync.Mutex
	fields []string
}

// NewGaps returns the gaps of an answer that is whole so far.
func NewGaps(l Level) *Gaps { return &Gaps{level: l} }

// Allow notes the fields as gaps and returns nil if the level does without them; otherwise it returns err.
func (g *Gaps) Allow(err error, fields ...string) error {
	if err == nil || !g.level.DoesWithout(err) {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fields = append(g.fields, fields...)
	return nil
}

// Fields returns the gaps, sorted, each once; none for a whole answer.
func (g *Gaps) Fields() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	slices.Sort(g.fields)
	return slices.Compact(g.fields)
}
