package check

import (
	"fmt"

	"tandem/bench/history"
)

// judgePost: an acknowledged deletion must have happened; without one that may have happened, an acknowledged creation must be
// there; everything else may be or not be, and the views must agree on it.
func (j *judge) judgePost(t *thing) {
	switch deleted := t.ackedDelete(); {
	case deleted != nil:
		j.mustBeGone(t, deleted)
		return
	case t.acked() && !t.mayBeDeleted():
		j.mustBeThere(t)
	default:
		j.mustAgree(t)
	}
	j.recoverPost(t)
	j.judgeVersions(t)
	j.judgeCommentCount(t)
	j.judgeFeed(t)
}

func (j *judge) mustBeGone(t *thing, deleted *history.Operation) {
	for _, s := range t.looks() {
		if s.final.Present {
			j.figures.Lost.of(s.view).add(fmt.Sprintf("%s has no effect in %s: the post is still there.", ackedAt(deleted), where(s.view)))
		}
	}
}

func (j *judge) mustBeThere(t *thing) {
	for _, s := range t.looks() {
		if !s.final.Present {
			j.figures.Lost.of(s.view).add(fmt.Sprintf("%s is missing from %s.", ackedAt(t.create), where(s.view)))
		}
	}
}

func (j *judge) mustAgree(t *thing) {
	switch {
	case present(t.store) && absent(t.page):
		j.figures.Lost.ReadModel.add(fmt.Sprintf("The store holds %s, and it is missing from the read model.", t))
	case absent(t.store) && present(t.page):
		j.figures.Unexpected.ReadModel.add(fmt.Sprintf("The read model shows %s, and the store does not hold it.", t))
	}
}

// judgeVersions compares a post's version with the updates that were asked for: at least the acknowledged ones, at most all
// that may have happened, and the same in both views.
func (j *judge) judgeVersions(t *thing) {
	missing := false
	for _, s := range t.looks() {
		if !s.final.Present {
			continue
		}
		missing = j.lostUpdates(t, s) || missing
		most := 1 + int64(len(t.all("UpdatePost", mayHaveHappened)))
		if s.final.Version > most {
			j.figures.Duplicated.of(s.view).add(fmt.Sprintf("%s has version %d in %s, and its updates explain no more than %d.",
				capital(t), s.final.Version, where(s.view), most))
		}
	}
	if !missing && present(t.store) && present(t.page) {
		j.sameVersion(t)
	}
}

// lostUpdates counts the acknowledged updates that a view does not have, and tells whether there are any.
func (j *judge) lostUpdates(t *thing, s seen) bool {
	found := false
	updates := t.all("UpdatePost", acknowledged)
	for _, o := range updates {
		if o.Version > s.final.Version {
			found = true
			j.figures.Lost.of(s.view).add(fmt.Sprintf("%s as version %d is missing from %s, which has version %d.",
				ackedAt(o), o.Version, where(s.view), s.final.Version))
		}
	}
	if !found && s.final.Version < 1+int64(len(updates)) { // two were told the same version: one overwrote the other unseen
		found = true
		j.figures.Lost.of(s.view).add(fmt.Sprintf("%s has version %d in %s, and %d updates of it were acknowledged.",
			capital(t), s.final.Version, where(s.view), len(updates)))
	}
	return found
}

// sameVersion finds differences that no acknowledged update explains.
func (j *judge) sameVersion(t *thing) {
	store, page := t.store.Version, t.page.Version
	switch {
	case page < store:
		j.figures.Lost.ReadModel.add(fmt.Sprintf("The store holds version %d of %s, and the read model shows version %d.", store, t, page))
	case page > store:
		j.figures.Unexpected.ReadModel.add(fmt.Sprintf("The read model shows version %d of %s, and the store holds version %d.", page, t, store))
	}
}

// recoverPost counts the unknown writes of a post that are found to have happened.
func (j *judge) recoverPost(t *thing) {
	j.recoverCreation(t)
	if deletes := t.all("DeletePost", isUnknown); len(deletes) > 0 && absent(t.store) && t.acked() {
		j.figures.Recovered.add(name(deletes[0]) + " had no answer and has happened.")
	}
	if present(t.store) {
		updates := t.all("UpdatePost", isUnknown)
		happened := int(t.store.Version) - 1 - len(t.all("UpdatePost", acknowledged))
		for _, o := range updates[:clamp(happened, len(updates))] {
			j.figures.Recovered.add(name(o) + " had no answer, and the post's version shows that it, or another one, has happened.")
		}
	}
}

// recoverCreation counts an unknown creation once, however many copies of it there are.
func (j *judge) recoverCreation(t *thing) {
	if t.create == nil || !isUnknown(t.create) || j.recovered[t.create] || !(present(t.store) || present(t.page)) {
		return
	}
	j.recovered[t.create] = true
	j.figures.Recovered.add(fmt.Sprintf("%s had no answer and has happened: it is %s.", name(t.create), t))
}

func isUnknown(o *history.Operation) bool { return o.Outcome == history.Unknown }

// clamp brings n between 0 and most.
func clamp(n, most int) int { return max(0, min(n, most)) }

func capital(t *thing) string {
	s := t.String()
	return string(s[0]-'a'+'A') + s[1:]
}
