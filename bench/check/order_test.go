package check

import (
	"fmt"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"tandem/bench/history"
)

func TestOrdersOfPosts(t *testing.T) {
	const read = "GetPost"
	async := func() *run { return newRun().of("async") }
	requireRows(t, []row{
		{"read_while_it_is_created", async().post("p", overlapping).read(read, "p", 0, by(1)).saw("p", 1, 0), "", Valid},
		{"unknown_update_seen_late", async().post("p").update("p", unknown).saw("p", 2, 0).read(read, "p", 1).read(read, "p", 2), "", Valid},
		{"unknown_update_seen_and_gone", async().post("p").update("p", unknown).saw("p", 1, 0).read(read, "p", 2).read(read, "p", 1, by(1)), "linear 1", Invalid},
		{"version_that_nobody_wrote", async().post("p").saw("p", 1, 0).read(read, "p", 2), "linear 1", Invalid},
		{"failed_update_seen", async().post("p").update("p", failed).saw("p", 1, 0).read(read, "p", 2), "linear 1", Invalid},
		{"update_that_failed_at_the_retry_seen", async().post("p").update("p", failed, retried).saw("p", 2, 0).read(read, "p", 2), "", Valid},
		{"two_updates_side_by_side", async().post("p").update("p", overlapping, version(3)).update("p").saw("p", 3, 0).read(read, "p", 3), "", Valid},
		{"two_updates_in_the_wrong_order", async().post("p").update("p", version(3)).update("p").saw("p", 3, 0), "linear 1", Invalid},
		{"deleted_and_still_read", async().post("p").delete("p").missed(history.Post, "p").read(read, "p", 1, by(1)), "stale 1, missed 1, linear 1", Invalid},
		{"back_after_its_deletion", async().post("p").delete("p", unknown).missed(history.Post, "p").read(read, "p", 0).read(read, "p", 1), "linear 1", Invalid},
		{"updated_after_its_deletion", async().post("p").delete("p").update("p").missed(history.Post, "p"), "linear 1", Invalid},
		{"post_of_preload", async().post("p", preload).update("p").saw("p", 2, 0).read(read, "p", 2), "", Valid},
		{"page_is_not_the_owner", async().post("p").update("p").saw("p", 2, 0).read("GetPostPage", "p", 1, by(1)), "stale 1, missed 1", Valid},
	})
}

func TestOrdersOfComments(t *testing.T) {
	const read = "GetComment"
	async := func() *run {
		return newRun().of("async").comment("c", "p", withStatus(pending), version(1)).sawComment("c", approved)
	}
	sync := func() *run {
		return newRun().of("sync").comment("c", "p", withStatus(approved), version(1)).sawComment("c", approved)
	}
	requireRows(t, []row{
		{"decided_in_the_end", async().read(read, "c", 1, withStatus(pending)).read(read, "c", 2, withStatus(approved)), "", Valid},
		{"pending_again", async().read(read, "c", 2, withStatus(approved)).read(read, "c", 1, withStatus(pending), by(1)), "linear 1", Invalid},
		{"pending_again_in_a_newer_version", async().read(read, "c", 2, withStatus(approved)).read(read, "c", 2, withStatus(pending)), "linear 1", Invalid},
		{"pending_in_its_second_version", async().read(read, "c", 2, withStatus(pending)), "linear 1", Invalid},
		{"decided_twice", async().read(read, "c", 2, withStatus(approved)).read(read, "c", 2, withStatus(rejected)), "linear 1", Invalid},
		{"decided_without_a_change", async().read(read, "c", 1, withStatus(approved)), "linear 1", Invalid},
		{"a_third_version", async().read(read, "c", 3, withStatus(approved)), "linear 1", Invalid},
		{"versions_alone", async().read(read, "c", 1).read(read, "c", 2), "", Valid},
		{"versions_alone_and_back", async().read(read, "c", 2).read(read, "c", 1, by(1)), "linear 1", Invalid},
		{"sync_is_final", sync().read(read, "c", 1, withStatus(approved)), "", Valid},
		{"sync_was_final", sync().read(read, "c", 1, withStatus(pending)), "linear 1", Invalid},
		{"not_found", async().read(read, "c", 0, by(1)), "stale 1, missed 1, linear 1", Invalid},
		{"not_found_and_its_post_may_be_deleted", newRun().of("async").post("p").comment("c", "p").delete("p", unknown).missed(history.Post, "p").
			missed(history.Comment, "c").read(read, "c", 0), "", Valid},
		{"unknown_creation_found", newRun().of("async").comment("c", "p", unknown).sawComment("c", approved).read(read, "c", 2, withStatus(approved)), "", Valid},
	})
}

// TestManyWithoutAnAnswerAreOrderedFast: 40 updates without an answer, which a search that took each for another would try in 2^40
// ways; here in some hundred.
func TestManyWithoutAnAnswerAreOrderedFast(t *testing.T) {
	r := newRun().of("async").post("p")
	for range 40 {
		r.update("p", unknown, func(o *history.Operation) { o.Intended += 8 * time.Second }) // when failures raise no doubt
	}
	for v := range int64(20) {
		r.read("GetPost", "p", v+1)
	}
	r.saw("p", 20, 0)
	require.Equal(t, Valid, Check(r.h).Verdict)
	r.read("GetPost", "p", 19, by(1))
	result := Check(r.h)
	require.Equal(t, 1, result.Figures.NotLinearizable.Count)
}

// TestAnOrderThatIsNotFoundInTimeIsADoubt: the search is told that it has no time.
func TestAnOrderThatIsNotFoundInTimeIsADoubt(t *testing.T) {
	j := newJudge(newRun().h)
	j.noteOrder(&thing{key: key{history.Post, "p"}}, porcupine.Unknown, 7)
	result := j.result()
	require.Equal(t, Unknown, result.Verdict)
	require.Equal(t, []string{"1 orders were not found in time. The order of the 7 operations on post p was searched for too long."}, result.Reasons)
	require.Zero(t, result.Figures.NotLinearizable.Count)
}

func TestEffects(t *testing.T) {
	const author = history.Author
	three := func(stack string) *run {
		return newRun().of(stack).post("p").update("p").update("p", version(3)).saw("p", 3, 0)
	}
	requireRows(t, []row{
		{"in_order", three("async").told("p", 1, 2, 3), "", Valid},
		{"out_of_order", three("async").told("p", 1, 3, 2), "effects.reordered 1", Invalid},
		{"one_left_out", three("async").told("p", 1, 3), "effects.gaps 1", Invalid},
		{"first_left_out", three("async").told("p", 2, 3), "effects.gaps 1", Invalid},
		{"last_left_out", three("async").told("p", 1, 2), "", Valid}, // the finals tell whether it is there
		{"first_of_preload_left_out", newRun().of("async").post("p", preload).update("p").saw("p", 2, 0).told("p", 2), "", Valid},
		{"deletion_is_a_version", newRun().of("async").post("p").delete("p").missed(history.Post, "p").told("p", 1, 2), "", Valid},
		{"comment_shows_once", newRun().of("async").comment("c", "p").sawComment("c", approved).toldOf(history.Comment, "c", 2), "", Valid},
		{"comment_decided_twice", newRun().of("async").comment("c", "p").sawComment("c", approved).toldOf(history.Comment, "c", 2, 2), "effects.repeated 1", Invalid},
		{"follow_and_unfollow", newRun().of("async").counted("ann", 0, 0).toldOf(author, "ann", 1, 2), "", Valid},
		{"doubled_follow_and_doubled_unfollow", newRun().of("async").counted("ann", 0, 0).toldOf(author, "ann", 1, 1, 2, 2), "effects.repeated 2", Invalid},
		{"doubled_in_one_commit", newRun().of("async").counted("ann", 0, 0).toldOf(author, "ann", 1).atOnce(author, "ann", 1), "effects.repeated 1", Invalid},
		{"one_commit_has_no_order", three("async").told("p", 1, 3).atOnce(history.Post, "p", 2), "", Valid},
		{"query_killed_before_telling", three("async").told("p", 1).killed("query").told("p", 3), "", Valid},
		{"first_untold_by_a_killed_query", three("async").killed("query").told("p", 2, 3), "", Valid},
		{"query_killed_before_that", three("async").killed("query").told("p", 1, 3), "effects.gaps 1", Invalid},
		{"comment_left_out", newRun().of("async").comment("c", "p").sawComment("c", approved).toldOf(history.Comment, "c", 1, 3), "effects.gaps 1", Invalid},
		{"query_killed_after_telling", three("async").told("p", 1, 3).killed("query"), "effects.gaps 1", Invalid},
		{"posts_killed_tells_nothing_of_async", three("async").told("p", 1).killed("posts").told("p", 3), "effects.gaps 1", Invalid},
		{"posts_killed_before_telling", three("sync").told("p", 1).killed("posts").told("p", 3), "", Valid},
		{"a_kill_excuses_no_other_order", three("async").told("p", 1, 3).killed("query").told("p", 2), "effects.reordered 1", Invalid},
		{"comments_tell_of_comments", newRun().of("sync").comment("c", "p").sawComment("c", approved).toldOf(history.Comment, "c", 1).killed("comments"), "", Valid},
		{"rebuilt", three("async").told("p", 1, 2, 3).fault(rebuild, "query").told("p", 1, 2, 3), "", Valid},
		{"told_while_it_stops_to_be_rebuilt", three("async").told("p", 1, 2).stopping(3).told("p", 1, 2, 3), "", Valid},
		{"rebuilt_out_of_order", three("async").told("p", 1, 2, 3).fault(rebuild, "query").told("p", 1, 3, 2), "effects.reordered 1", Invalid},
	})
}

// atOnce adds an effect with the time of the one before it.
func (r *run) atOnce(a history.Aggregate, id string, v int64) *run {
	last := r.h.Effects[len(r.h.Effects)-1].At
	r.h.Effects = append(r.h.Effects, history.Effect{Aggregate: a, ID: id, Version: v, At: last})
	return r
}

func (r *run) killed(victim string) *run { return r.fault("kill", victim) }

// fault puts a short fault here, in place of the one that each run has.
func (r *run) fault(name, victim string) *run {
	r.now += time.Second
	f := &r.h.Faults[0]
	f.Name, f.Victim, f.Asked, f.InEffect, f.LiftAsked, f.Lifted = name, victim, r.now, r.now+1, r.now+2, r.now+3
	r.now += time.Second
	return r
}

// stopping puts a rebuild of query here that shows one more version of p before query has stopped.
func (r *run) stopping(version int64) *run {
	r.fault(rebuild, "query")
	f := &r.h.Faults[0]
	r.h.Effects = append(r.h.Effects, history.Effect{Aggregate: history.Post, ID: "p", Version: version, At: f.Asked})
	return r
}

func TestLog(t *testing.T) {
	const post, author = history.Post, history.Author
	three := func() *run {
		return newRun().of("async").post("p").update("p").update("p", version(3)).saw("p", 3, 0).logged()
	}
	followed := func() *run {
		return newRun().of("async").subscribe("ann", "bob", preload, version(4)).subscribe("ann", "eve", version(5)).counted("ann", 2, 2).logged()
	}
	decided := func(v int64) *run {
		return newRun().of("async").comment("c", "p").sawComment("c", approved).with(store, "c", func(f *history.Final) { f.Version = v }).logged()
	}
	requireRows(t, []row{
		{"all_there", three(), "", Valid},
		{"no_log", newRun().of("sync").post("p").saw("p", 1, 0), "", Valid},
		{"update_left_out", three().unlogged("p", 2), "lost.log 1, log.gaps 1", Invalid},
		{"creation_left_out", three().unlogged("p", 1), "lost.log 1, log.gaps 1", Invalid},
		{"last_left_out", three().unlogged("p", 3), "lost.log 1", Invalid},
		{"unknown_update_left_out", newRun().of("async").post("p").update("p", unknown).update("p", version(3)).saw("p", 3, 0).logged(), "log.gaps 1", Invalid},
		{"deletion_left_out", newRun().of("async").post("p").delete("p").missed(post, "p").logged().unlogged("p", 2), "lost.log 1", Invalid},
		{"published_twice", three().record("PostUpdated", post, "p", 3), "log.repeated 1", Valid},
		{"batch_published_twice", three().record("PostUpdated", post, "p", 2).record("PostUpdated", post, "p", 3), "log.repeated 2", Valid},
		{"another_event_of_the_same_version", three().record("PostDeleted", post, "p", 3), "log.reordered 1", Invalid},
		{"same_id_of_another_source", three().record("PostUpdated", post, "p", 3).lastRecord(func(r *history.Record) { r.Source = "/comments" }), "log.reordered 1", Invalid},
		{"older_after_newer", newRun().of("async").logged().record("PostUpdated", post, "x", 5).record("PostUpdated", post, "x", 4), "log.reordered 1", Invalid},
		{"one_key_in_two_partitions", three().record("PostUpdated", post, "p", 4).lastRecord(func(r *history.Record) { r.Partition = 1 }), "log.reordered 1", Invalid},
		{"follows_on_the_preload", followed(), "", Valid},
		{"lost_after_the_preload", followed().unlogged("ann", 5).record("AuthorFollowed", author, "ann", 6), "lost.log 1, log.gaps 1", Invalid},
		{"followed_before", newRun().of("async").subscribe("ann", "bob", preload, version(4)).subscribe("ann", "bob", version(4)).counted("ann", 1, 1).logged().unlogged("ann", 4), "", Valid},
		{"never_followed", newRun().of("async").unsubscribe("ann", "bob").counted("ann", 0, 0).logged(), "", Valid},
		{"late_record_of_the_preload", newRun().of("async").post("p", preload).update("p").saw("p", 2, 0).record("PostCreated", post, "p", 1).logged(), "", Valid},
		{"copy_of_a_record_of_the_preload", followed().record("AuthorFollowed", author, "ann", 2), "", Valid},
		{"copy_of_a_record_of_the_preload_first", newRun().of("async").subscribe("ann", "bob", preload, version(4)).record("AuthorFollowed", author, "ann", 2).subscribe("ann", "eve", version(5)).counted("ann", 2, 2).logged(), "", Valid},
		{"decision_in_the_log", decided(2).record("CommentUpdated", history.Comment, "c", 2), "", Valid},
		{"decision_not_in_the_log", decided(2), "lost.log 1", Invalid},
		{"verdicts_have_no_version", three().record("CommentModerated", history.Comment, "c", 0).record("CommentModerated", history.Comment, "c", 0).lastRecord(func(r *history.Record) { r.EventID = "another" }), "", Valid},
		{"put_aside", three().record("PostUpdated", post, "p", 3).lastRecord(deadLetter), "dead 1", Valid},
		{"unreadable_and_put_aside", three().record("Other", post, "p", 0).lastRecord(garbled).record("Other", post, "p", 0).lastRecord(deadLetter), "dead 1", Valid},
		{"of_another_type", three().record("Other", post, "p", 0).lastRecord(garbled).lastRecord(func(r *history.Record) { r.EventType = "com.example.Other" }), "", Valid},
		{"with_the_key_of_another", three().record("PostUpdated", post, "p", 4).lastRecord(func(r *history.Record) { r.Key, r.Problem = "q", "its key is q" }), "log.reordered 1", Invalid},
		{"the_broker_lost_records", three().record("", "", "", 0).lastRecord(nameless).lastRecord(func(r *history.Record) { r.EventType, r.Problem = "", "the broker lost records" }), "passed 1", Invalid},
		{"unreadable_and_passed_over", three().record("Other", post, "p", 0).lastRecord(garbled), "passed 1", Invalid},
		{"without_an_id_and_put_aside", three().record("Other", post, "p", 0).lastRecord(garbled).lastRecord(nameless).record("Other", post, "p", 0).lastRecord(deadLetter).lastRecord(nameless), "dead 1", Valid},
	})
}

func nameless(r *history.Record) { r.EventID, r.Source = "", "" }

func TestTextsAndLists(t *testing.T) {
	updated := func() *run {
		return newRun().post("p", saying("a"), writtenBy("ann")).update("p", saying("b")).saw("p", 2, 0)
	}
	in := func(v history.View, r *run, change func(*history.Final)) *run { return r.with(v, "p", change) }
	feed := func(comments, subscribers int64) func(*history.Final) {
		return func(f *history.Final) {
			f.Author, f.Subscribers, f.InFeed, f.FeedComments, f.FeedSubscribers = "ann", 1, true, comments, subscribers
		}
	}
	followed := func() *run { return updated().subscribe("ann", "bob").counted("ann", 1, 1) }
	requireRows(t, []row{
		{"text_of_the_update", in(page, updated(), text("b")), "", Valid},
		{"text_of_the_creation", in(page, updated(), text("a")), "text 1", Invalid},
		{"text_of_the_creation_in_the_store", in(store, updated(), text("a")), "text 1", Invalid},
		{"text_of_an_unknown_update", in(page, newRun().post("p", saying("a")).update("p", unknown, saying("b")).saw("p", 2, 0), text("b")), "", Valid},
		{"text_of_no_unknown_update", in(page, newRun().post("p", saying("a")).update("p", unknown, saying("b")).saw("p", 2, 0), text("a")), "text 1", Invalid},
		{"text_of_a_comment", newRun().comment("c", "p", saying("a")).sawComment("c", approved).with(page, "c", text("b")), "text 1", Invalid},
		{"written_by_another", in(page, updated(), func(f *history.Final) { f.Author = "eve" }), "text 1", Invalid},
		{"feed_agrees", in(page, followed(), feed(0, 1)), "", Valid},
		{"feed_counts_other_comments", in(page, followed(), feed(1, 1)), "drift 1", Invalid},
		{"feed_counts_other_subscribers", in(page, followed(), feed(0, 2)), "drift 1", Invalid},
		{"page_counts_other_subscribers", in(page, followed(), func(f *history.Final) { f.Author, f.Subscribers = "ann", 2 }), "drift 1", Invalid},
		{"feed_and_page_differ", in(page, updated(), feed(0, 2)), "drift 1", Invalid},
		{"lists_agree", followed().with(store, "ann", listing(1, "x")).with(page, "ann", listing(1, "x")), "", Valid},
		{"list_lacks_a_post", followed().with(store, "ann", listing(2, "x")).with(page, "ann", listing(1, "y")), "list 1", Invalid},
		{"list_in_another_order", followed().with(store, "ann", listing(2, "x")).with(page, "ann", listing(2, "y")), "list 1", Invalid},
	})
}

// slowly makes all operations of a run wake up and be sent so late.
func slowly(woken, sent time.Duration) func(*history.History) {
	return func(h *history.History) {
		h.Generator = &history.Generator{CPU: time.Second, Wall: 10 * time.Second, Cores: 2}
		for i, o := range h.Operations {
			if i%50 == 0 { // 2 % of them
				o.Woken, o.Sent = o.Intended+woken, o.Intended+sent
				o.Completed = max(o.Completed, o.Sent)
			} else {
				o.Woken, o.Sent = o.Intended+1, o.Intended+2
			}
		}
	}
}

func TestDisturbances(t *testing.T) {
	const ms = time.Millisecond
	used := func(g history.Generator) func(*history.History) {
		return func(h *history.History) { h.Generator = &g }
	}
	for _, tt := range []struct {
		name    string
		disturb func(*history.History)
		want    string // the beginning of the only reason; empty if the run stays valid
	}{
		{"punctual", slowly(ms, 2*ms), ""},
		{"woken_late", slowly(6*ms, 7*ms), "The load generator was the bottleneck: it woke up late for its operations before the first fault, by 6.0 ms at p99"},
		{"sent_late", slowly(ms, 11*ms), "The load generator was the bottleneck: before the first fault it sent its operations late, by 11.0 ms at p99"},
		{"woken_late_after_the_fault", func(h *history.History) {
			slowly(ms, 2*ms)(h)
			for _, o := range h.Operations[len(h.Operations)-150:] {
				o.Woken += 6 * ms
			}
		}, ""},
		{"too_few_to_say", func(h *history.History) {
			h.Header.OfferedRate, h.Operations = 10, h.Operations[20:110] // 80 reads, and a write of each kind
			slowly(60*ms, 60*ms)(h)
		}, ""},
		{"dropped_before_the_fault", func(h *history.History) { drop(h.Operations[3], "DROPPED") }, "The load generator was the bottleneck: it dropped 1 operations before the first fault, and came too late to send 0"},
		{"dropped_after_the_fault", func(h *history.History) { drop(h.Operations[95], "DROPPED") }, ""},
		{"too_late_to_send", func(h *history.History) { drop(h.Operations[95], "DEADLINE_EXCEEDED") }, "The load generator was the bottleneck: it dropped 0 operations before the first fault, and came too late to send 1"},
		{"a_quiet_machine", used(history.Generator{CPU: 3 * time.Second, Wall: 10 * time.Second, Cores: 2, Stolen: time.Second}), ""},
		{"generator_takes_a_core", used(history.Generator{CPU: 9 * time.Second, Wall: 10 * time.Second, Cores: 2}), "The load generator was the bottleneck: it used 0.90 of the machine's 2 cores"},
		{"generator_takes_a_core_of_many", used(history.Generator{CPU: 9 * time.Second, Wall: 10 * time.Second, Cores: 16}), ""},
		{"generator_takes_half_of_many", used(history.Generator{CPU: 75 * time.Second, Wall: 10 * time.Second, Cores: 16}), "The load generator was the bottleneck: it used 7.50 of the machine's 16 cores"},
		{"others_take_a_quarter", used(history.Generator{CPU: time.Second, Wall: 10 * time.Second, Cores: 2, Stolen: 5 * time.Second}), "Other programs used 25 % of the machine's 2 cores"},
		{"nothing_known_of_another_generator", used(history.Generator{}), ""},
		{"nothing_known", func(h *history.History) { slowly(ms, ms)(h); h.Generator = nil }, "What the load generator and other programs used of the machine was not noted."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRun()
			r.h.Faults[0].Asked, r.h.Faults[0].InEffect = 9*time.Second, 9100*ms // 100 reads and 70 of them before
			r.h.Faults[0].LiftAsked, r.h.Faults[0].Lifted = 9200*ms, 9300*ms
			r.many()
			tt.disturb(r.h)
			result := Check(r.h)
			require.ElementsMatch(t, result.Reasons, result.Disturbed)
			if tt.want == "" {
				require.Equal(t, Valid, result.Verdict, "%q", result.Reasons)
				require.False(t, result.OnlyDisturbed())
				return
			}
			require.Equal(t, Unknown, result.Verdict)
			require.True(t, result.OnlyDisturbed())
			require.Len(t, result.Reasons, 1)
			require.Contains(t, result.Reasons[0], tt.want)
			requireSentences(t, result)
		})
	}
}

// TestTheLogMustBeRead: a run of the laboratory on a stack with a broker tells what is in its log.
func TestTheLogMustBeRead(t *testing.T) {
	for name, want := range map[string]int{"sync": 0, async: 1} {
		r := newRun().of(name)
		slowly(0, 0)(r.h)
		require.Len(t, Check(r.h).Reasons, want)
		require.Empty(t, Check(r.logged().h).Reasons)
	}
}

// many makes the load of a run ten times as dense.
func (r *run) many() *run {
	r.h.Header.OfferedRate = 100
	for i := range 1000 {
		at := time.Second + time.Duration(i)*10*time.Millisecond
		r.h.Operations = append(r.h.Operations, &history.Operation{Index: int64(1000 + i), Phase: history.PhaseLoad, Op: "ListFeed",
			Intended: at, Sent: at, Completed: at + 1, Attempts: 1, Outcome: history.OK, Code: "OK"})
	}
	return r
}

// TestADisturbedMachineExplainsFailures: where other programs took the machine, that few operations succeeded says nothing of the stack.
func TestADisturbedMachineExplainsFailures(t *testing.T) {
	for name, stolen := range map[string]time.Duration{"quiet_machine": 0, "busy_machine": time.Second} {
		t.Run(name, func(t *testing.T) {
			r := newRun().many()
			for i, o := range r.h.Operations {
				if i%3 == 0 && o.Index >= 1000 {
					o.Outcome, o.Code = history.Fail, "DEADLINE_EXCEEDED"
				}
			}
			r.h.Generator = &history.Generator{Wall: time.Second, Cores: 1, Stolen: stolen}
			result := Check(r.h)
			require.Equal(t, Unknown, result.Verdict)
			require.Equal(t, stolen > 0, result.OnlyDisturbed(), "%q", result.Reasons)
			require.Contains(t, fmt.Sprint(result.Reasons), "operations succeeded, which is under 90 %")
		})
	}
}

func drop(o *history.Operation, code string) {
	o.Sent, o.Outcome, o.Code, o.Attempts = 0, history.Fail, code, 0
}

// TestADisturbedRunIsStillInvalid: a violation is one on any machine.
func TestADisturbedRunIsStillInvalid(t *testing.T) {
	r := newRun().post("p").missed(history.Post, "p")
	r.h.Generator = &history.Generator{Wall: time.Second, Cores: 1, Stolen: time.Second}
	result := Check(r.h)
	require.Equal(t, Invalid, result.Verdict)
	require.Len(t, result.Disturbed, 1)
	require.Equal(t, result.Disturbed[0], result.Reasons[len(result.Reasons)-1], fmt.Sprint(result.Reasons))
	require.False(t, result.OnlyDisturbed())
}
