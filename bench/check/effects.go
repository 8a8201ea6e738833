package check

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"tandem/bench/history"
)

// clockSkew is by how much an effect may seem to come before its cause: effects are timed by the wall clock of the service's
// process, operations and faults by the monotonic clock of the run.
const clockSkew = 10 * time.Millisecond

// rebuild is the fault that deletes a read model: what comes after it tells every effect anew.
const rebuild = "rebuild"

// judgeEffects judges the order of the effects of each thing. They come from one process, which tells them in the order of its
// commits.
func (j *judge) judgeEffects() {
	of := map[key][]history.Effect{}
	var order []key
	for _, e := range j.h.Effects {
		k := key{e.Aggregate, e.ID}
		if of[k] == nil {
			order = append(order, k)
		}
		of[k] = append(of[k], e)
	}
	for _, k := range order {
		list := of[k]
		// What one commit made visible shows at once, in whatever order it was written down.
		slices.SortStableFunc(list, func(a, b history.Effect) int {
			return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Version, b.Version))
		})
		for _, life := range j.lives(list) {
			j.judgeSequence(k, life)
		}
		j.judgeFirstEffect(k, list)
	}
}

// lives cuts a list of effects where the read model was deleted: query goes on applying events while it is being stopped, and tells
// the first of its new life after it was asked to start again.
func (j *judge) lives(list []history.Effect) [][]history.Effect {
	var lives [][]history.Effect
	for _, f := range j.h.Faults {
		if f.Name != rebuild || f.Absent || f.LiftAsked == 0 {
			continue
		}
		n := 0
		for n < len(list) && list[n].At < f.LiftAsked {
			n++
		}
		lives, list = append(lives, list[:n]), list[n:]
	}
	return append(lives, list)
}

func (j *judge) judgeSequence(k key, list []history.Effect) {
	came := map[int64]time.Duration{} // when each version did
	newest := int64(0)
	for _, e := range list {
		before, again := came[e.Version]
		switch {
		case again:
			j.figures.Effects.Repeated.add(fmt.Sprintf("Version %d of %s showed at %s, and once more at %s.", e.Version, k, at(before), at(e.At)))
		case e.Version < newest:
			j.figures.Effects.Reordered.add(fmt.Sprintf("Version %d of %s showed at %s, after version %d.", e.Version, k, at(e.At), newest))
		}
		came[e.Version], newest = e.At, max(newest, e.Version)
	}
	j.judgeGaps(k, list)
}

// judgeGaps finds versions that are left out. A part that was killed may have committed what it had no time to tell.
func (j *judge) judgeGaps(k key, list []history.Effect) {
	byVersion := slices.Clone(list)
	slices.SortStableFunc(byVersion, func(a, b history.Effect) int { return cmp.Compare(a.Version, b.Version) })
	for i := 1; i < len(byVersion); i++ {
		before, after := byVersion[i-1], byVersion[i]
		if after.Version <= before.Version+1 || j.killed(k.aggregate, before.At, after.At) {
			continue
		}
		j.figures.Effects.Gaps.add(fmt.Sprintf("Version %d of %s showed at %s, and what came before it was version %d.",
			after.Version, k, at(after.At), before.Version))
	}
}

// judgeFirstEffect: a post that the load created shows as its first version first. Of a comment in async that is on no page.
func (j *judge) judgeFirstEffect(k key, list []history.Effect) {
	t := j.things[k]
	if k.aggregate != history.Post || t == nil || t.create == nil || t.create.Phase != history.PhaseLoad {
		return
	}
	first := slices.MinFunc(list, func(a, b history.Effect) int { return cmp.Compare(a.Version, b.Version) })
	if first.Version > 1 && !j.killed(k.aggregate, t.create.Sent, first.At) {
		j.figures.Effects.Gaps.add(fmt.Sprintf("The first that showed of %s was version %d, at %s.", k, first.Version, at(first.At)))
	}
}

// killed tells whether the part that tells the effects of an aggregate was broken at some time between two effects.
func (j *judge) killed(a history.Aggregate, from, until time.Duration) bool {
	for _, f := range j.h.Faults {
		up := f.Lifted
		if up == 0 {
			up = until
		}
		if !f.Absent && f.Victim == j.teller(a) && f.Asked-clockSkew <= until && from <= up {
			return true
		}
	}
	return false
}

// teller is the part whose commits make the changes of an aggregate visible on query's pages.
func (j *judge) teller(a history.Aggregate) string {
	switch {
	case j.h.Header.Stack == async:
		return "query"
	case a == history.Post:
		return "posts"
	case a == history.Comment:
		return "comments"
	}
	return "subscriptions"
}

// String names the thing in a sentence.
func (k key) String() string { return string(k.aggregate) + " " + short(k.id) }
