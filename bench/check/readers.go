package check

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"tandem/bench/history"
)

// async is the stack that does not promise its readers the newest on query's pages.
const async = "async"

// gone is the version of a post that is deleted: newer than all others.
const gone = math.MaxInt64

// aLook is the op of what the witness saw.
const aLook = "A look"

// glance is what one read of the load, or one look, showed of a thing: a version between least and most. 0 is before the first.
type glance struct {
	thing           *thing
	op              string // "GetPost", or aLook
	client          int
	owner           bool // it asked the owner of the thing, and not query
	sent, completed time.Duration
	least, most     int64
}

func (g *glance) String() string {
	return fmt.Sprintf("%s sent at %s by client %d", g.op, at(g.sent), g.client)
}

// shown says what the glance showed.
func (g *glance) shown() string {
	switch {
	case g.most == 0:
		return fmt.Sprintf("showed no %s", g.thing)
	case g.least == gone:
		return fmt.Sprintf("showed that %s is deleted", g.thing)
	case g.most == gone-1:
		return fmt.Sprintf("showed %s as it was before its deletion", g.thing)
	case g.most == gone:
		return fmt.Sprintf("showed version %d of %s or a later one", g.least, g.thing)
	case g.least < g.most:
		return fmt.Sprintf("showed version %d of %s or an earlier one", g.most, g.thing)
	}
	return fmt.Sprintf("showed version %d of %s", g.most, g.thing)
}

// judgeReaders judges what readers saw while the load went on.
func (j *judge) judgeReaders() {
	missed := newMissed()
	for _, of := range j.glances() {
		j.judgeSessions(of)
		j.judgeStaleness(of, missed)
	}
	j.figures.StableLatency = quantiles(missed.stableLatencies(j.lookedFor()))
	j.figures.RealtimeLag = quantiles(missed.lags)
	for _, o := range j.h.Operations {
		if read, found := missed.last[o]; found {
			j.figures.StaleWrites.add(fmt.Sprintf("%s was missed for the last time by a read sent %s later.", ackedAt(o), millis(read-o.Completed)))
		}
	}
}

// glances are the reads and looks at each thing, in the order of the things, and those of a thing by the time of their answers.
func (j *judge) glances() [][]*glance {
	of := map[*thing][]*glance{}
	for _, o := range j.h.Operations {
		if g := j.glanceOf(o); g != nil && !j.excused(g) {
			of[g.thing] = append(of[g.thing], g)
		}
	}
	writes := j.loadByIndex()
	for i := range j.h.Looks {
		if g := j.glanceIn(&j.h.Looks[i], writes); g != nil && !j.excused(g) {
			of[g.thing] = append(of[g.thing], g)
		}
	}
	var all [][]*glance
	for _, t := range j.order {
		if list := of[t]; list != nil {
			slices.SortStableFunc(list, func(a, b *glance) int {
				return cmp.Or(cmp.Compare(a.completed, b.completed), cmp.Compare(a.sent, b.sent))
			})
			all = append(all, list)
		}
	}
	return all
}

func (j *judge) loadByIndex() map[int64]*history.Operation {
	byIndex := map[int64]*history.Operation{}
	for _, o := range j.h.Operations {
		if o.Phase == history.PhaseLoad {
			byIndex[o.Index] = o
		}
	}
	return byIndex
}

// glanceOf is what a read of one post or comment showed; nil of all other operations and of a read without an answer.
func (j *judge) glanceOf(o *history.Operation) *glance {
	t := j.things[readOf(o)]
	if t == nil || !answered(o) || o.Sent == 0 || o.Completed < o.Sent {
		return nil
	}
	version := o.Version
	if o.Outcome != history.OK {
		version = 0
	}
	return &glance{thing: t, op: o.Op, client: o.Client, owner: o.Op != "GetPostPage", sent: o.Sent, completed: o.Completed,
		least: version, most: version}
}

// readOf is the post or comment that an operation reads.
func readOf(o *history.Operation) key {
	switch o.Op {
	case "GetPost", "GetPostPage":
		return key{history.Post, o.ID}
	case "GetComment":
		return key{history.Comment, o.ID}
	}
	return key{}
}

// answered tells whether a read told what there is: a version, or that there is nothing.
func answered(o *history.Operation) bool {
	return o.Outcome == history.OK && o.Version > 0 || o.Outcome == history.Fail && o.Code == notFound
}

const notFound = "NOT_FOUND"

// glanceIn is what a look showed: at least the version that its write made, or one before it. It is nil of a look without an
// answer, and of a write that no page must show.
func (j *judge) glanceIn(l *history.Look, writes map[int64]*history.Operation) *glance {
	o := writes[l.Write]
	if o == nil || l.Code != "OK" && l.Code != notFound || l.Completed < l.Sent || !mustShow(o) {
		return nil
	}
	t := j.things[subject(o)]
	if t == nil {
		return nil
	}
	g := &glance{thing: t, op: aLook, client: o.Client, sent: l.Sent, completed: l.Completed, least: 0, most: versionOf(o) - 1}
	if l.Shown {
		g.least, g.most = versionOf(o), gone
	}
	return g
}

// mustShow tells whether an acknowledged write shows on a page: a rejected comment does not, and one that was accepted without
// moderation is marked as less than asked for.
func mustShow(o *history.Operation) bool {
	return acknowledged(o) && versionOf(o) > 0 && !o.Blocked && !o.Degraded && o.Status != rejected
}

// versionOf is the version that a write made; 0 of one that changed nothing or has no answer. Of a comment it is the first: what
// moderation adds is not the writer's.
func versionOf(o *history.Operation) int64 {
	switch {
	case !acknowledged(o):
		return 0
	case o.Op == "DeletePost":
		return gone
	case isCreation(o):
		return 1
	}
	return o.Version
}

// excused tells whether a thing that was not found, or not as a look wanted it, may have been gone: its post may have been deleted
// by then.
func (j *judge) excused(g *glance) bool {
	post := g.thing
	if post.aggregate == history.Comment {
		post = j.post(g.thing)
	}
	if g.most >= gone-1 || post == nil || post.aggregate != history.Post {
		return false
	}
	mayBeGone := func(o *history.Operation) bool { return mayHaveHappened(o) && o.Sent < g.completed }
	return (g.most == 0 || g.op == aLook) && len(post.all("DeletePost", mayBeGone)) > 0
}

// lookedFor are the writes that somebody looked for.
func (j *judge) lookedFor() []*history.Operation {
	writes, found := j.loadByIndex(), map[*history.Operation]bool{}
	var list []*history.Operation
	for _, l := range j.h.Looks {
		if o := writes[l.Write]; o != nil && mustShow(o) && !found[o] {
			found[o] = true
			list = append(list, o)
		}
	}
	return list
}

// quantiles are by nearest rank, in milliseconds; nil of nothing.
func quantiles(times []time.Duration) map[string]float64 {
	if len(times) == 0 {
		return nil
	}
	slices.Sort(times)
	q := map[string]float64{}
	for name, share := range map[string]float64{"0.5": 0.5, "0.95": 0.95, "0.99": 0.99, "1": 1} {
		q[name] = float64(nearestRank(times, share)) / float64(time.Millisecond)
	}
	return q
}

// nearestRank is the smallest of sorted times that at least a share of them does not exceed.
func nearestRank(sorted []time.Duration, share float64) time.Duration {
	rank := int(math.Ceil(share * float64(len(sorted))))
	return sorted[clamp(rank-1, len(sorted)-1)]
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}
