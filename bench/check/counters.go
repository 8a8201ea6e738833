package check

import (
	"fmt"

	"tandem/bench/history"
)

// judgeAuthor compares an author's two counts with each other, and the store's with what the writes allow.
func (j *judge) judgeAuthor(t *thing) {
	j.judgeList(t)
	if t.store == nil {
		return
	}
	least, most := subscribers(t.writes)
	j.recoverSubscriptions(t)
	switch count := t.store.Count; {
	case t.page != nil && t.page.Count != count:
		j.figures.CounterDrift.add(fmt.Sprintf("The read model counts %d subscribers of %s, and the store %d.", t.page.Count, t.id, count))
	case count < least || count > most:
		j.figures.CounterDrift.add(fmt.Sprintf("The store counts %d subscribers of %s, and the writes explain %s.",
			count, t.id, between(least, most)))
	}
}

func between(least, most int64) string {
	if least == most {
		return fmt.Sprint(least)
	}
	return fmt.Sprintf("%d to %d", least, most)
}

// subscribers is how many subscribers an author may have after these writes: the sum over the followers, for following twice
// changes nothing.
func subscribers(writes []*history.Operation) (least, most int64) {
	byFollower := map[string][]*history.Operation{}
	for _, o := range writes {
		if mayHaveHappened(o) {
			byFollower[o.Follower] = append(byFollower[o.Follower], o)
		}
	}
	for _, of := range byFollower {
		if mayEnd(of, "Subscribe") {
			most++
		}
		if !mayEnd(of, "Unsubscribe") && someAcked(of, "Subscribe") {
			least++
		}
	}
	return least, most
}

// mayEnd tells whether the last write that took effect may be one of this RPC. A write without an answer may take effect at
// any time after it was sent, however late.
func mayEnd(writes []*history.Operation, op string) bool {
	for _, o := range writes {
		if o.Op == op && !overruled(o, writes) {
			return true
		}
	}
	return false
}

// overruled tells whether an acknowledged write of the other RPC began after this one had ended.
func overruled(o *history.Operation, writes []*history.Operation) bool {
	if !acknowledged(o) {
		return false
	}
	for _, other := range writes {
		if other.Op != o.Op && acknowledged(other) && other.Sent > o.Completed {
			return true
		}
	}
	return false
}

func someAcked(writes []*history.Operation, op string) bool {
	for _, o := range writes {
		if o.Op == op && acknowledged(o) {
			return true
		}
	}
	return false
}

// recoverSubscriptions counts as many unknown writes as it takes to explain the store's count.
func (j *judge) recoverSubscriptions(t *thing) {
	var acked []*history.Operation
	unknown := map[string][]*history.Operation{}
	for _, o := range t.writes {
		if acknowledged(o) {
			acked = append(acked, o)
		} else if isUnknown(o) {
			unknown[o.Op] = append(unknown[o.Op], o)
		}
	}
	least, most := subscribers(acked)
	for op, surplus := range map[string]int64{"Subscribe": t.store.Count - most, "Unsubscribe": least - t.store.Count} {
		for _, o := range unknown[op][:clamp(int(surplus), len(unknown[op]))] {
			j.figures.Recovered.add(name(o) + " had no answer, and the count shows that it, or another one, has happened.")
		}
	}
}

// judgeCommentCount compares the counters of a post's approved comments with each other and with the lists that they count.
func (j *judge) judgeCommentCount(t *thing) {
	if present(t.store) && present(t.page) && t.store.Count != t.page.Count {
		j.figures.CounterDrift.add(fmt.Sprintf("The read model counts %d approved comments of %s, and the store %d.",
			t.page.Count, t, t.store.Count))
		return
	}
	for _, s := range t.looks() {
		if !s.final.Present {
			continue
		}
		least, most := j.listed(t, s.view)
		if s.final.Count < least || s.final.Count > most {
			j.figures.CounterDrift.add(fmt.Sprintf("%s counts %d approved comments of %s, and lists %s.",
				capitalWhere(s.view), s.final.Count, t, between(least, most)))
			return
		}
	}
}

// listed is how many approved comments a view was seen to list under a post, and that number with those added of which it is
// known that nobody looked: comments of the preload outside the sample.
func (j *judge) listed(post *thing, view history.View) (least, most int64) {
	for _, c := range j.commentsOf[post.id] {
		f := c.store
		if view == history.ViewPage {
			f = c.page
		}
		switch {
		case f == nil && c.acked() && !c.create.Blocked:
			most++
		case present(f) && (view == history.ViewPage || f.Status == approved):
			least, most = least+1, most+1
		}
	}
	return least, most
}

func capitalWhere(v history.View) string {
	if v == history.ViewStore {
		return "The store"
	}
	return "The read model"
}
