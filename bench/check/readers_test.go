package check

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/history"
)

// overlapping makes an operation end only after the next one has begun.
func overlapping(o *history.Operation) { o.Completed += 150 * time.Millisecond }

// figuresBut returns the figures that are above 0, as "stale 1, effects.gaps 2", without the counts by outcome.
func figuresBut(f Figures) string {
	var list []string
	for _, x := range []struct {
		name string
		Figure
	}{
		{"ryw", f.ReadYourWrites}, {"ryw.owner", f.ReadYourWritesAtOwner}, {"monotonic", f.MonotonicReads}, {"stale", f.Stale}, {"missed", f.StaleWrites},
		{"linear", f.NotLinearizable}, {"text", f.WrongText}, {"list", f.WrongList}, {"drift", f.CounterDrift},
		{"lost.log", f.Lost.Log}, {"dead", f.DeadLetters}, {"passed", f.PassedOver},
		{"effects.reordered", f.Effects.Reordered}, {"effects.repeated", f.Effects.Repeated}, {"effects.gaps", f.Effects.Gaps},
		{"log.reordered", f.Log.Reordered}, {"log.repeated", f.Log.Repeated}, {"log.gaps", f.Log.Gaps},
	} {
		if x.Count > 0 {
			list = append(list, x.name+" "+string(rune('0'+x.Count)))
		}
	}
	return strings.Join(list, ", ")
}

// row is a history by its name, and what must be found in it.
type row struct {
	name    string
	run     *run
	want    string // as figuresBut says it
	verdict Verdict
}

func requireRows(t *testing.T, rows []row) {
	t.Helper()
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			result := Check(tt.run.h)
			require.Equal(t, tt.want, figuresBut(result.Figures), "%+v", result)
			require.Equal(t, tt.verdict, result.Verdict, "%q", result.Reasons)
			requireSentences(t, result)
		})
	}
}

// twice is a post with two versions, by client 0.
func twice(stack string) *run { return newRun().of(stack).post("p").update("p").saw("p", 2, 0) }

// waits has the clients wait for what they wrote.
func (r *run) waits() *run {
	r.h.Header.Waits = true
	return r
}

func TestReaders(t *testing.T) {
	const page, own = "GetPostPage", "GetPost"
	requireRows(t, []row{
		{"sync_own_write_shown", twice("sync").read(page, "p", 2), "", Valid},
		{"sync_own_write_not_shown", twice("sync").read(page, "p", 1), "ryw 1, stale 1, missed 1", Invalid},
		{"async_own_write_not_shown", twice("async").read(page, "p", 1), "ryw 1, stale 1, missed 1", Valid},
		{"async_own_write_not_shown_though_waited_for", twice("async").waits().read(page, "p", 1), "ryw 1, stale 1, missed 1", Invalid},
		{"async_write_of_another_not_shown_to_who_waits", twice("async").waits().read(page, "p", 1, by(1)), "stale 1, missed 1", Valid},
		{"async_look_waits_for_nothing", newRun().of("async").waits().post("p").saw("p", 1, 0).look(false).look(true), "stale 1, missed 1", Valid},
		{"async_own_write_not_shown_by_the_owner", twice("async").read(own, "p", 1), "ryw 1, ryw.owner 1, stale 1, missed 1, linear 1", Invalid},
		{"sync_write_of_another_not_shown", twice("sync").read(page, "p", 1, by(1)), "stale 1, missed 1", Invalid},
		{"async_write_of_another_not_shown", twice("async").read(page, "p", 1, by(1)), "stale 1, missed 1", Valid},
		{"read_while_it_is_written", newRun().of("sync").post("p").update("p", overlapping).saw("p", 2, 0).read(page, "p", 1), "", Valid},
		{"read_of_a_write_without_an_answer", newRun().of("sync").post("p").update("p", unknown).saw("p", 2, 0).read(page, "p", 1), "", Valid},
		{"sync_went_back", newRun().of("sync").post("p").update("p", unknown).saw("p", 2, 0).read(page, "p", 2).read(page, "p", 1), "monotonic 1", Invalid},
		{"async_went_back", newRun().of("async").post("p").update("p", unknown).saw("p", 2, 0).read(page, "p", 2).read(page, "p", 1), "monotonic 1", Valid},
		{"async_went_back_from_the_owner_to_the_page", newRun().of("async").post("p").update("p", unknown).saw("p", 2, 0).read(own, "p", 2).read(page, "p", 1), "monotonic 1", Valid},
		{"async_owner_went_back", newRun().of("async").post("p").update("p", unknown).saw("p", 2, 0).read(own, "p", 2).read(own, "p", 1), "monotonic 1, linear 1", Invalid},
		{"another_client_went_back", newRun().of("async").post("p").update("p", unknown).saw("p", 2, 0).read(page, "p", 2).read(page, "p", 1, by(1)), "", Valid},
		{"went_back_side_by_side", newRun().of("sync").post("p").update("p", unknown).saw("p", 2, 0).read(page, "p", 2, overlapping).read(page, "p", 1), "", Valid},
		{"newest_answered_first", newRun().of("sync").post("p").update("p", unknown).saw("p", 2, 0).read(page, "p", 1, overlapping).read(page, "p", 2).read(page, "p", 2), "", Valid},
		{"without_clients_there_are_no_sessions", func() *run { r := twice("async").read(page, "p", 1); r.h.Header.Clients = 0; return r }(), "stale 1, missed 1", Valid},
		{"not_found_after_its_creation", newRun().of("async").post("p").saw("p", 1, 0).read(page, "p", 0), "ryw 1, stale 1, missed 1", Valid},
		{"not_found_after_a_deletion", newRun().of("sync").post("p").delete("p").missed(history.Post, "p").read(page, "p", 0).read(own, "p", 0), "", Valid},
		{"found_after_a_deletion", newRun().of("sync").post("p").delete("p").missed(history.Post, "p").read(page, "p", 1), "ryw 1, stale 1, missed 1", Invalid},
		{"not_found_after_a_deletion_without_an_answer", newRun().of("sync").post("p").delete("p", unknown).missed(history.Post, "p").read(page, "p", 0), "", Valid},
		{"failed_read_tells_nothing", twice("sync").read(page, "p", 0, func(o *history.Operation) { o.Code = "UNAVAILABLE" }), "", Valid},
		{"read_without_a_version_tells_nothing", twice("sync").read(page, "p", 0, func(o *history.Operation) { o.Outcome, o.Code = history.OK, "OK" }), "", Valid},
		{"read_of_preload_not_found", newRun().of("sync").post("p", preload).saw("p", 1, 0).read(page, "p", 0, by(1)), "stale 1, missed 1", Invalid},
	})
}

// TestWhereSessionsArePromised: a broken session is a reason of its own in sync and at the owners, and of query's pages in async
// it is none.
func TestWhereSessionsArePromised(t *testing.T) {
	const reason = "reads that broke what their client was promised"
	for _, tt := range []struct {
		name     string
		run      *run
		promised bool
	}{
		{"sync_page", twice("sync").read("GetPostPage", "p", 1), true},
		{"async_page", twice("async").read("GetPostPage", "p", 1), false},
		{"async_owner", twice("async").read("GetPost", "p", 1), true},
		{"async_owner_and_then_page", newRun().of("async").post("p").update("p", unknown).saw("p", 2, 0).read("GetPost", "p", 2).read("GetPostPage", "p", 1), false},
		{"async_owner_twice", newRun().of("async").post("p").update("p", unknown).saw("p", 2, 0).read("GetPost", "p", 2).read("GetPost", "p", 1), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.promised, strings.Contains(strings.Join(Check(tt.run.h).Reasons, " "), reason))
		})
	}
}

func TestLooks(t *testing.T) {
	const comment = history.Comment
	requireRows(t, []row{
		{"shown_at_once", newRun().of("async").post("p").saw("p", 1, 0).look(true), "", Valid},
		{"shown_at_the_third_look", newRun().of("async").post("p").saw("p", 1, 0).look(false).look(false).look(true), "ryw 2, stale 2, missed 1", Valid},
		{"sync_shown_at_the_second_look", newRun().of("sync").post("p").saw("p", 1, 0).look(false).look(true), "ryw 1, stale 1, missed 1", Invalid},
		{"shown_and_then_not", newRun().of("async").post("p").saw("p", 1, 0).look(true).look(false), "ryw 1, monotonic 1, stale 1, missed 1", Valid},
		{"deletion_shown", newRun().of("sync").post("p").delete("p").missed(history.Post, "p").look(true), "", Valid},
		{"deletion_not_shown", newRun().of("async").post("p").delete("p").missed(history.Post, "p").look(false), "ryw 1, stale 1, missed 1", Valid},
		{"rejected_comment_is_not_looked_for", newRun().of("sync").comment("c", "p", blocked).sawComment("c", rejected, store).missed(comment, "c", page).look(false), "", Valid},
		{"comment_that_waits_for_moderation", newRun().of("sync").comment("c", "p", func(o *history.Operation) { o.Degraded = true }).sawComment("c", approved).look(false), "", Valid},
		{"comment_not_shown", newRun().of("async").comment("c", "p").sawComment("c", approved).look(false), "ryw 1, stale 1, missed 1", Valid},
		{"post_deleted_meanwhile", newRun().of("sync").post("p").look(false).delete("p", func(o *history.Operation) { o.Sent -= 250 * time.Millisecond }).missed(history.Post, "p"), "", Valid},
		{"look_without_an_answer", newRun().of("sync").post("p").saw("p", 1, 0).look(false).lastLook(func(l *history.Look) { l.Code = "UNAVAILABLE" }), "", Valid},
		{"look_at_nothing", newRun().of("sync").post("p").saw("p", 1, 0).look(false).lastLook(func(l *history.Look) { l.Write = 1 << 40 }), "", Valid},
	})
}

func (r *run) lastLook(change func(*history.Look)) *run {
	change(&r.h.Looks[len(r.h.Looks)-1])
	return r
}

// TestHowStale: a write that is missed by reads 100 and 200 ms after its acknowledgement, one that never is, and one that nobody
// looked for.
func TestHowStale(t *testing.T) {
	r := newRun().of("async").post("p").saw("p", 1, 0).look(false).look(false).look(true)
	r.post("q").saw("q", 1, 0).look(true)
	r.post("r").saw("r", 1, 0).read("GetPostPage", "r", 0, by(1))
	f := Check(r.h).Figures
	late := 200 - 1e-6 // the acknowledgement comes 1 ns after the sending
	require.Equal(t, map[string]float64{"0.5": 0, "0.95": late, "0.99": late, "1": late}, f.StableLatency)
	require.Equal(t, map[string]float64{"0.5": late - 100, "0.95": late, "0.99": late, "1": late}, rounded(f.RealtimeLag))
	require.Equal(t, 3, f.Stale.Count)
	require.Equal(t, 2, f.StaleWrites.Count)
	require.Contains(t, f.StaleWrites.Examples[0], "was missed for the last time by a read sent 200.0 ms later.")
	require.Nil(t, Check(newRun().h).Figures.StableLatency)
	require.Nil(t, Check(newRun().h).Figures.RealtimeLag)
}

// rounded leaves out what the arithmetic of floats adds.
func rounded(q map[string]float64) map[string]float64 {
	for name, v := range q {
		q[name] = math.Round(v*1e6) / 1e6
	}
	return q
}
