package check

import (
	"fmt"
	"time"

	"tandem/bench/history"
)

// key names a thing: a post, a comment, or an author's subscribers.
type key struct {
	aggregate history.Aggregate
	id        string
}

// thing is what was asked of one post, comment or author, and how it was seen at the end.
type thing struct {
	key
	create *history.Operation   // nil if nobody is known to have asked for it; nil of an author
	writes []*history.Operation // all that name its id, in the order of the history
	store  *history.Final       // nil if it was not looked at there
	page   *history.Final
	// strange: nobody asked for this.
	strange bool
}

// judge is a judgement in the making.
type judge struct {
	h       *history.History
	things  map[key]*thing
	order   []*thing                   // the things as the history names them, so that a judgement is always the same
	created map[key]*history.Operation // the creations by their Ref
	figures Figures
	// commentsOf are the comments of each post, by its id.
	commentsOf map[string][]*thing
	// recovered creations were counted already.
	recovered map[*history.Operation]bool
	// reviewed are the comments that moderation knows and no store holds.
	reviewed []*history.Final
	// brokenSessions are those breaches of ReadYourWrites and MonotonicReads that were promised not to happen.
	brokenSessions Figure
	// unsearched are the things whose order was searched for in vain, because it took too long.
	unsearched Figure
	// halfDone are posts whose deletion was counted as half done.
	halfDone map[*thing]bool
}

func newJudge(h *history.History) *judge {
	j := &judge{
		h: h, things: map[key]*thing{}, created: map[key]*history.Operation{},
		commentsOf: map[string][]*thing{}, recovered: map[*history.Operation]bool{},
		halfDone: map[*thing]bool{},
	}
	for _, o := range h.Operations {
		j.addOperation(o)
	}
	for i := range h.Finals {
		j.addFinal(&h.Finals[i])
	}
	for _, t := range j.order {
		if t.aggregate == history.Comment {
			j.commentsOf[t.postID()] = append(j.commentsOf[t.postID()], t)
		}
	}
	return j
}

func (j *judge) thing(k key) *thing {
	t := j.things[k]
	if t == nil {
		t = &thing{key: k}
		j.things[k] = t
		j.order = append(j.order, t)
	}
	return t
}

// addOperation files a write under what it is about. A creation without an answer has no id; its Ref may find it.
func (j *judge) addOperation(o *history.Operation) {
	about := subject(o)
	creation := isCreation(o)
	if creation && o.Ref != "" {
		j.created[key{about.aggregate, o.Ref}] = o
	}
	if about.id == "" {
		return
	}
	t := j.thing(about)
	t.writes = append(t.writes, o)
	if creation {
		t.create = o
	}
}

// addFinal files a final observation. Of several about the same thing in the same view the last one counts.
func (j *judge) addFinal(f *history.Final) {
	if f.View == history.ViewReview {
		j.reviewed = append(j.reviewed, f)
		return
	}
	t := j.thing(key{f.Aggregate, f.ID})
	if f.View == history.ViewStore {
		t.store = f
	} else {
		t.page = f
	}
	if f.Present && t.create == nil {
		t.create = j.created[key{f.Aggregate, f.Ref}]
	}
}

func isCreation(o *history.Operation) bool { return o.Op == "CreatePost" || o.Op == "CreateComment" }

// subject is what a write is about. ReviewComment is about nothing that the views show.
func subject(o *history.Operation) key {
	switch o.Op {
	case "CreatePost", "UpdatePost", "DeletePost":
		return key{history.Post, o.ID}
	case "CreateComment":
		return key{history.Comment, o.ID}
	case "Subscribe", "Unsubscribe":
		return key{history.Author, o.Author}
	}
	return key{}
}

// mayHaveHappened tells whether a write may have had its effect. One that failed only when it was tried again may have
// happened at its first try, whose answer was lost.
func mayHaveHappened(o *history.Operation) bool { return o.Outcome != history.Fail || o.Attempts > 1 }

func acknowledged(o *history.Operation) bool { return o.Outcome == history.OK }

// acked tells whether the thing is what an acknowledged creation returned, and not a copy of it.
func (t *thing) acked() bool {
	return t.create != nil && acknowledged(t.create) && (t.create.ID == t.id || t.create.ID == "")
}

// all returns the thing's writes of an RPC that satisfy a condition.
func (t *thing) all(op string, is func(*history.Operation) bool) []*history.Operation {
	var found []*history.Operation
	for _, o := range t.writes {
		if o.Op == op && is(o) {
			found = append(found, o)
		}
	}
	return found
}

// ackedDelete returns the acknowledged DeletePost, or nil.
func (t *thing) ackedDelete() *history.Operation {
	if d := t.all("DeletePost", acknowledged); len(d) > 0 {
		return d[0]
	}
	return nil
}

func (t *thing) mayBeDeleted() bool { return len(t.all("DeletePost", mayHaveHappened)) > 0 }

// seen is a thing in one view.
type seen struct {
	view  history.View
	final *history.Final
}

// looks returns how the thing was seen, without the views in which it was not looked at.
func (t *thing) looks() []seen {
	var looks []seen
	if t.store != nil {
		looks = append(looks, seen{history.ViewStore, t.store})
	}
	if t.page != nil {
		looks = append(looks, seen{history.ViewPage, t.page})
	}
	return looks
}

func present(f *history.Final) bool { return f != nil && f.Present }

func absent(f *history.Final) bool { return f != nil && !f.Present }

// String names the thing in a sentence.
func (t *thing) String() string { return string(t.aggregate) + " " + short(t.id) }

// where names a view in a sentence.
func where(v history.View) string {
	if v == history.ViewStore {
		return "the store"
	}
	return "the read model"
}

// shortID is how much of an id tells it from all others in a run.
const shortID = 8

// short shortens a UUID; a search for what is left finds it. An author's name stays.
func short(id string) string {
	const uuidLength = 36
	if len(id) != uuidLength {
		return id
	}
	return id[:shortID] + "…"
}

// name names an operation: by the id of what it is about, and if no answer told that, by its reference or its request.
func name(o *history.Operation) string {
	switch {
	case subject(o).id != "":
		return o.Op + " " + short(subject(o).id)
	case o.Ref != "":
		return o.Op + " with reference " + o.Ref
	}
	return o.Op + " with request " + short(o.RequestID)
}

// ackedAt names an acknowledged operation with its time.
func ackedAt(o *history.Operation) string { return name(o) + " acknowledged at " + at(o.Completed) }

// at is a run time in a sentence.
func at(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// failure tells why an operation failed.
func failure(o *history.Operation) string {
	if o.Sent == 0 {
		return "was never sent"
	}
	return "failed with " + code(o)
}

func code(o *history.Operation) string {
	if o.Code == "" {
		return "no answer"
	}
	return o.Code
}
