package measure

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"tandem/bench/history"
)

// clockSkew is by how much an effect may seem to come before its cause: effects are timed by the wall clock of the service's
// process, operations by the monotonic clock of the run.
const clockSkew = 10 * time.Millisecond

// aggregate names what an effect is about.
type aggregate struct {
	kind history.Aggregate
	id   string
}

// visible says that a version, or a later one, could be seen from a time on.
type visible struct {
	version int64
	from    time.Duration
}

// effects answers when a write showed on query's pages.
type effects struct {
	seen map[aggregate][]visible // ascending by version
	// acked is the highest version of a post that an acknowledged write other than its deletion returned.
	acked map[string]int64
}

func newEffects(h *history.History) *effects {
	e := &effects{seen: map[aggregate][]visible{}, acked: map[string]int64{}}
	for _, x := range h.Effects {
		a := aggregate{x.Aggregate, x.ID}
		e.seen[a] = append(e.seen[a], visible{x.Version, x.At})
	}
	for _, list := range e.seen {
		sortVisible(list)
	}
	for _, o := range h.Operations {
		if o.Aggregate == history.Post && o.Outcome == history.OK && o.IsWrite() {
			e.acked[o.ID] = max(e.acked[o.ID], o.Version)
		}
	}
	return e
}

// sortVisible sorts by version and makes each time the first at which that version, or a later one, was seen.
func sortVisible(list []visible) {
	slices.SortFunc(list, func(a, b visible) int { return cmp.Compare(a.version, b.version) })
	for i := len(list) - 2; i >= 0; i-- {
		list[i].from = min(list[i].from, list[i+1].from)
	}
}

// sight is what is known of a write's effect.
type sight int

const (
	// missing: no effect was seen.
	missing sight = iota
	// shown: the effect was seen, after the write was sent.
	shown
	// unchanged: there is nothing to see, since what the write asked for was so before it was sent (following twice), or is on
	// no page (ReviewComment).
	unchanged
)

// of tells when the effect of an acknowledged write was seen.
func (e *effects) of(o *history.Operation) (at time.Duration, s sight) {
	a := aggregate{o.Aggregate, o.ID}
	switch o.Op {
	case "DeletePost":
		return e.deletion(a, o)
	case "CreateComment":
		return e.first(a, 0)
	case "ReviewComment":
		return 0, unchanged
	case "Subscribe", "Unsubscribe":
		return e.subscription(a, o)
	}
	return e.exactly(a, o.Version)
}

// by tells when the effect of an acknowledged write was there at the latest: its own, or that of a later change of the same
// thing. A process that is killed between its commit and telling of it leaves no more than that.
func (e *effects) by(o *history.Operation) (at time.Duration, s sight) {
	if at, s = e.of(o); s != missing || o.Op == "DeletePost" {
		return at, s
	}
	return e.first(aggregate{o.Aggregate, o.ID}, o.Version)
}

// exactly finds the effect of a version, and of no later one.
func (e *effects) exactly(a aggregate, version int64) (time.Duration, sight) {
	at, s := e.first(a, version)
	if _, found := slices.BinarySearchFunc(e.seen[a], version, compareVersion); !found {
		return 0, missing
	}
	return at, s
}

func compareVersion(v visible, want int64) int { return cmp.Compare(v.version, want) }

// subscription finds the effect of a write that may have asked for what was so already.
func (e *effects) subscription(a aggregate, o *history.Operation) (time.Duration, sight) {
	at, s := e.exactly(a, o.Version)
	neverChanged := o.Version == 0
	if neverChanged || s == shown && at < o.Sent-clockSkew {
		return 0, unchanged
	}
	return at, s
}

// first finds the first effect that shows at least a version.
func (e *effects) first(a aggregate, version int64) (time.Duration, sight) {
	list := e.seen[a]
	i, _ := slices.BinarySearchFunc(list, version, compareVersion)
	if i == len(list) {
		return 0, missing
	}
	return list[i].from, shown
}

// deletion finds the effect of a post's deletion, whose reply holds no version: it is the post's last, so it is above all that
// other writes returned.
func (e *effects) deletion(a aggregate, o *history.Operation) (time.Duration, sight) {
	list := e.seen[a]
	if len(list) == 0 {
		return 0, missing
	}
	last := list[len(list)-1].version
	at, _ := e.first(a, last)
	if last <= e.acked[a.id] || at < o.Sent-clockSkew {
		return 0, missing
	}
	return at, shown
}

// shown tells when an acknowledged write could be seen on query's pages: when its effect was there and its page could be read.
func (s *subject) shown(o *history.Operation) (at time.Duration, sight sight) {
	if at, sight = s.effects.of(o); sight != shown {
		return at, sight
	}
	return s.readable(o, at), shown
}

// pageOf is the page on which a write of an aggregate shows.
func pageOf(a history.Aggregate) string {
	if a == history.Author {
		return "GetAuthorPage"
	}
	return "GetPostPage"
}

// readable returns when the page of a write could be read, from its effect on. If a fault kept readers from it then, it is when the
// first read of such a page that was sent after the effect was answered whole. Without that, a stack whose pages are down would seem to
// show its writes at once.
func (s *subject) readable(o *history.Operation, effect time.Duration) time.Duration {
	page := pageOf(o.Aggregate)
	if !s.hidden(page, effect) {
		return effect
	}
	for _, read := range s.load[s.firstFrom(effect):] {
		if read.Op == page && read.Outcome == history.OK && !read.Degraded {
			return max(effect, read.Completed)
		}
	}
	return effect
}

// hidden tells whether a fault kept readers from a page at a time.
func (s *subject) hidden(page string, at time.Duration) bool {
	needed, _ := s.needs(page)
	return slices.ContainsFunc(s.h.Faults, func(f history.Fault) bool {
		return !f.Absent && f.InEffect > 0 && f.InEffect <= at && at < s.liftedBy(f) && hides(f, needed)
	})
}

// liftedBy is when a fault was seen to be lifted; the end of the run if it was not.
func (s *subject) liftedBy(f history.Fault) time.Duration {
	if f.Lifted == 0 {
		return s.end
	}
	return f.Lifted
}

// hides tells whether nobody can read a page that needs these services while a fault is in effect: one of them is away, or is not
// reached by query, or query by its users. In a rolling restart each of them is away for a while, and the history does not tell when.
func hides(f history.Fault, needed []string) bool {
	switch {
	case takesDown(f.Name):
		return slices.Contains(needed, f.Victim)
	case f.Name == "rolling restart":
		return true
	case f.Name != "partition":
		return false
	}
	from, to, isLink := strings.Cut(f.Victim, "->")
	if !isLink {
		return slices.Contains(needed, f.Victim)
	}
	return slices.Contains(needed, to) && (from == "query" || from == "users" && to == "query")
}
