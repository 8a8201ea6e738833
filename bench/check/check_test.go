package check

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/history"
)

// The rows below use short names of the two views.
const (
	store = history.ViewStore
	page  = history.ViewPage
)

// run builds a history by hand. It starts as a sound run of 10 s with a read every 100 ms and one confirmed fault; each write
// that is added comes 100 ms after the one before it.
type run struct {
	h   *history.History
	now time.Duration
}

func newRun() *run {
	r := &run{now: time.Second, h: &history.History{
		Header: history.Header{Schema: 1, OfferedRate: 10, Length: 10 * time.Second, Deadline: time.Second},
		Faults: []history.Fault{{Name: "kill", Victim: "posts", Asked: 5 * time.Second, InEffect: 5100 * time.Millisecond,
			LiftAsked: 7 * time.Second, Lifted: 7100 * time.Millisecond, End: 9 * time.Second}},
		Drained: 12 * time.Second, Complete: true,
	}}
	for i := range 100 {
		at := time.Second + time.Duration(i)*100*time.Millisecond
		r.h.Operations = append(r.h.Operations, &history.Operation{Index: int64(i), Phase: history.PhaseLoad, Op: "ListFeed",
			Intended: at, Sent: at, Completed: at + 1, Attempts: 1, Outcome: history.OK, Code: "OK"})
	}
	return r.eachWriteOnce()
}

// eachWriteOnce adds one success of every write, after the fault, so that a row may let its own fail.
func (r *run) eachWriteOnce() *run {
	late := func(o *history.Operation) { o.Intended += 8 * time.Second }
	r.post("base", late).update("base", late).saw("base", 2, 0)
	r.post("gone", late).delete("gone", late).missed(history.Post, "gone")
	r.comment("c-base", "p-base", late)
	for _, v := range both(nil) {
		r.final(history.Final{View: v, Aggregate: history.Comment, ID: "c-base", Present: true, Ref: "ref-c-base", PostID: "p-base", Status: approved})
	}
	r.subscribe("base", "bob", late).unsubscribe("base", "eve", late).counted("base", 1, 1)
	r.now = time.Second
	return r
}

// change changes an operation that is being added.
type change func(*history.Operation)

func unknown(o *history.Operation) {
	o.Outcome, o.Code, o.Completed = history.Unknown, "UNAVAILABLE", 0
}
func failed(o *history.Operation)  { o.Outcome, o.Code = history.Fail, "NOT_FOUND" }
func noReply(o *history.Operation) { unknown(o); o.ID = "" }
func retried(o *history.Operation) { o.Attempts = 2 }
func blocked(o *history.Operation) { o.Blocked = true }
func preload(o *history.Operation) { o.Phase = history.PhasePreload }
func atOnce(o *history.Operation)  { o.Sent -= 200 * time.Millisecond }
func unsent(o *history.Operation)  { o.Outcome, o.Code, o.Sent, o.Attempts = history.Fail, "", 0, 0 }
func version(v int64) change       { return func(o *history.Operation) { o.Version = v } }

func (r *run) write(o history.Operation, changes []change) *run {
	r.now += 100 * time.Millisecond
	o.Phase, o.Intended, o.Sent, o.Completed = history.PhaseLoad, r.now, r.now, r.now+1
	o.Attempts, o.Outcome, o.Code, o.Index = 1, history.OK, "OK", int64(len(r.h.Operations))
	for _, c := range changes {
		c(&o)
	}
	r.h.Operations = append(r.h.Operations, &o)
	return r
}

func (r *run) post(id string, c ...change) *run {
	return r.write(history.Operation{Op: "CreatePost", Aggregate: history.Post, ID: id, Ref: "ref-" + id, Version: 1}, c)
}
func (r *run) update(id string, c ...change) *run {
	return r.write(history.Operation{Op: "UpdatePost", Aggregate: history.Post, ID: id, Version: 2}, c)
}
func (r *run) delete(id string, c ...change) *run {
	return r.write(history.Operation{Op: "DeletePost", Aggregate: history.Post, ID: id}, c)
}
func (r *run) comment(id, post string, c ...change) *run {
	return r.write(history.Operation{Op: "CreateComment", Aggregate: history.Comment, ID: id, Ref: "ref-" + id, PostID: post}, c)
}
func (r *run) subscribe(author, follower string, c ...change) *run {
	return r.write(history.Operation{Op: "Subscribe", Aggregate: history.Author, ID: author, Author: author, Follower: follower}, c)
}
func (r *run) unsubscribe(author, follower string, c ...change) *run {
	return r.write(history.Operation{Op: "Unsubscribe", Aggregate: history.Author, ID: author, Author: author, Follower: follower}, c)
}

func (r *run) final(f history.Final) *run {
	if f.View == store && (f.Status == approved || f.Status == rejected) && f.Verdict == "" {
		f.Verdict = f.Status // as moderation keeps it
	}
	r.h.Finals = append(r.h.Finals, f)
	return r
}

// saw adds finals of a post: its version and its count of comments, in each view.
func (r *run) saw(id string, v, count int64, views ...history.View) *run {
	for _, view := range both(views) {
		r.final(history.Final{View: view, Aggregate: history.Post, ID: id, Present: true, Version: v, Ref: "ref-" + id, Count: count})
	}
	return r
}

// sawComment adds finals of a comment of post p with a status.
func (r *run) sawComment(id, status string, views ...history.View) *run {
	for _, view := range both(views) {
		r.final(history.Final{View: view, Aggregate: history.Comment, ID: id, Present: true, Ref: "ref-" + id, PostID: "p", Status: status})
	}
	return r
}

// reviewed adds the final of a comment that moderation knows and no store holds.
func (r *run) reviewed(id, post string) *run {
	return r.final(history.Final{View: history.ViewReview, Aggregate: history.Comment, ID: id, Ref: "ref-" + id, PostID: post, Present: true})
}

// ruled sets what moderation says of a comment; forgot has it say nothing.
func (r *run) ruled(id, verdict string) *run {
	for i := range r.h.Finals {
		if f := &r.h.Finals[i]; f.ID == id && f.View == store {
			f.Verdict = verdict
		}
	}
	return r
}
func (r *run) forgot(id string) *run { return r.ruled(id, "") }

// missed adds finals that say that a thing is not there.
func (r *run) missed(a history.Aggregate, id string, views ...history.View) *run {
	for _, view := range both(views) {
		r.final(history.Final{View: view, Aggregate: a, ID: id})
	}
	return r
}

func (r *run) counted(author string, inStore, onPage int64) *run {
	r.final(history.Final{View: store, Aggregate: history.Author, ID: author, Present: true, Count: inStore})
	return r.final(history.Final{View: page, Aggregate: history.Author, ID: author, Present: true, Count: onPage})
}

// copied adds a final of a second post with the text of the first.
func (r *run) copied(a history.Aggregate, id, ref string, views ...history.View) *run {
	for _, view := range both(views) {
		r.final(history.Final{View: view, Aggregate: a, ID: id, Present: true, Version: 1, Ref: ref, PostID: map[bool]string{true: "p"}[a == history.Comment], Status: approved})
	}
	return r
}

func both(views []history.View) []history.View {
	if len(views) == 0 {
		return []history.View{store, page}
	}
	return views
}

// bad lists the figures that make a run invalid, and the recovered writes, as "lost.store 1, recovered 2".
func bad(f Figures) string {
	var list []string
	for _, x := range []struct {
		name   string
		figure Figure
	}{
		{"lost.store", f.Lost.Store}, {"lost.read_model", f.Lost.ReadModel},
		{"duplicated.store", f.Duplicated.Store}, {"duplicated.read_model", f.Duplicated.ReadModel},
		{"unexpected.store", f.Unexpected.Store}, {"unexpected.read_model", f.Unexpected.ReadModel},
		{"drift", f.CounterDrift}, {"status", f.WrongStatus}, {"recovered", f.Recovered}, {"half", f.HalfDone}, {"unseen", f.NeverRead},
	} {
		if x.figure.Count > 0 {
			list = append(list, fmt.Sprintf("%s %d", x.name, x.figure.Count))
		}
	}
	return strings.Join(list, ", ")
}

func TestFigures(t *testing.T) {
	const post, comment = history.Post, history.Comment
	pending := "PENDING"
	for _, tt := range []struct {
		name    string
		run     *run
		want    string // as bad says it
		verdict Verdict
	}{
		// Creating posts.
		{"nothing_written", newRun(), "", Valid},
		{"post_is_there", newRun().post("p").saw("p", 1, 0), "", Valid},
		{"post_of_preload_is_there", newRun().post("p", preload).saw("p", 1, 0), "", Valid},
		{"post_of_preload_outside_the_sample", newRun().post("p", preload), "", Valid},
		{"post_missing_from_both", newRun().post("p").missed(post, "p"), "lost.store 1, lost.read_model 1", Invalid},
		{"post_missing_from_store", newRun().post("p").missed(post, "p", store).saw("p", 1, 0, page), "lost.store 1", Invalid},
		{"post_missing_from_page", newRun().post("p").saw("p", 1, 0, store).missed(post, "p", page), "lost.read_model 1", Invalid},
		{"post_of_preload_missing", newRun().post("p", preload).missed(post, "p"), "lost.store 1, lost.read_model 1", Invalid},
		{"unknown_post_nowhere", newRun().post("p", noReply), "", Valid},
		{"unknown_post_happened", newRun().post("p", noReply).saw("p", 1, 0), "recovered 1", Valid},
		{"unknown_post_missing_from_page", newRun().post("p", noReply).saw("p", 1, 0, store).missed(post, "p", page), "lost.read_model 1, recovered 1", Invalid},
		{"unknown_post_on_page_only", newRun().post("p", noReply).missed(post, "p", store).saw("p", 1, 0, page), "unexpected.read_model 1, recovered 1", Invalid},
		{"post_never_read", newRun().post("p"), "unseen 1", Unknown},
		{"post_never_read_on_page", newRun().post("p").saw("p", 1, 0, store), "unseen 1", Unknown},
		{"unknown_post_seen_in_one_view", newRun().post("p", noReply).saw("p", 1, 0, page), "recovered 1, unseen 1", Unknown},
		{"answer_without_id_never_read", newRun().post("p", func(o *history.Operation) { o.ID = "" }), "unseen 1", Unknown},
		{"answer_without_id_found", newRun().post("p", func(o *history.Operation) { o.ID = "" }).saw("p", 1, 0), "", Valid},
		{"answer_without_id_missing_from_store", newRun().post("p", func(o *history.Operation) { o.ID = "" }).missed(post, "p", store).saw("p", 1, 0, page), "lost.store 1", Invalid},

		// Doubled and unexpected.
		{"post_twice_in_store", newRun().post("p").saw("p", 1, 0).copied(post, "q", "ref-p", store).missed(post, "q", page), "lost.read_model 1, duplicated.store 1", Invalid},
		{"post_twice_in_both", newRun().post("p").saw("p", 1, 0).copied(post, "q", "ref-p"), "duplicated.store 1, duplicated.read_model 1", Invalid},
		{"unknown_post_twice", newRun().post("p", noReply).saw("p", 1, 0).copied(post, "q", "ref-p"), "duplicated.store 1, duplicated.read_model 1, recovered 1", Invalid},
		{"comment_three_times_on_page", newRun().post("p").saw("p", 1, 3).comment("c", "p").sawComment("c", approved).copied(comment, "d", "ref-c").copied(comment, "e", "ref-c"), "duplicated.store 2, duplicated.read_model 2", Invalid},
		{"post_nobody_asked_for", newRun().copied(post, "x", "ref-of-nobody"), "unexpected.store 1, unexpected.read_model 1", Invalid},
		{"post_nobody_asked_for_on_page", newRun().copied(post, "x", "ref-of-nobody", page), "unexpected.read_model 1", Invalid},
		{"comment_without_reference", newRun().copied(comment, "x", "", store), "unexpected.store 1", Invalid},
		{"failed_post_is_there", newRun().post("p", failed).saw("p", 1, 0), "unexpected.store 1, unexpected.read_model 1", Invalid},
		{"never_sent_post_is_there", newRun().post("p", unsent).saw("p", 1, 0, page), "unexpected.read_model 1", Invalid},
		{"failed_at_the_retry_is_there", newRun().post("p", failed, retried).saw("p", 1, 0), "", Valid},
		{"post_with_the_text_of_another", newRun().post("p").saw("p", 1, 0).post("q").copied(post, "q", "ref-p", page).copied(post, "q", "ref-q", store), "unexpected.read_model 1", Invalid},
		{"comment_under_another_post", newRun().comment("c", "z").sawComment("c", approved), "unexpected.store 1, unexpected.read_model 1", Invalid},

		// Deleting posts.
		{"deleted", newRun().post("p").delete("p").missed(post, "p"), "", Valid},
		{"deleted_still_in_store", newRun().post("p").delete("p").saw("p", 1, 0, store).missed(post, "p", page), "lost.store 1", Invalid},
		{"deleted_still_on_page", newRun().post("p").delete("p").saw("p", 1, 0, page).missed(post, "p", store), "lost.read_model 1", Invalid},
		{"unknown_delete_did_not_happen", newRun().post("p").delete("p", unknown).saw("p", 1, 0), "", Valid},
		{"unknown_delete_happened", newRun().post("p").delete("p", unknown).missed(post, "p"), "recovered 1", Valid},
		{"unknown_delete_in_store_only", newRun().post("p").delete("p", unknown).missed(post, "p", store).saw("p", 1, 0, page), "unexpected.read_model 1, recovered 1", Invalid},
		{"unknown_delete_on_page_only", newRun().post("p").delete("p", unknown).saw("p", 1, 0, store).missed(post, "p", page), "lost.read_model 1", Invalid},
		{"failed_delete_happened", newRun().post("p").delete("p", failed).missed(post, "p"), "lost.store 1, lost.read_model 1", Invalid},
		{"delete_failed_at_the_retry_happened", newRun().post("p").delete("p", failed, retried).missed(post, "p"), "", Valid},

		// Updating posts.
		{"updated", newRun().post("p").update("p").saw("p", 2, 0), "", Valid},
		{"update_missing_from_both", newRun().post("p").update("p").saw("p", 1, 0), "lost.store 1, lost.read_model 1", Invalid},
		{"update_missing_from_page", newRun().post("p").update("p").saw("p", 2, 0, store).saw("p", 1, 0, page), "lost.read_model 1", Invalid},
		{"two_updates_missing_from_store", newRun().post("p").update("p").update("p", version(3)).saw("p", 1, 0, store).saw("p", 3, 0, page), "lost.store 2", Invalid},
		{"two_updates_told_the_same_version", newRun().post("p").update("p").update("p").saw("p", 2, 0), "lost.store 1, lost.read_model 1", Invalid},
		{"unknown_update_did_not_happen", newRun().post("p").update("p", unknown).saw("p", 1, 0), "", Valid},
		{"unknown_update_happened", newRun().post("p").update("p", unknown).saw("p", 2, 0), "recovered 1", Valid},
		{"unknown_update_missing_from_page", newRun().post("p").update("p", unknown).saw("p", 2, 0, store).saw("p", 1, 0, page), "lost.read_model 1, recovered 1", Invalid},
		{"unknown_update_on_page_only", newRun().post("p").update("p", unknown).saw("p", 1, 0, store).saw("p", 2, 0, page), "unexpected.read_model 1", Invalid},
		{"update_applied_twice_in_store", newRun().post("p").update("p").saw("p", 3, 0), "duplicated.store 1, duplicated.read_model 1", Invalid},
		{"update_applied_twice_on_page", newRun().post("p").update("p").saw("p", 2, 0, store).saw("p", 3, 0, page), "duplicated.read_model 1, unexpected.read_model 1", Invalid},
		{"failed_update_happened", newRun().post("p").update("p", failed).saw("p", 2, 0), "duplicated.store 1, duplicated.read_model 1", Invalid},
		{"update_of_a_deleted_post", newRun().post("p").update("p").delete("p").missed(post, "p"), "", Valid},

		// Comments.
		{"comment_approved", newRun().post("p").saw("p", 1, 1).comment("c", "p").sawComment("c", approved), "", Valid},
		{"comment_rejected", newRun().post("p").saw("p", 1, 0).comment("c", "p", blocked).sawComment("c", rejected, store).missed(comment, "c", page), "", Valid},
		{"comment_missing_from_both", newRun().comment("c", "p").missed(comment, "c"), "lost.store 1, lost.read_model 1", Invalid},
		{"comment_missing_from_store", newRun().comment("c", "p").missed(comment, "c", store).sawComment("c", "", page), "lost.store 1", Invalid},
		{"comment_missing_from_page", newRun().comment("c", "p").sawComment("c", approved, store).missed(comment, "c", page), "lost.read_model 1", Invalid},
		{"rejected_comment_missing_from_store", newRun().comment("c", "p", blocked).missed(comment, "c"), "lost.store 1", Invalid},
		{"rejected_comment_on_page", newRun().comment("c", "p", blocked).sawComment("c", rejected), "unexpected.read_model 1", Invalid},
		{"lost_rejected_comment_on_page", newRun().comment("c", "p", blocked).missed(comment, "c", store).sawComment("c", "", page), "lost.store 1, unexpected.read_model 1", Invalid},
		{"comment_still_pending", newRun().comment("c", "p").sawComment("c", pending, store).missed(comment, "c", page), "status 1", Invalid},
		{"pending_comment_on_page", newRun().comment("c", "p").sawComment("c", pending), "unexpected.read_model 1, status 1", Invalid},
		{"blocked_comment_approved", newRun().comment("c", "p", blocked).sawComment("c", approved), "status 1", Invalid},
		{"good_comment_rejected", newRun().comment("c", "p").sawComment("c", rejected, store).missed(comment, "c", page), "status 1", Invalid},
		{"comment_without_status", newRun().comment("c", "p").sawComment("c", "", store).missed(comment, "c", page), "status 1", Invalid},
		{"unknown_comment_happened", newRun().comment("c", "p", noReply).sawComment("c", approved), "recovered 1", Valid},
		{"unknown_comment_missing_from_page", newRun().comment("c", "p", noReply).sawComment("c", approved, store).missed(comment, "c", page), "lost.read_model 1, recovered 1", Invalid},
		{"unknown_comment_on_page_only", newRun().comment("c", "p", noReply).missed(comment, "c", store).sawComment("c", "", page), "unexpected.read_model 1, recovered 1", Invalid},
		{"comment_never_read", newRun().comment("c", "p"), "unseen 1", Unknown},
		{"comment_of_a_deleted_post", newRun().post("p").comment("c", "p").delete("p").missed(post, "p").missed(comment, "c"), "", Valid},
		{"comment_of_a_deleted_post_never_read", newRun().post("p").comment("c", "p").delete("p").missed(post, "p"), "", Valid},
		{"comment_outlives_its_post", newRun().post("p").comment("c", "p").delete("p").missed(post, "p").sawComment("c", approved), "unexpected.store 1, unexpected.read_model 1", Invalid},
		{"unknown_delete_took_post_and_comment", newRun().post("p").comment("c", "p").delete("p", unknown).missed(post, "p").missed(comment, "c"), "recovered 1", Valid},
		{"reviewed_and_not_stored", newRun().post("p").saw("p", 1, 0).comment("c", "p", noReply).reviewed("c", "p"), "half 1", Valid},
		{"reviewed_under_half_a_deletion", newRun().post("p").saw("p", 1, 0).comment("c", "p", unknown).delete("p", unknown).reviewed("c", "p"), "half 1", Valid},
		{"unknown_delete_took_the_comment_only", newRun().post("p").saw("p", 1, 0).comment("c", "p").delete("p", unknown).missed(comment, "c"), "half 1", Valid},
		{"unknown_delete_took_one_of_two_comments", newRun().post("p").saw("p", 1, 1).comment("c", "p").comment("d", "p").sawComment("d", approved).delete("p", unknown).missed(comment, "c"), "lost.store 1, lost.read_model 1", Invalid},
		{"verdict_missing", newRun().comment("c", "p").sawComment("c", approved).forgot("c"), "lost.store 1", Invalid},
		{"verdict_differs", newRun().comment("c", "p").sawComment("c", approved).ruled("c", rejected), "status 1", Invalid},

		// Counters of comments.
		{"comments_counted_wrong_on_page", newRun().post("p").saw("p", 1, 1, store).saw("p", 1, 2, page).comment("c", "p").sawComment("c", approved), "drift 1", Invalid},
		{"comments_counted_wrong_in_both", newRun().post("p").saw("p", 1, 2).comment("c", "p").sawComment("c", approved), "drift 1", Invalid},
		{"comments_counted_too_few", newRun().post("p").saw("p", 1, 0).comment("c", "p").sawComment("c", approved), "drift 1", Invalid},
		{"rejected_comment_counted", newRun().post("p").saw("p", 1, 1).comment("c", "p", blocked).sawComment("c", rejected, store).missed(comment, "c", page), "drift 1", Invalid},
		{"comments_of_preload_outside_the_sample", newRun().post("p", preload).comment("c", "p", preload).comment("d", "p", preload, blocked).saw("p", 1, 1), "", Valid},
		{"blocked_comment_of_preload_is_not_counted", newRun().post("p", preload).comment("d", "p", preload, blocked).saw("p", 1, 1), "drift 1", Invalid},
		{"counts_differ_within_what_is_not_known", newRun().post("p", preload).comment("c", "p", preload).saw("p", 1, 1, store).saw("p", 1, 0, page), "drift 1", Invalid},
		{"comments_of_preload_counted_wrong", newRun().post("p", preload).comment("c", "p", preload).saw("p", 1, 2), "drift 1", Invalid},

		// Counters of subscribers.
		{"subscribed", newRun().subscribe("ann", "bob").counted("ann", 1, 1), "", Valid},
		{"subscribers_differ", newRun().subscribe("ann", "bob").counted("ann", 1, 2), "drift 1", Invalid},
		{"subscription_missing", newRun().subscribe("ann", "bob").counted("ann", 0, 0), "drift 1", Invalid},
		{"subscription_twice", newRun().subscribe("ann", "bob").counted("ann", 2, 2), "drift 1", Invalid},
		{"subscribed_twice_counts_once", newRun().subscribe("ann", "bob").subscribe("ann", "bob").counted("ann", 1, 1), "", Valid},
		{"unsubscribed", newRun().subscribe("ann", "bob", preload).unsubscribe("ann", "bob").counted("ann", 0, 0), "", Valid},
		{"unsubscribe_missing", newRun().subscribe("ann", "bob", preload).unsubscribe("ann", "bob").counted("ann", 1, 1), "drift 1", Invalid},
		{"subscribed_again", newRun().subscribe("ann", "bob").unsubscribe("ann", "bob").subscribe("ann", "bob").counted("ann", 1, 1), "", Valid},
		{"subscribed_and_unsubscribed_at_once", newRun().subscribe("ann", "bob").unsubscribe("ann", "bob", atOnce).counted("ann", 1, 1), "", Valid},
		{"unknown_subscription_did_not_happen", newRun().subscribe("ann", "bob", unknown).counted("ann", 0, 0), "", Valid},
		{"unknown_subscription_happened", newRun().subscribe("ann", "bob", unknown).counted("ann", 1, 1), "recovered 1", Valid},
		{"unknown_subscription_twice", newRun().subscribe("ann", "bob", unknown).counted("ann", 2, 2), "drift 1, recovered 1", Invalid},
		{"unknown_unsubscribe_happened", newRun().subscribe("ann", "bob").unsubscribe("ann", "bob", unknown).counted("ann", 0, 0), "recovered 1", Valid},
		{"failed_subscription_happened", newRun().subscribe("ann", "bob", failed).counted("ann", 1, 1), "drift 1", Invalid},
		{"author_never_read", newRun().subscribe("ann", "bob"), "unseen 1", Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			result := Check(tt.run.h)
			require.Equal(t, tt.want, bad(result.Figures), "%+v", result)
			require.Equal(t, tt.verdict, result.Verdict, "%v", result.Reasons)
			require.Equal(t, tt.verdict == Valid, len(result.Reasons) == 0, "%v", result.Reasons)
			requireSentences(t, result)
		})
	}
}

// requireSentences demands that every reason and example reads like a sentence.
func requireSentences(t *testing.T, r Result) {
	t.Helper()
	text, err := json.Marshal(r)
	require.NoError(t, err)
	require.NotContains(t, string(text), "%!")
	for _, reason := range r.Reasons {
		require.Regexp(t, `^[A-Z0-9].*\.$`, reason)
	}
}

func TestReasons(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(h *history.History)
		want  string // the beginning of the only reason; empty if the run stays valid
	}{
		{"sound", func(*history.History) {}, ""},
		{"interrupted", func(h *history.History) { h.Complete = false }, "The history is not complete"},
		{"not_drained", func(h *history.History) { h.Drained = 0 }, "The wait for the effects"},
		{"not_settled", func(h *history.History) { h.Unsettled = true }, "The last look"},
		{"fault_with_a_problem", func(h *history.History) { h.Faults[0].Problem = "no such process" }, "The fault kill of posts at 5.0 s had a problem: no such process."},
		{"fault_not_in_effect", func(h *history.History) { h.Faults[0].InEffect = 0 }, "The fault kill of posts at 5.0 s was not seen to take effect"},
		{"fault_not_lifted", func(h *history.History) { h.Faults[0].Lifted = 0 }, "The fault kill of posts at 5.0 s was not seen to be lifted"},
		{"absent_fault", func(h *history.History) {
			h.Faults[0] = history.Fault{Victim: "broker", Absent: true, Asked: 5 * time.Second}
		}, ""},
		{"no_fault", func(h *history.History) { h.Faults = nil }, ""},
		{"no_operations", func(h *history.History) { h.Operations, h.Finals = nil, nil }, "The load has no operations"},
		{"only_a_preload", func(h *history.History) {
			h.Operations, h.Finals = []*history.Operation{{Phase: history.PhasePreload, Op: "GetPost", Outcome: history.OK}}, nil
		}, "The load has no operations"},
		{"fault_before_the_load", func(h *history.History) { h.Faults[0].Asked = 1 }, "There was no load before the first fault"},
		{"89_percent_before_the_fault", failing(0, 5), "Before the first fault 35 of 40 operations succeeded"},
		{"90_percent_before_the_fault", failing(0, 4), ""},
		{"failures_after_the_fault", failing(50, 30), ""},
		{"too_few_arrivals", func(h *history.History) { h.Header.OfferedRate = 20 }, "Before the first fault 40 operations were due in 4.0 s"},
		{"fewer_arrivals_by_chance", func(h *history.History) { h.Header.OfferedRate = 13 }, ""},
		{"never_succeeded", func(h *history.History) { h.Operations[90].Op, h.Operations[90].Outcome = "GetPost", history.Fail }, "GetPost never succeeded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRun()
			tt.spoil(r.h)
			result := Check(r.h)
			if tt.want == "" {
				require.Equal(t, Valid, result.Verdict, "%v", result.Reasons)
				return
			}
			require.Equal(t, Unknown, result.Verdict)
			require.Len(t, result.Reasons, 1, "%v", result.Reasons)
			require.True(t, strings.HasPrefix(result.Reasons[0], tt.want), result.Reasons[0])
			requireSentences(t, result)
		})
	}
}

// failing makes n operations fail from one on.
func failing(from, n int) func(*history.History) {
	return func(h *history.History) {
		for _, o := range h.Operations[from : from+n] {
			o.Outcome = history.Fail
		}
	}
}

func TestInvalidBeatsUnknown(t *testing.T) {
	r := newRun().post("p").missed(history.Post, "p")
	r.h.Drained = 0
	result := Check(r.h)
	require.Equal(t, Invalid, result.Verdict)
	require.Len(t, result.Reasons, 3)
	require.Contains(t, result.Reasons[0], "1 lost in the store.")
	require.Contains(t, result.Reasons[2], "given up")
}

func TestOutcomesAreCounted(t *testing.T) {
	r := newRun().post("p").saw("p", 1, 0).post("q", noReply).post("r", failed).post("s", unsent).post("t", preload)
	f := Check(r.h).Figures
	require.Equal(t, []int{11, 8, 2, 1}, []int{f.Attempted.Count, f.Acknowledged.Count, f.Failed.Count, f.Unknown.Count})
	require.Equal(t, []string{"CreatePost r failed with NOT_FOUND.", "CreatePost s was never sent."}, f.Failed.Examples)
	require.Equal(t, []string{"CreatePost with reference ref-q ended with UNAVAILABLE and may have happened."}, f.Unknown.Examples)
}

func TestExamplesArePlainAndLimited(t *testing.T) {
	r := newRun()
	for i := range 12 {
		id := fmt.Sprintf("%08d-0000-4000-8000-000000000000", i)
		r.comment(id, "p").sawComment(id, approved, store).missed(history.Comment, id, page)
	}
	lost := Check(r.h).Figures.Lost.ReadModel
	require.Equal(t, 12, lost.Count)
	require.Len(t, lost.Examples, 10)
	require.Equal(t, "CreateComment 00000000… acknowledged at 1.1 s is missing from the read model.", lost.Examples[0])
}

// TestJudgementIsAlwaysTheSame: a judgement does not depend on the order in which Go walks maps.
func TestJudgementIsAlwaysTheSame(t *testing.T) {
	r := newRun()
	for i := range 30 {
		id := fmt.Sprint("p", i)
		r.post(id).missed(history.Post, id).subscribe("ann", id, unknown)
	}
	r.counted("ann", 12, 12)
	first := Check(r.h)
	for range 20 {
		require.Equal(t, first, Check(r.h))
	}
}

// TestFinalsInAnyOrder: what was seen counts, and not when.
func TestFinalsInAnyOrder(t *testing.T) {
	r := newRun().post("p").saw("p", 1, 2).comment("c", "p").sawComment("c", approved).copied(history.Comment, "d", "ref-c")
	want := bad(Check(r.h).Figures)
	slices.Reverse(r.h.Finals)
	require.Equal(t, want, bad(Check(r.h).Figures))
}
