package check

import (
	"fmt"

	"tandem/bench/history"
)

// The statuses of a comment, as a final has them.
const (
	pending  = "PENDING"
	approved = "APPROVED"
	rejected = "REJECTED"
)

// judgeComment: an acknowledged comment must be in the store, with the status that its text demands, and on its post's page if
// and only if the store has it as APPROVED. The comments of a deleted post must be gone, and owe nothing else.
func (j *judge) judgeComment(t *thing) {
	if j.postMayBeGone(t) {
		j.mustNotOutlive(t)
		return
	}
	if j.closedHalfWay(t) {
		return
	}
	j.recoverCreation(t)
	if t.acked() && absent(t.store) {
		j.figures.Lost.Store.add(ackedAt(t.create) + " is missing from the store.")
	}
	j.judgeStatus(t)
	j.judgeVerdict(t)
	j.judgeOnPage(t)
}

// postID is the post under which a comment stands, as it was seen or asked for; empty if neither is known.
func (t *thing) postID() string {
	for _, s := range t.looks() {
		if s.final.PostID != "" {
			return s.final.PostID
		}
	}
	if t.create != nil {
		return t.create.PostID
	}
	return ""
}

// post returns the post of a comment, or nil if nothing is known of it.
func (j *judge) post(t *thing) *thing { return j.things[key{history.Post, t.postID()}] }

// postMayBeGone tells whether a comment's post is deleted: that was acknowledged, or it may be and the store does not show the
// post. If the post is still there, a deletion that had no answer must not have taken its comments either.
func (j *judge) postMayBeGone(t *thing) bool {
	post := j.post(t)
	return post != nil && (post.ackedDelete() != nil || post.mayBeDeleted() && !present(post.store))
}

// closedHalfWay tells whether a comment is gone because the deletion of its post was cut off between its two halves: the post is
// still there, its deletion had no answer, and all of its comments are gone. Who asked was told that anything may have
// happened, and asking again finishes it; so it is counted, once, and is no loss.
func (j *judge) closedHalfWay(t *thing) bool {
	post := j.post(t)
	if post == nil || !present(post.store) || post.ackedDelete() != nil {
		return false
	}
	deletes := post.all("DeletePost", mayHaveHappened)
	if len(deletes) == 0 {
		return false
	}
	for _, sibling := range j.commentsOf[post.id] {
		if present(sibling.store) || present(sibling.page) {
			return false
		}
	}
	if !j.halfDone[post] {
		j.halfDone[post] = true
		j.figures.HalfDone.add(fmt.Sprintf("%s had no answer, and half of it has happened: the comments are gone and the post is there.",
			name(deletes[0])))
	}
	return true
}

// mustNotOutlive: if the post is gone for certain, so are its comments. If its deletion was lost, that is counted already.
func (j *judge) mustNotOutlive(t *thing) {
	if !absent(j.post(t).store) {
		return
	}
	for _, s := range t.looks() {
		if s.final.Present {
			j.figures.Unexpected.of(s.view).add(fmt.Sprintf("%s is in %s, and its post is deleted.", capital(t), where(s.view)))
		}
	}
}

// judgeReviews counts the creations without an answer of which only the review has happened. If the post is gone, so may the comment
// be that was stored.
func (j *judge) judgeReviews() {
	for _, f := range j.reviewed {
		create, post := j.created[key{history.Comment, f.Ref}], j.things[key{history.Post, f.PostID}]
		if create == nil || post == nil || !present(post.store) || len(post.all("DeletePost", mayHaveHappened)) > 0 {
			continue
		}
		j.figures.HalfDone.add(fmt.Sprintf("%s had no answer, and half of it has happened: moderation has reviewed it, and it is not stored.",
			name(create)))
	}
}

func (j *judge) judgeStatus(t *thing) {
	if !present(t.store) || t.create == nil {
		return
	}
	want, because := approved, "holds no blocked word"
	if t.create.Blocked {
		want, because = rejected, "holds a blocked word"
	}
	if t.store.Status != want {
		j.figures.WrongStatus.add(fmt.Sprintf("%s %s and ended %s, not %s.", capital(t), because, status(t.store), want))
	}
}

// judgeVerdict: moderation keeps the verdict from which a comment has its status.
func (j *judge) judgeVerdict(t *thing) {
	switch {
	case !present(t.store) || t.store.Status == "" || t.store.Status == pending:
	case t.store.Verdict == "":
		j.figures.Lost.Store.add(fmt.Sprintf("The verdict on %s, which is %s, is missing from moderation's store.", t, t.store.Status))
	case t.store.Verdict != t.store.Status:
		j.figures.WrongStatus.add(fmt.Sprintf("%s is %s, and moderation's verdict says %s.", capital(t), t.store.Status, t.store.Verdict))
	}
}

func status(f *history.Final) string {
	if f.Status == "" {
		return "without a status"
	}
	return f.Status
}

// judgeOnPage compares the page with the store, or, if the store has lost the comment, with what was acknowledged.
func (j *judge) judgeOnPage(t *thing) {
	if t.store == nil || t.page == nil {
		return
	}
	lostButShowable := absent(t.store) && t.acked() && !t.create.Blocked
	shown := lostButShowable || present(t.store) && t.store.Status == approved
	switch {
	case shown && !t.page.Present:
		j.figures.Lost.ReadModel.add(j.missingFromPage(t))
	case !shown && present(t.store) && t.page.Present:
		j.figures.Unexpected.ReadModel.add(fmt.Sprintf("The read model shows %s, which in the store is %s.", t, status(t.store)))
	case !shown && t.page.Present:
		j.figures.Unexpected.ReadModel.add(fmt.Sprintf("The read model shows %s, and the store does not hold it.", t))
	}
}

func (j *judge) missingFromPage(t *thing) string {
	if t.acked() {
		return ackedAt(t.create) + " is missing from the read model."
	}
	return fmt.Sprintf("The store holds %s, and it is missing from the read model.", t)
}
