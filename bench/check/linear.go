package check

import (
	"fmt"
	"math"
	"time"

	"github.com/anishathalye/porcupine"

	"tandem/bench/history"
)

// longestSearch bounds the search for the order of one thing's operations, and allSearches those of a run: the problem is
// NP-complete. With versions in nearly every answer a search takes microseconds.
const (
	longestSearch = time.Second
	allSearches   = 20 * time.Second
)

// forever is when an operation without an answer ends.
const forever = math.MaxInt64

// step is one operation at the owner of a post or a comment, as the search sees it.
type step struct {
	*history.Operation
	answered bool
	// turn is, of an update or a deletion without an answer, how many of its kind were sent before it. They are all alike, and one
	// that was sent earlier can stand for one that was sent later; so they are taken in this order, and the search need not try all.
	turn int
	// status is, of moderation's decision, what it gave the comment.
	status string
}

// decide is what moderation does to a comment, at a time that nobody is told.
const decide = "decide"

// judgeOrders searches an order for the operations at the owner of each post and comment.
func (j *judge) judgeOrders() {
	reads := map[key][]*history.Operation{}
	for _, o := range j.h.Operations {
		if o.Op == "GetPost" || o.Op == "GetComment" {
			reads[readOf(o)] = append(reads[readOf(o)], o)
		}
	}
	left := allSearches
	for _, t := range j.order {
		if t.strange || t.create == nil || t.create.ID != t.id { // a copy has no operations of its own
			continue
		}
		steps, model := j.stepsOf(t, reads[t.key])
		if len(steps) < 2 {
			continue
		}
		began := time.Now()
		j.noteOrder(t, search(model, steps, min(left, longestSearch)), len(steps))
		left = max(1, left-time.Since(began)) // 0 would be no bound
	}
}

func search(model porcupine.Model, steps []porcupine.Operation, bound time.Duration) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(model, steps, bound)
}

func (j *judge) noteOrder(t *thing, found porcupine.CheckResult, n int) {
	switch found {
	case porcupine.Illegal:
		j.figures.NotLinearizable.add(fmt.Sprintf("No order of the %d operations on %s at its owner explains all of their answers.", n, t))
	case porcupine.Unknown:
		j.unsearched.add(fmt.Sprintf("The order of the %d operations on %s was searched for too long.", n, t))
	}
}

// stepsOf are the operations on a thing at its owner, and what the owner is to do with them.
func (j *judge) stepsOf(t *thing, reads []*history.Operation) ([]porcupine.Operation, porcupine.Model) {
	switch t.aggregate {
	case history.Post:
		return stepsOnPost(t, reads), postModel()
	case history.Comment:
		return j.stepsOnComment(t, reads), commentModel()
	}
	return nil, porcupine.Model{}
}

// stepsOnPost leaves out what certainly had no effect, and reads that tell nothing.
func stepsOnPost(t *thing, reads []*history.Operation) []porcupine.Operation {
	var steps []porcupine.Operation
	turns := map[string]int{}
	for _, o := range t.writes {
		if !mayHaveHappened(o) || o.Sent == 0 && o.Phase == history.PhaseLoad {
			continue
		}
		s := step{Operation: o, answered: acknowledged(o), turn: turns[o.Op]}
		if !s.answered {
			turns[o.Op]++
		}
		steps = append(steps, timed(s))
	}
	return append(steps, readSteps(reads, func(*history.Operation) bool { return true })...)
}

func readSteps(reads []*history.Operation, counts func(*history.Operation) bool) []porcupine.Operation {
	var steps []porcupine.Operation
	for _, o := range reads {
		if answered(o) && o.Sent > 0 && counts(o) {
			steps = append(steps, timed(step{Operation: o, answered: true}))
		}
	}
	return steps
}

// timed gives a step its times. What has no answer may happen at any time after it was sent.
func timed(s step) porcupine.Operation {
	end := int64(forever)
	if s.answered && s.Completed >= s.Sent {
		end = int64(s.Completed)
	}
	return porcupine.Operation{Input: s, Call: int64(s.Sent), Return: end}
}

// postState is a post at its owner.
type postState struct {
	version            int64 // 0: not created yet
	deleted            bool
	updates, deletions int // without an answer, that were taken so far
}

func (s postState) there() bool { return s.version > 0 && !s.deleted }

func postModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return postState{} },
		Step: func(state, input, _ any) (bool, any) { return state.(postState).take(input.(step)) },
	}
}

// take tells whether a step can come next, and what is then.
func (s postState) take(next step) (ok bool, after any) {
	switch next.Op {
	case "CreatePost":
		return s.create(next)
	case "UpdatePost":
		return s.update(next)
	case "DeletePost":
		return s.delete(next)
	}
	if next.Outcome != history.OK {
		return !s.there(), s
	}
	return s.there() && s.version == next.Version, s
}

func (s postState) create(next step) (bool, any) {
	legal := s.version == 0 && (next.Version <= 1) || !next.answered
	if s.version == 0 {
		s.version = 1
	}
	return legal, s
}

func (s postState) update(next step) (bool, any) {
	legal := s.there() && (next.Version == s.version+1 || next.Version == 0)
	if !next.answered {
		legal = s.updates == next.turn
		s.updates++
	}
	if s.there() {
		s.version++
	}
	return legal, s
}

func (s postState) delete(next step) (bool, any) {
	legal := s.there()
	if !next.answered {
		legal = s.deletions == next.turn
		s.deletions++
	}
	if s.there() {
		s.deleted = true
	}
	return legal, s
}

// stepsOnComment adds what moderation does after the creation. That a comment is not there says nothing if its post may be gone.
func (j *judge) stepsOnComment(t *thing, reads []*history.Operation) []porcupine.Operation {
	if t.create == nil || !mayHaveHappened(t.create) || t.create.Sent == 0 && t.create.Phase == history.PhaseLoad {
		return nil
	}
	post := j.post(t)
	steps := readSteps(reads, func(o *history.Operation) bool {
		return o.Outcome == history.OK || post == nil || !post.mayBeDeleted()
	})
	if len(steps) == 0 {
		return nil
	}
	decision := step{Operation: &history.Operation{Op: decide, Sent: t.create.Sent}, status: decisionSeen(reads)}
	return append(steps, timed(step{Operation: t.create, answered: acknowledged(t.create)}), timed(decision))
}

// someDecision is one that no read showed.
const someDecision = "decided"

// decisionSeen is the first decision that a read showed.
func decisionSeen(reads []*history.Operation) string {
	for _, o := range reads {
		if o.Status == approved || o.Status == rejected {
			return o.Status
		}
	}
	return someDecision
}

// commentState is a comment at its owner. An empty status is one that nobody was told.
type commentState struct {
	version int64 // 0: not created yet
	status  string
}

func commentModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return commentState{} },
		Step: func(state, input, _ any) (bool, any) { return state.(commentState).take(input.(step)) },
	}
}

// take tells whether a step can come next, and what is then.
func (s commentState) take(next step) (ok bool, after any) {
	switch {
	case next.Op == "CreateComment":
		return s.version == 0, commentState{version: max(1, next.Version), status: next.Status}
	case next.Op == decide:
		return s.version > 0, s.decided(next.status)
	case next.Outcome != history.OK:
		return s.version == 0, s
	}
	return s.version == next.Version && s.mayShow(next.Status), s.shown(next.Status)
}

// decided is the comment after moderation's decision, which changes one that waits for it and no other.
func (s commentState) decided(status string) commentState {
	if s.status == approved || s.status == rejected || s.status == someDecision {
		return s
	}
	return commentState{version: s.version + 1, status: status}
}

func (s commentState) mayShow(status string) bool {
	if s.status == someDecision {
		return status != pending
	}
	return status == "" || s.status == "" || status == s.status
}

// shown is the comment of which a read has told the status.
func (s commentState) shown(status string) commentState {
	if status != "" && (s.status == "" || s.status == someDecision) {
		s.status = status
	}
	return s
}
