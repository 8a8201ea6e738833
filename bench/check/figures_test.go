package check

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/history"
)

// The helpers below add to a run what readers, services and the broker tell.

// by makes an operation that of a client.
func by(client int) change { return func(o *history.Operation) { o.Client = client } }

// saying gives a write its text.
func saying(text string) change { return func(o *history.Operation) { o.Text = text } }

func writtenBy(author string) change { return func(o *history.Operation) { o.Author = author } }

// of makes a run one of a stack, with three clients. Each read succeeds once, so that those of a row need not.
func (r *run) of(stack string) *run {
	r.h.Header.Stack, r.h.Header.Clients = stack, 3
	for _, op := range []string{"GetPost", "GetPostPage", "GetComment"} {
		r.write(history.Operation{Op: op}, []change{func(o *history.Operation) { o.Intended += 8 * time.Second }})
	}
	r.now = time.Second
	return r
}

// read adds a read of one thing that showed a version; of version 0 it was not found.
func (r *run) read(op, id string, v int64, c ...change) *run {
	a := history.Post
	if op == "GetComment" {
		a = history.Comment
	}
	o := history.Operation{Op: op, Aggregate: a, ID: id, Version: v}
	if v == 0 {
		c = append([]change{failed}, c...)
	}
	return r.write(o, c)
}

// status gives a read or a creation the status that its answer told.
func withStatus(s string) change { return func(o *history.Operation) { o.Status = s } }

// look adds a look at the write that was added last.
func (r *run) look(shown bool) *run {
	r.now += 100 * time.Millisecond
	var write int64
	for _, o := range r.h.Operations {
		if o.IsWrite() {
			write = o.Index
		}
	}
	r.h.Looks = append(r.h.Looks, history.Look{Write: write, Sent: r.now, Completed: r.now + 1, Code: "OK", Shown: shown})
	return r
}

// told adds the effects of a post, one every 100 ms, by their versions.
func (r *run) told(id string, versions ...int64) *run { return r.toldOf(history.Post, id, versions...) }

func (r *run) toldOf(a history.Aggregate, id string, versions ...int64) *run {
	for _, v := range versions {
		r.now += 100 * time.Millisecond
		r.h.Effects = append(r.h.Effects, history.Effect{Aggregate: a, ID: id, Version: v, At: r.now})
	}
	return r
}

// logged adds a record of each acknowledged write of the load.
func (r *run) logged() *run {
	for _, o := range r.h.Operations {
		if o.Phase != history.PhaseLoad || !acknowledged(o) || versionOf(o) == 0 {
			continue
		}
		v, event := versionOf(o), map[string]string{"CreatePost": "PostCreated", "UpdatePost": "PostUpdated", "DeletePost": "PostDeleted",
			"CreateComment": "CommentCreated", "Subscribe": "AuthorFollowed", "Unsubscribe": "AuthorUnfollowed"}[o.Op]
		if v == gone {
			v = 2
		}
		r.record(event, o.Aggregate, subject(o).id, v)
	}
	return r
}

// record adds a record to the log.
func (r *run) record(event string, a history.Aggregate, id string, v int64) *run {
	n := int64(len(r.h.Records))
	r.h.Records = append(r.h.Records, history.Record{Topic: "blog." + string(a), Offset: n, Key: id, EventID: event + id + string(rune('0'+v)),
		Source: "/posts", EventType: "event.v1." + event, Aggregate: a, ID: id, Version: v})
	return r
}

// lastRecord changes the record that was added last.
func (r *run) lastRecord(change func(*history.Record)) *run {
	change(&r.h.Records[len(r.h.Records)-1])
	return r
}

// unlogged takes the records of a version out of the log.
func (r *run) unlogged(id string, v int64) *run {
	r.h.Records = slices.DeleteFunc(r.h.Records, func(x history.Record) bool { return x.ID == id && x.Version == v })
	return r
}

// with changes the finals in a view.
func (r *run) with(v history.View, id string, change func(*history.Final)) *run {
	for i := range r.h.Finals {
		if f := &r.h.Finals[i]; f.View == v && f.ID == id {
			change(f)
		}
	}
	return r
}

func listing(n int64, digest string) func(*history.Final) {
	return func(f *history.Final) { f.Posts, f.List = n, digest }
}

func text(s string) func(*history.Final) { return func(f *history.Final) { f.Text = s } }

// proof is a history that a figure must count, and its sound twin that the figure must not count.
type proof struct {
	breaks  *run
	verdict Verdict // of breaks
	holds   *run    // valid
}

// proofs has a row for each figure, by its place in the JSON of Figures.
func proofs() map[string]proof {
	const post, comment = history.Post, history.Comment
	read := newRun().of("sync").post("p").saw("p", 1, 0)
	return map[string]proof{
		"attempted":    {newRun(), Valid, onlyReads()},
		"acknowledged": {newRun(), Valid, onlyReads()},
		"failed":       {newRun().post("p", failed), Valid, newRun().post("p").saw("p", 1, 0)},
		"unknown":      {newRun().post("p", noReply), Valid, newRun().post("p").saw("p", 1, 0)},
		"recovered":    {newRun().post("p", noReply).saw("p", 1, 0), Valid, newRun().post("p", noReply)},
		"half_done": {newRun().post("p").saw("p", 1, 0).comment("c", "p").delete("p", unknown).missed(comment, "c"), Valid,
			newRun().post("p").saw("p", 1, 1).comment("c", "p").delete("p", unknown).sawComment("c", approved)},
		"lost.store":            {newRun().post("p").missed(post, "p", store).saw("p", 1, 0, page), Invalid, newRun().post("p").saw("p", 1, 0)},
		"lost.read_model":       {newRun().post("p").saw("p", 1, 0, store).missed(post, "p", page), Invalid, newRun().post("p").saw("p", 1, 0)},
		"lost.log":              {newRun().post("p").saw("p", 1, 0).logged().unlogged("p", 1), Invalid, newRun().post("p").saw("p", 1, 0).logged()},
		"duplicated.store":      {newRun().post("p").saw("p", 1, 0).copied(post, "q", "ref-p"), Invalid, newRun().post("p").saw("p", 1, 0)},
		"duplicated.read_model": {newRun().post("p").saw("p", 1, 0).copied(post, "q", "ref-p"), Invalid, newRun().post("p").saw("p", 1, 0)},
		"unexpected.store":      {newRun().copied(post, "q", "nobody's"), Invalid, newRun().post("q").copied(post, "q", "ref-q")},
		"unexpected.read_model": {newRun().copied(post, "q", "nobody's"), Invalid, newRun().post("q").copied(post, "q", "ref-q")},
		"counter_drift":         {newRun().subscribe("ann", "bob").counted("ann", 1, 2), Invalid, newRun().subscribe("ann", "bob").counted("ann", 1, 1)},
		"wrong_status":          {newRun().comment("c", "p", blocked).sawComment("c", approved), Invalid, newRun().comment("c", "p").sawComment("c", approved)},
		"wrong_text": {newRun().post("p", saying("a")).saw("p", 1, 0).with(page, "p", text("b")), Invalid,
			newRun().post("p", saying("a")).saw("p", 1, 0).with(page, "p", text("a"))},
		"wrong_list": {newRun().counted("ann", 0, 0).with(store, "ann", listing(2, "x")).with(page, "ann", listing(2, "y")), Invalid,
			newRun().counted("ann", 0, 0).with(store, "ann", listing(2, "x")).with(page, "ann", listing(2, "x"))},
		"read_your_writes": {newRun().of("sync").post("p").saw("p", 1, 0).look(false), Invalid, newRun().of("sync").post("p").saw("p", 1, 0).look(true)},
		"monotonic_reads": {newRun().of("sync").post("p").saw("p", 1, 0).read("GetPostPage", "p", 1).read("GetPostPage", "p", 0), Invalid,
			newRun().of("sync").post("p").saw("p", 1, 0).read("GetPostPage", "p", 1).read("GetPostPage", "p", 1)},
		"read_your_writes_at_owner": {newRun().of("async").post("p").saw("p", 1, 0).read("GetPost", "p", 0), Invalid,
			newRun().of("async").post("p").saw("p", 1, 0).read("GetPostPage", "p", 0)},
		"stale": {newRun().of("sync").post("p").update("p").saw("p", 2, 0).read("GetPostPage", "p", 1, by(1)), Invalid,
			newRun().of("sync").post("p").update("p").saw("p", 2, 0).read("GetPostPage", "p", 2, by(1))},
		"stale_writes": {newRun().of("async").post("p").saw("p", 1, 0).look(false).look(true), Valid, read.look(true)},
		"effects.reordered": {newRun().post("p").update("p").saw("p", 2, 0).told("p", 2, 1), Invalid,
			newRun().post("p").update("p").saw("p", 2, 0).told("p", 1, 2)},
		"effects.repeated": {newRun().post("p").saw("p", 1, 0).told("p", 1, 1), Invalid, newRun().post("p").saw("p", 1, 0).told("p", 1)},
		"effects.gaps": {newRun().post("p").update("p").update("p", version(3)).saw("p", 3, 0).told("p", 1, 3), Invalid,
			newRun().post("p").update("p").update("p", version(3)).saw("p", 3, 0).told("p", 1, 2, 3)},
		"log.reordered": {newRun().logged().record("PostUpdated", post, "x", 3).record("PostUpdated", post, "x", 2), Invalid,
			newRun().logged().record("PostUpdated", post, "x", 2).record("PostUpdated", post, "x", 3)},
		"log.repeated": {newRun().logged().record("PostUpdated", post, "x", 3).record("PostUpdated", post, "x", 3), Valid,
			newRun().logged().record("PostUpdated", post, "x", 3).record("PostUpdated", post, "x", 4)},
		"log.gaps": {newRun().logged().record("PostUpdated", post, "x", 3).record("PostUpdated", post, "x", 5), Invalid,
			newRun().logged().record("PostUpdated", post, "x", 3).record("PostUpdated", post, "x", 4)},
		"not_linearizable": {newRun().of("async").post("p").update("p").saw("p", 2, 0).read("GetPost", "p", 1, by(1)), Invalid,
			newRun().of("async").post("p").update("p").saw("p", 2, 0).read("GetPost", "p", 2, by(1))},
		"dead_letters": {newRun().logged().record("PostUpdated", post, "x", 3).lastRecord(deadLetter), Valid, newRun().logged()},
		"passed_over": {newRun().logged().record("PostUpdated", post, "x", 3).lastRecord(garbled), Invalid,
			newRun().logged().record("PostUpdated", post, "x", 3).lastRecord(garbled).record("PostUpdated", post, "x", 3).lastRecord(deadLetter)},
		"never_read": {newRun().post("p"), Unknown, newRun().post("p").saw("p", 1, 0)},
	}
}

func deadLetter(r *history.Record) { r.Topic, r.Reason = "blog.dead-letter", "it cannot be applied" }

func garbled(r *history.Record) {
	r.Aggregate, r.ID, r.Version, r.Problem = "", "", 0, "not a PostUpdated"
}

// onlyReads is a sound run in which nobody writes.
func onlyReads() *run {
	r := newRun()
	r.h.Operations = slices.DeleteFunc(r.h.Operations, func(o *history.Operation) bool { return o.IsWrite() })
	r.h.Finals = nil
	return r
}

// figuresIn returns all figures of a struct, by their place in its JSON.
func figuresIn(v reflect.Value, place string, into map[string]Figure) map[string]Figure {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name := place + strings.Split(field.Tag.Get("json"), ",")[0]
		switch f := v.Field(i).Interface().(type) {
		case Figure:
			into[name] = f
		case ByView: // also where it is embedded
			figuresIn(v.Field(i), strings.TrimSuffix(name, ".")+".", into)
		case Lost, Sequence:
			figuresIn(v.Field(i), name+".", into)
		}
	}
	return into
}

func figuresOf(f Figures) map[string]Figure {
	return figuresIn(reflect.ValueOf(f), "", map[string]Figure{})
}

// TestEachFigureCanFail: a checker that cannot fail proves nothing. A new figure without a proof fails here.
func TestEachFigureCanFail(t *testing.T) {
	rows := proofs()
	require.ElementsMatch(t, slices.Collect(maps.Keys(figuresOf(Figures{}))), slices.Collect(maps.Keys(rows)), "one proof for each figure")
	for name, p := range rows {
		t.Run(name, func(t *testing.T) {
			broken := Check(p.breaks.h)
			figure := figuresOf(broken.Figures)[name]
			require.Positive(t, figure.Count, "%+v", broken)
			if name != "attempted" && name != "acknowledged" {
				require.Len(t, figure.Examples, figure.Count)
			}
			require.Equal(t, p.verdict, broken.Verdict, "%q", broken.Reasons)
			requireSentences(t, broken)
			sound := Check(p.holds.h)
			require.Zero(t, figuresOf(sound.Figures)[name].Count, "%+v", sound)
			require.Equal(t, Valid, sound.Verdict, "%q", sound.Reasons)
		})
	}
}
