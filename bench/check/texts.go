package check

import (
	"fmt"
	"slices"

	"tandem/bench/history"
)

// judgeTexts compares what a post or a comment says, and who wrote it, with what was asked for.
func (j *judge) judgeTexts(t *thing) {
	for _, s := range t.looks() {
		if !s.final.Present {
			continue
		}
		if by, wrong := t.wrongText(s.final); wrong {
			j.figures.WrongText.add(fmt.Sprintf("%s has in %s another text than %s gave it.", capital(t), where(s.view), name(by)))
		}
		if t.create != nil && s.final.Author != "" && t.create.Author != "" && s.final.Author != t.create.Author {
			j.figures.WrongText.add(fmt.Sprintf("%s is by %s in %s, and %s wrote it.", capital(t), s.final.Author, where(s.view), t.create.Author))
		}
	}
}

// wrongText tells whether a text is none of those that the writes of its version gave, and names one of these writes.
func (t *thing) wrongText(f *history.Final) (by *history.Operation, wrong bool) {
	writers := t.writersOf(f.Version)
	if f.Text == "" || len(writers) == 0 {
		return nil, false
	}
	same := func(o *history.Operation) bool { return o.Text == "" || o.Text == f.Text }
	return writers[0], !slices.ContainsFunc(writers, same)
}

// writersOf are the writes that may have given a thing the text that it has at a version: the creation, the update that was
// acknowledged as this version, or else those without an answer.
func (t *thing) writersOf(version int64) []*history.Operation {
	switch {
	case t.create != nil && (t.aggregate == history.Comment || version <= 1):
		return []*history.Operation{t.create}
	case t.aggregate != history.Post:
		return nil
	}
	if acked := t.all("UpdatePost", func(o *history.Operation) bool { return acknowledged(o) && o.Version == version }); len(acked) > 0 {
		return acked
	}
	return t.all("UpdatePost", func(o *history.Operation) bool { return !acknowledged(o) && mayHaveHappened(o) })
}
