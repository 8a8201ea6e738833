package check

import (
	"fmt"

	"tandem/bench/history"
)

// findUnexpected marks and counts the posts and comments that nobody asked for.
func (j *judge) findUnexpected() {
	for i := range j.h.Finals {
		f := &j.h.Finals[i]
		if f.View == history.ViewReview { // of what has no thing: nobody stored it
			continue
		}
		t := j.things[key{f.Aggregate, f.ID}]
		if why := j.strangeness(t, f); why != "" {
			t.strange = true
			j.figures.Unexpected.of(f.View).add(fmt.Sprintf("%s is in %s, and %s.", capital(t), where(f.View), why))
		}
	}
}

// strangeness tells why nobody can have asked for what was seen; empty if somebody did.
func (j *judge) strangeness(t *thing, f *history.Final) string {
	if !f.Present || f.Aggregate == history.Author {
		return ""
	}
	asked := j.created[key{f.Aggregate, f.Ref}]
	switch {
	case f.Ref == "":
		return "its text holds no reference of an operation"
	case asked == nil:
		return "no operation asked for its text"
	case !mayHaveHappened(asked):
		return "the operation that asked for it " + failure(asked)
	case t.create != asked:
		return "its text is that of " + name(asked)
	case f.PostID != "" && asked.PostID != "" && f.PostID != asked.PostID:
		return fmt.Sprintf("it stands under post %s, though it was written for post %s", short(f.PostID), short(asked.PostID))
	}
	return ""
}

// copies is the things in one view that hold the text of the same creation.
type copies struct {
	view history.View
	of   *history.Operation
}

// findDuplicates counts each copy of a creation after the first.
func (j *judge) findDuplicates() {
	first := map[copies]*thing{}
	for _, t := range j.order {
		if t.create == nil || t.strange {
			continue
		}
		for _, s := range t.looks() {
			if !s.final.Present {
				continue
			}
			c := copies{s.view, t.create}
			if first[c] == nil {
				first[c] = t
				continue
			}
			j.figures.Duplicated.of(s.view).add(fmt.Sprintf("%s with reference %s was asked for once, and stands twice in %s: as %s and as %s.",
				t.create.Op, t.create.Ref, where(s.view), first[c], t))
		}
	}
}

// findNeverRead finds what must have been looked at and was not, or in one view only.
func (j *judge) findNeverRead() {
	for _, t := range j.order {
		if t.strange || t.store != nil && t.page != nil || t.aggregate == history.Comment && j.postMayBeGone(t) {
			continue
		}
		if o := t.ackedInLoad(); o != nil {
			j.figures.NeverRead.add(ackedAt(o) + " was not looked at in " + unseen(t) + ".")
		} else if present(t.store) || present(t.page) {
			j.figures.NeverRead.add(fmt.Sprintf("%s was not looked at in %s.", capital(t), unseen(t)))
		}
	}
	j.findUnnamed()
}

// findUnnamed finds acknowledged creations whose answer named no id and whose reference was not seen.
func (j *judge) findUnnamed() {
	found := map[*history.Operation]bool{}
	for _, t := range j.order {
		found[t.create] = true
	}
	for _, o := range j.h.Operations {
		if isCreation(o) && acknowledged(o) && o.Phase == history.PhaseLoad && o.ID == "" && !found[o] {
			j.figures.NeverRead.add(ackedAt(o) + " was not looked at: its answer names no id.")
		}
	}
}

// ackedInLoad returns the first write of the load to the thing that was acknowledged, or nil.
func (t *thing) ackedInLoad() *history.Operation {
	for _, o := range t.writes {
		if acknowledged(o) && o.Phase == history.PhaseLoad {
			return o
		}
	}
	return nil
}

func unseen(t *thing) string {
	switch {
	case t.store == nil && t.page == nil:
		return "the store and the read model"
	case t.store == nil:
		return where(history.ViewStore)
	}
	return where(history.ViewPage)
}
