package measure

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/history"
)

const msec = time.Millisecond

// run builds a history by hand. Its load begins at 1 s and lasts 10 s; its times are in milliseconds of run time.
type run struct{ h *history.History }

func newRun(stack string) *run {
	return &run{&history.History{Header: history.Header{
		Stack: stack, OfferedRate: 10, Length: 10 * time.Second, Deadline: time.Second,
	}}}
}

// do adds an operation of the load, intended at a time and answered with OK so much later, sent 1 ms after it was intended.
func (r *run) do(op string, at, took int, changes ...func(*history.Operation)) *run {
	intended := time.Duration(at) * msec
	o := &history.Operation{
		Index: int64(len(r.h.Operations)), Phase: history.PhaseLoad, Op: op, Outcome: history.OK, Attempts: 1,
		Intended: intended, Sent: intended + msec, Completed: intended + time.Duration(took)*msec,
	}
	for _, c := range changes {
		c(o)
	}
	r.h.Operations = append(r.h.Operations, o)
	return r
}

// every adds an operation each 100 ms from one time until before another.
func (r *run) every100(op string, from, to int, changes ...func(*history.Operation)) *run {
	for at := from; at < to; at += 100 {
		r.do(op, at, 2, changes...)
	}
	return r
}

func (r *run) effect(kind history.Aggregate, id string, version int64, at int) *run {
	r.h.Effects = append(r.h.Effects, history.Effect{Aggregate: kind, ID: id, Version: version, At: time.Duration(at) * msec})
	return r
}

// kill adds a fault with its five times.
func (r *run) kill(victim string, asked, inEffect, liftAsked, lifted, end int) *run {
	r.h.Faults = append(r.h.Faults, history.Fault{
		Name: "kill", Victim: victim, Asked: time.Duration(asked) * msec, InEffect: time.Duration(inEffect) * msec,
		LiftAsked: time.Duration(liftAsked) * msec, Lifted: time.Duration(lifted) * msec, End: time.Duration(end) * msec,
	})
	return r
}

func about(kind history.Aggregate, id string, version int64) func(*history.Operation) {
	return func(o *history.Operation) { o.Aggregate, o.ID, o.Version = kind, id, version }
}

func fail(o *history.Operation)     { o.Outcome = history.Fail }
func unknown(o *history.Operation)  { o.Outcome, o.Completed = history.Unknown, 0 }
func degraded(o *history.Operation) { o.Degraded = true }
func dropped(o *history.Operation)  { o.Outcome, o.Sent, o.Completed = history.Fail, 0, 0 }

func opOf(t *testing.T, r Report, op string) Op {
	t.Helper()
	for _, m := range r.Ops {
		if m.Op == op {
			return m
		}
	}
	require.Failf(t, "no figures", "of %s", op)
	return Op{}
}

func TestLatencyCountsFromTheIntendedTimeOfTheSteadyWindow(t *testing.T) {
	r := newRun("sync").do("GetPost", 1000, 10).do("GetPost", 1100, 20).do("GetPost", 1200, 30).do("GetPost", 1300, 9, fail).
		do("GetPost", 6000, 900).kill("posts", 5000, 5100, 7000, 7100, 9000)
	got := opOf(t, Measure(r.h), "GetPost")
	require.Equal(t, []int{5, 4, 1, 0}, []int{got.Count, got.OK, got.Failed, got.Unknown})
	require.Nil(t, got.TTA)
	require.EqualValues(t, 3, got.Latency.Count, "the one during the fault and the failed one do not count")
	require.InEpsilon(t, 20.0, got.Latency.P50, 0.001)
	require.InEpsilon(t, 30.0, got.Latency.P99, 0.001)
	require.InEpsilon(t, 30.0, got.Latency.Max, 0.001)
}

func TestPercentiles(t *testing.T) {
	var thousand []time.Duration
	for i := 1; i <= 1000; i++ {
		thousand = append(thousand, time.Duration(i)*msec)
	}
	p := percentiles(thousand)
	require.EqualValues(t, 1000, p.Count)
	for _, x := range []struct{ want, got float64 }{{500, p.P50}, {900, p.P90}, {990, p.P99}, {999, p.P999}, {1000, p.Max}} {
		require.InEpsilon(t, x.want, x.got, 0.001)
	}
	require.Nil(t, percentiles(nil))
	out := percentiles([]time.Duration{-time.Second, 100 * time.Hour})
	require.Zero(t, out.P50, "below 0 counts as 0")
	require.Equal(t, 3.6e8, out.Max)
	require.Equal(t, 0.250001, percentiles([]time.Duration{250001}).P50, "nanoseconds are told apart")
}

func TestTimeToEffect(t *testing.T) {
	const post, comment, author = history.Post, history.Comment, history.Author
	for _, tt := range []struct {
		name string
		run  *run
		op   string
		want float64 // TTE in ms; 0: none
		miss int
		same int
	}{
		{"of_a_creation", newRun("async").do("CreatePost", 1000, 5, about(post, "p", 1)).effect(post, "p", 1, 1030), "CreatePost", 30, 0, 0},
		{"of_another_post", newRun("async").do("CreatePost", 1000, 5, about(post, "p", 1)).effect(post, "q", 1, 1030), "CreatePost", 0, 1, 0},
		{"of_an_author_with_the_same_name", newRun("async").do("CreatePost", 1000, 5, about(post, "p", 1)).effect(author, "p", 1, 1030), "CreatePost", 0, 1, 0},
		{"version_too_low", newRun("async").do("UpdatePost", 1000, 5, about(post, "p", 3)).effect(post, "p", 2, 1030), "UpdatePost", 0, 1, 0},
		{"a_later_version_does_not_tell_when", newRun("async").do("UpdatePost", 1000, 5, about(post, "p", 3)).effect(post, "p", 5, 1040), "UpdatePost", 0, 1, 0},
		{"the_first_of_several", newRun("async").do("UpdatePost", 1000, 5, about(post, "p", 3)).effect(post, "p", 3, 1050).effect(post, "p", 4, 1040).effect(post, "p", 3, 1060), "UpdatePost", 40, 0, 0},
		{"unknown_write_owes_none", newRun("async").do("CreatePost", 1000, 5, about(post, "p", 1), unknown), "CreatePost", 0, 0, 0},

		{"comment_at_any_version", newRun("async").do("CreateComment", 1000, 5, about(comment, "c", 1)).effect(comment, "c", 2, 1070), "CreateComment", 70, 0, 0},
		{"comment_not_shown", newRun("async").do("CreateComment", 1000, 5, about(comment, "c", 1)), "CreateComment", 0, 1, 0},

		{"deletion_is_the_highest_version", newRun("async").effect(post, "p", 1, 500).effect(post, "p", 2, 1010).do("DeletePost", 1000, 5, about(post, "p", 0)).effect(post, "p", 3, 1080), "DeletePost", 80, 0, 0},
		{"deletion_seen_twice", newRun("async").do("DeletePost", 1000, 5, about(post, "p", 0)).effect(post, "p", 2, 1080).effect(post, "p", 2, 1090), "DeletePost", 80, 0, 0},
		{"only_older_effects", newRun("async").effect(post, "p", 1, 500).do("DeletePost", 1000, 5, about(post, "p", 0)), "DeletePost", 0, 1, 0},
		{"an_update_is_no_deletion", newRun("async").do("UpdatePost", 990, 5, about(post, "p", 2)).do("DeletePost", 1000, 5, about(post, "p", 0)).effect(post, "p", 2, 1080), "DeletePost", 0, 1, 0},
		{"deletion_never_seen", newRun("async").do("DeletePost", 1000, 5, about(post, "p", 0)), "DeletePost", 0, 1, 0},

		{"subscription", newRun("async").do("Subscribe", 1000, 5, about(author, "ann", 7)).effect(author, "ann", 7, 1020), "Subscribe", 20, 0, 0},
		{"following_twice_changes_nothing", newRun("async").effect(author, "ann", 7, 900).do("Subscribe", 1000, 5, about(author, "ann", 7)), "Subscribe", 0, 0, 1},
		{"never_followed", newRun("async").do("Unsubscribe", 1000, 5, about(author, "ann", 0)), "Unsubscribe", 0, 0, 1},
		{"subscription_not_shown", newRun("async").do("Subscribe", 1000, 5, about(author, "ann", 7)).effect(author, "ann", 6, 1020), "Subscribe", 0, 1, 0},
		{"clocks_apart_by_a_little", newRun("sync").do("Subscribe", 1000, 5, about(author, "ann", 7)).effect(author, "ann", 7, 1000), "Subscribe", 0, 0, 0},
		{"review_shows_nowhere", newRun("async").do("ReviewComment", 1000, 5, about(comment, "c", 0)), "ReviewComment", 0, 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := opOf(t, Measure(tt.run.h), tt.op)
			require.Equal(t, []int{tt.miss, tt.same}, []int{got.TTEMissing, got.TTEUnchanged})
			if tt.want == 0 {
				require.True(t, got.TTE == nil || got.TTE.Max == 0)
				return
			}
			require.NotNil(t, got.TTE)
			require.InEpsilon(t, tt.want, got.TTE.Max, 0.001)
		})
	}
}

func TestStalenessAndWholeRun(t *testing.T) {
	r := newRun("async").
		do("CreatePost", 1000, 10, about(history.Post, "a", 1)).effect(history.Post, "a", 1, 1030). // 20 ms stale
		do("CreatePost", 2000, 10, about(history.Post, "b", 1)).effect(history.Post, "b", 1, 2005). // before its answer
		do("CreatePost", 6000, 10, about(history.Post, "c", 1)).effect(history.Post, "c", 1, 8000).
		do("CreatePost", 6500, 10, about(history.Post, "d", 1)).
		kill("query", 5000, 5100, 7000, 7100, 9000)
	got := opOf(t, Measure(r.h), "CreatePost")
	require.EqualValues(t, 2, got.TTE.Count)
	require.InEpsilon(t, 30.0, got.TTE.Max, 0.001)
	require.InEpsilon(t, 10.0, got.TTA.Max, 0.001)
	require.Zero(t, got.Staleness.P50, "below 0 counts as 0")
	require.InEpsilon(t, 20.0, got.Staleness.Max, 0.001)
	require.EqualValues(t, 3, got.TTEWhole.Count)
	require.InEpsilon(t, 2000.0, got.TTEWhole.Max, 0.001)
	require.InEpsilon(t, 1990.0, got.StalenessWhole.Max, 0.001)
	require.Equal(t, 1, got.TTEMissing)
}

// TestSteadyWindowKeepsOutOfTheOutage: what is accepted just before the first fault shows only after it.
func TestSteadyWindowKeepsOutOfTheOutage(t *testing.T) {
	r := newRun("async").
		do("CreatePost", 1000, 10, about(history.Post, "a", 1)).effect(history.Post, "a", 1, 1030).
		do("CreatePost", 3999, 10, about(history.Post, "b", 1)).effect(history.Post, "b", 1, 4050).
		do("CreatePost", 4995, 4, about(history.Post, "c", 1)).effect(history.Post, "c", 1, 7300).
		kill("query", 5000, 5100, 7000, 7100, 9000)
	got := opOf(t, Measure(r.h), "CreatePost")
	require.Equal(t, []int64{2, 2, 2}, []int64{got.TTA.Count, got.TTE.Count, got.Staleness.Count})
	require.Equal(t, []float64{51, 2305}, []float64{got.TTE.Max, got.TTEWhole.Max})
}

func TestLoadFigures(t *testing.T) {
	r := newRun("sync").every100("GetPost", 1000, 11_000).kill("posts", 5000, 5100, 7000, 7100, 9000)
	for i, o := range r.h.Operations {
		switch {
		case i < 4:
			fail(o)
		case i >= 40 && i < 50:
			dropped(o)
		}
	}
	r.h.Operations[99].Sent = r.h.Operations[99].Intended + 50*msec
	l := Measure(r.h).Load
	require.Equal(t, []float64{1000, 11_000, 4000}, []float64{l.StartMS, l.EndMS, l.SteadyEndMS})
	require.Equal(t, []int{100, 10}, []int{l.Operations, l.Dropped})
	require.InDelta(t, 8.6, *l.AchievedRate, 1e-9)  // 100 − 4 failed − 10 dropped in 10 s
	require.InDelta(t, 26.0/3, *l.SteadyRate, 1e-9) // 30 − 4 in 3 s
	require.Equal(t, 10.0, l.OfferedRate)
	require.EqualValues(t, 90, l.SendLateness.Count)
	require.InEpsilon(t, 1.0, l.SendLateness.P50, 0.001)
	require.InEpsilon(t, 50.0, l.SendLateness.P999, 0.001)
	require.Nil(t, l.TimerError, "nobody noted when the generator woke up")
	require.Nil(t, l.Generator)
}

func TestGeneratorFigures(t *testing.T) {
	r := newRun("sync").do("GetPost", 1000, 9).do("GetPost", 1100, 9).do("GetPost", 1200, 9).do("GetPost", 1300, 9, dropped)
	for i, lateness := range []time.Duration{5 * msec, 5*msec + 1, 9 * msec} {
		o := r.h.Operations[i]
		o.Woken, o.Sent = o.Intended+time.Duration(i+1)*msec/10, o.Intended+lateness
	}
	r.h.Generator = &history.Generator{CPU: 3 * time.Second, Wall: 10 * time.Second, Cores: 2, Stolen: time.Second}
	l := Measure(r.h).Load
	require.Equal(t, []float64{2, 5}, []float64{float64(l.Late), l.LateAboveMS})
	require.EqualValues(t, 3, l.TimerError.Count)
	require.Equal(t, []float64{0.2, 0.3}, []float64{l.TimerError.P50, l.TimerError.Max})
	require.Equal(t, &Generator{CPUShare: 0.15, OthersShare: 0.05, Cores: 2}, l.Generator)
	r.h.Generator = &history.Generator{CPU: time.Second}
	require.Nil(t, Measure(r.h).Load.Generator, "no share of nothing")
}

func share(a Availability) float64 {
	if a.Share == nil {
		return -1
	}
	return *a.Share
}

// broken is a run whose posts are killed at 5 s, out of effect from 5.1 s, asked back at 7 s and back at 7.5 s.
func broken(stack string) *run {
	return newRun(stack).every100("GetPost", 1000, 5100).every100("GetPost", 5100, 7500, fail).every100("GetPost", 7500, 11_000).
		every100("GetVerdict", 1050, 11_000).kill("posts", 5000, 5100, 7000, 7400, 10_000)
}

func TestAvailabilityAroundAFault(t *testing.T) {
	f := Measure(broken("sync").h).Faults[0]
	require.Equal(t, "GetPost", f.Ops[0].Op)
	require.Equal(t, Availability{Share: new(1.0), OK: 30, Intended: 30}, f.Ops[0].Before, "3 s before")
	require.Equal(t, Availability{Share: new(0.0), OK: 0, Intended: 19}, f.Ops[0].During, "5.1 s until before 7 s")
	require.Equal(t, 25, f.Ops[0].After.OK, "7.5 s until before 10 s")
	require.Equal(t, 25, f.Ops[0].After.Intended)
	require.Equal(t, 1.0, share(f.Ops[1].During), "GetVerdict")
	require.Equal(t, Availability{Share: new(0.5), OK: 19, Intended: 38}, f.Total.During)
	require.Equal(t, Availability{Share: new(1.0), OK: 20, Intended: 20}, f.Ops[0].End, "8 s until before 10 s")
}

// TestTimesAroundAFault: by intended time; what fails and what is never seen is told apart from what succeeds and shows.
func TestTimesAroundAFault(t *testing.T) {
	r := broken("async").do("CreatePost", 4000, 10, about(history.Post, "a", 1)).effect(history.Post, "a", 1, 4030).
		do("CreatePost", 5500, 20, about(history.Post, "b", 1)).effect(history.Post, "b", 1, 7500).
		do("CreatePost", 5600, 40, about(history.Post, "c", 1)).
		do("CreatePost", 5700, 900, fail).do("CreatePost", 5800, 0, unknown)
	for _, w := range Measure(r.h).Faults[0].Ops {
		if w.Op == "GetPost" {
			require.Equal(t, Times{}, Times{OK: w.Times.During.OK}, "none succeeded")
			require.NotNil(t, w.Times.During.Answer)
			require.Nil(t, w.Times.Before.TTE, "a read has no effect")
			continue
		}
		if w.Op != "CreatePost" {
			continue
		}
		require.InDelta(t, 30, w.Times.Before.TTE.P50, 1e-9)
		require.Equal(t, int64(2), w.Times.During.OK.Count)
		require.InDelta(t, 40, w.Times.During.OK.Max, 1e-9)
		require.Equal(t, int64(3), w.Times.During.Answer.Count, "the one without any answer is left out")
		require.InDelta(t, 900, w.Times.During.Answer.Max, 1e-9)
		require.InDelta(t, 2000, w.Times.During.TTE.Max, 1e-9)
		require.Equal(t, 1, w.Times.During.TTEMissing)
		return
	}
	require.Fail(t, "no CreatePost")
}

func TestAvailabilityNeedsAnAnswerWithinTheDeadline(t *testing.T) {
	r := newRun("sync").do("GetPost", 5200, 1000).do("GetPost", 5300, 1001).do("GetPost", 5400, 1, unknown).
		do("GetPost", 1000, 1).kill("posts", 5000, 5100, 7000, 7100, 9000)
	during := Measure(r.h).Faults[0].Total.During
	require.Equal(t, 1, during.OK)
	require.Equal(t, 3, during.Intended)
}

func TestWindowBeforeStopsAtTheFaultBeforeAndAtTheLoad(t *testing.T) {
	r := newRun("sync").every100("GetPost", 1000, 11_000).kill("posts", 2000, 2100, 3000, 3100, 5000).kill("query", 6000, 6100, 7000, 7100, 9000)
	faults := Measure(r.h).Faults
	require.Equal(t, 10, faults[0].Total.Before.Intended, "from the load's start at 1 s")
	require.Equal(t, 10, faults[1].Total.Before.Intended, "from the end of the slot before at 5 s")
}

func TestRecovery(t *testing.T) {
	for _, tt := range []struct {
		name    string
		run     *run
		want    float64 // ms; −1: null
		problem string
	}{
		{"after_the_last_failure", broken("sync"), 450, ""}, // the first operation after 7.4 s is due at 7.45 s
		{"at_once", newRun("async").every100("GetPost", 1000, 11_000).kill("query", 5000, 5100, 7000, 7100, 9000), 0, ""},
		{"level_of_before_below_1", newRun("sync").every100("GetPost", 1000, 5000).do("GetPost", 4950, 1, fail).
			every100("GetPost", 5000, 7000, fail).every100("GetPost", 7000, 11_000).do("GetPost", 7050, 1, fail).
			kill("posts", 5000, 5100, 7000, 7100, 9000), 100, ""}, // from 7.1 s on: 10 of 10; from 7 s: 10 of 11 < 30 of 31
		{"relapse_within_the_second", newRun("sync").every100("GetPost", 1000, 7000).every100("GetPost", 7000, 7500).
			do("GetPost", 7950, 1, fail).every100("GetPost", 7500, 11_000).kill("posts", 5000, 5100, 7000, 7100, 9500), 1000, ""},
		{"too_late_for_a_whole_second", newRun("sync").every100("GetPost", 1000, 5000).every100("GetPost", 5000, 8100, fail).
			every100("GetPost", 8100, 11_000).kill("posts", 5000, 5100, 7000, 7100, 9000), -1, "not back"},
		{"never", newRun("sync").every100("GetPost", 1000, 5000).every100("GetPost", 5000, 11_000, fail).
			kill("posts", 5000, 5100, 7000, 7100, 9000), -1, "not back"},
		{"not_lifted", newRun("sync").every100("GetPost", 1000, 11_000).kill("posts", 5000, 5100, 0, 0, 0), -1, "never asked for"},
		{"nothing_before", newRun("sync").every100("GetPost", 1000, 11_000).kill("posts", 1000, 1100, 7000, 7100, 9000), -1, "no operations were due"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := Measure(tt.run.h).Faults[0]
			if tt.want < 0 {
				require.Nil(t, f.RecoveryMS)
				require.Contains(t, f.RecoveryProblem, tt.problem)
				require.Zero(t, f.Total.After.Intended)
				require.Equal(t, tt.name == "not_lifted", f.Total.End.Intended == 0, "the end of the slot needs no recovery")
				return
			}
			require.NotNil(t, f.RecoveryMS, f.RecoveryProblem)
			require.InDelta(t, tt.want, *f.RecoveryMS, 1e-9)
			require.Empty(t, f.RecoveryProblem)
		})
	}
}

func TestDrain(t *testing.T) {
	write := func(r *run, id string, at int, changes ...func(*history.Operation)) *run {
		return r.do("CreatePost", at, 5, append(changes, about(history.Post, id, 1))...)
	}
	base := func() *run { return newRun("async").kill("query", 5000, 5100, 7000, 7100, 9000) }
	for _, tt := range []struct {
		name   string
		run    *run
		want   float64 // −1: null
		writes int
	}{
		{"nothing_written", base().do("GetPost", 6000, 1), 0, 0},
		{"the_last_effect_counts", write(write(base(), "a", 5500), "b", 6000).effect(history.Post, "a", 1, 7300).effect(history.Post, "b", 1, 7250), 300, 2},
		{"drained_before_the_lift", write(base(), "a", 5500).effect(history.Post, "a", 1, 5600), 0, 1},
		{"written_before_the_fault", write(base(), "a", 4999).effect(history.Post, "a", 1, 7300), 0, 0},
		{"answered_after_the_lift", write(base(), "a", 6996).effect(history.Post, "a", 1, 7300), 0, 0},
		{"unknown_write", write(base(), "a", 6000, unknown), 0, 0},
		{"no_effect", write(write(base(), "a", 5500), "b", 6000).effect(history.Post, "a", 1, 7300), -1, 1},
		{"not_lifted", write(newRun("async").kill("query", 5000, 5100, 0, 0, 0), "a", 5500), -1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.run.do("GetPost", 1000, 1)
			f := Measure(tt.run.h).Faults[0]
			require.Equal(t, tt.writes, f.DrainWrites)
			if tt.want < 0 {
				require.Nil(t, f.DrainMS)
				require.NotEmpty(t, f.DrainProblem)
				return
			}
			require.NotNil(t, f.DrainMS, f.DrainProblem)
			require.InDelta(t, tt.want, *f.DrainMS, 1e-9)
		})
	}
}

func TestLongestTimeToEffectDuringAFault(t *testing.T) {
	r := newRun("async").do("GetPost", 1000, 1).
		do("CreatePost", 5050, 5, about(history.Post, "early", 1)).effect(history.Post, "early", 1, 9000).
		do("CreatePost", 5200, 5, about(history.Post, "a", 1)).effect(history.Post, "a", 1, 7200).
		do("CreatePost", 6200, 5, about(history.Post, "b", 1)).effect(history.Post, "b", 1, 7300).
		do("CreatePost", 6300, 5, about(history.Post, "lost", 1)).
		kill("query", 5000, 5100, 7000, 7100, 9000)
	f := Measure(r.h).Faults[0]
	require.InDelta(t, 2000.0, *f.MaxTTEMS, 1e-9)
	require.Equal(t, 1, f.TTEMissing)
	require.Nil(t, Measure(broken("sync").h).Faults[0].MaxTTEMS)
}

func TestBlastRadius(t *testing.T) {
	// In sync, GetAuthorPage needs posts and must fail; here 2 of 19 succeed: a surprise. CreateComment is tried too seldom.
	lucky := 0
	r := broken("sync").every100("GetAuthorPage", 1010, 5100).every100("GetAuthorPage", 5110, 7000, func(o *history.Operation) {
		if lucky++; lucky > 2 {
			fail(o)
		}
	}).do("CreateComment", 5500, 1, about(history.Comment, "c", 1)).do("ListFeed", 1500, 1).do("Frob", 5500, 1)
	cells := map[string]Cell{}
	for _, c := range Measure(r.h).Faults[0].BlastRadius {
		cells[c.Op] = c
	}
	require.Equal(t, Cell{Op: "GetPost", Availability: new(0.0), Samples: 19, Predicted: new(0.0)}, cells["GetPost"])
	require.Equal(t, Cell{Op: "GetVerdict", Availability: new(1.0), Samples: 19, Predicted: new(1.0)}, cells["GetVerdict"])
	require.True(t, cells["GetAuthorPage"].Surprise)
	require.InDelta(t, 2.0/19, *cells["GetAuthorPage"].Availability, 1e-9)
	require.Equal(t, Cell{Op: "CreateComment", Availability: new(1.0), Samples: 1, Predicted: new(0.0)}, cells["CreateComment"],
		"one sample is no surprise")
	require.Equal(t, Cell{Op: "ListFeed", Predicted: new(0.0)}, cells["ListFeed"], "without samples null, not 0")
	require.Equal(t, Cell{Op: "Frob", Availability: new(1.0), Samples: 1}, cells["Frob"], "the graph does not know it")
}

func TestSurpriseStartsAboveFivePercent(t *testing.T) {
	for failures, surprise := range map[int]bool{0: false, 1: false, 2: true} {
		r := newRun("async").do("GetPost", 1000, 1)
		for i := range 20 {
			if i < failures {
				r.do("GetPost", 5200+i*50, 1, fail)
			} else {
				r.do("GetPost", 5200+i*50, 1)
			}
		}
		r.kill("query", 5000, 5100, 7000, 7100, 9000)
		require.Equal(t, surprise, Measure(r.h).Faults[0].BlastRadius[0].Surprise, "%d of 20 failed", failures)
	}
}

func TestFallbackIsPredictedAndCountedApart(t *testing.T) {
	for level, predicted := range map[string]float64{"breaker": 0, "fallback": 1} {
		r := newRun("sync")
		r.h.Header.Level = level
		r.every100("GetPostPage", 1000, 5000).every100("GetPostPage", 5000, 7100, degraded).every100("GetPostPage", 7100, 11_000)
		report := Measure(r.kill("comments", 5000, 5100, 7000, 7100, 9000).h)
		f := report.Faults[0]
		require.Equal(t, predicted, *f.BlastRadius[0].Predicted, level)
		require.Equal(t, predicted == 0, f.BlastRadius[0].Surprise, level)
		require.Equal(t, Availability{Share: new(1.0), OK: 19, Intended: 19, Degraded: 19}, f.Ops[0].During)
		require.Zero(t, f.Ops[0].Before.Degraded)
		require.Equal(t, 21, opOf(t, report, "GetPostPage").Degraded)
	}
}

func TestAbsentFaultIsMarked(t *testing.T) {
	r := newRun("sync").every100("GetPost", 1000, 11_000).kill("broker", 5000, 5100, 7000, 7100, 9000)
	r.h.Faults[0].Absent = true
	f := Measure(r.h).Faults[0]
	require.True(t, f.Absent)
	require.Equal(t, Cell{Op: "GetPost", Availability: new(1.0), Samples: 19, Predicted: new(1.0)}, f.BlastRadius[0])
}

func TestFaultsThatTakeAPartDown(t *testing.T) {
	for name, down := range map[string]bool{
		"kill": true, "stop": true, "pause": true, "rebuild": true, "crash": true, "zombie": true, "slow": false, "errors": false, "duplicate": false,
	} {
		r := newRun("sync").every100("GetPost", 1000, 11_000).kill("posts", 5000, 5100, 7000, 7100, 9000)
		r.h.Faults[0].Name = name
		require.Equal(t, down, Measure(r.h).Faults[0].BlastRadius[0].Predicted != nil, name)
		require.Equal(t, down, newSubject(r.h).hidden("GetPost", 6*time.Second), name)
	}
}

func TestGraph(t *testing.T) {
	for _, tt := range []struct{ stack, level, op, want string }{
		{"sync", "deadline", "CreateComment", "comments posts moderation"}, {"sync", "deadline", "DeletePost", "posts comments"},
		{"sync", "deadline", "GetAuthorPage", "query posts subscriptions"},
		{"sync", "breaker", "GetPostPage", "query posts comments subscriptions"},
		{"sync", "fallback", "CreateComment", "comments posts"}, {"sync", "fallback", "DeletePost", "posts comments"},
		{"sync", "fallback", "GetPostPage", "query posts"},
		{"async", "outbox", "CreateComment", "comments"}, {"async", "", "GetPostPage", "query"},
	} {
		services, known := Needs(tt.stack, tt.level, tt.op)
		require.True(t, known)
		require.Equal(t, tt.want, strings.Join(services, " "), tt.op)
	}
	_, known := Needs("sync", "fallback", "Frob")
	require.False(t, known)
	sync, async := graphs()["sync"], graphs()["async"]
	for op, services := range atFallback() {
		require.Subset(t, sync[op], services, op)
		require.Less(t, len(services), len(sync[op]), "only what needs less stands there: %s", op)
	}
	require.Len(t, async, len(sync))
	for op, services := range async {
		require.Len(t, services, 1, "async needs one service only: %s", op)
		require.Contains(t, sync[op], services[0], "both stacks serve %s from the same service", op)
	}
	for _, g := range graphs() {
		for op, services := range g {
			require.NotContains(t, services, "broker", op)
		}
	}
}

func TestTimelines(t *testing.T) {
	r := newRun("sync").do("GetPost", 1000, 10).do("ListFeed", 1050, 30).do("GetPost", 1099, 1, fail).do("GetPost", 1100, 1001).
		do("GetPost", 10_999, 5)
	lines := Measure(r.h).Timelines
	require.Equal(t, []string{"", "GetPost", "ListFeed"}, []string{lines[0].Op, lines[1].Op, lines[2].Op})
	require.Len(t, lines[0].Buckets, 100)
	require.Equal(t, Bucket{AtMS: 1000, OK: 2, Failed: 1, P50MS: new(10.0), P99MS: new(30.0)}, lines[0].Buckets[0])
	require.Equal(t, Bucket{AtMS: 1100, Failed: 1}, lines[0].Buckets[1], "after the deadline is a failure")
	require.Equal(t, Bucket{AtMS: 1200}, lines[0].Buckets[2])
	require.Equal(t, Bucket{AtMS: 1000, OK: 1, Failed: 1, P50MS: new(10.0), P99MS: new(10.0)}, lines[1].Buckets[0])
	require.Equal(t, Bucket{AtMS: 10_900, OK: 1, P50MS: new(5.0), P99MS: new(5.0)}, lines[1].Buckets[99])
}

func TestRank(t *testing.T) {
	for _, tt := range []struct {
		n       int
		percent float64
		want    int
	}{
		{1, 50, 1}, {1, 99.9, 1}, {2, 50, 1}, {3, 50, 2}, {16, 90, 15}, {200, 99, 198}, {201, 99, 199}, {1000, 99.9, 999}, {1001, 99.9, 1000},
		{10_000, 99.99, 9999}, {7, 1, 1}, {100_000, 99.9, 99_900},
	} {
		require.Equal(t, tt.want, rank(tt.n, tt.percent), "%v %% of %d", tt.percent, tt.n)
	}
}

func TestEmptyHistory(t *testing.T) {
	report := Measure(&history.History{})
	text, err := json.Marshal(report)
	require.NoError(t, err)
	require.Contains(t, string(text), `"achieved_rate":null`)
	require.Contains(t, string(text), `"ops":[]`)
}

func TestComparable(t *testing.T) {
	same := history.Header{Stack: "sync", Seed: 1, Schedule: "ab", Deadline: time.Second, OfferedRate: 10, Length: time.Minute}
	for _, tt := range []struct {
		name   string
		change func(*history.Header)
		want   string
	}{
		{"other_stack", func(h *history.Header) { h.Stack = "async" }, ""},
		{"seed", func(h *history.Header) { h.Seed = 2 }, "seed differs: 1 and 2"},
		{"schedule", func(h *history.Header) { h.Schedule = "cd" }, "schedule of operations differs: ab and cd"},
		{"deadline", func(h *history.Header) { h.Deadline = 2 * time.Second }, "deadline differs: 1s and 2s"},
		{"rate", func(h *history.Header) { h.OfferedRate = 20 }, "offered rate differs: 10 and 20"},
		{"length", func(h *history.Header) { h.Length = time.Hour }, "length of the load differs: 1m0s and 1h0m0s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			other := same
			tt.change(&other)
			err := Comparable(&history.History{Header: same}, &history.History{Header: other})
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// TestAnyHistory measures random histories: whatever happened, shares lie between 0 and 1, percentiles ascend, and counts add up.
func TestAnyHistory(t *testing.T) {
	for seed := range uint64(15) {
		h := randomHistory(rand.New(rand.NewPCG(seed, 1)))
		report := Measure(h)
		walk(t, reflect.ValueOf(report), seed)
		require.Equal(t, report, Measure(h), "seed %d: measured again, the same", seed)
		sum := 0
		for _, b := range report.Timelines[0].Buckets {
			sum += b.OK + b.Failed
		}
		require.Equal(t, len(h.Load()), sum, "seed %d: every operation is in a bucket", seed)
		requireShowings(t, report, seed)
	}
}

// requireShowings demands that the steps of the writes hold what the figures of the writes hold.
func requireShowings(t *testing.T, r Report, seed uint64) {
	t.Helper()
	acknowledged, notSeen := 0, 0
	for _, m := range r.Ops {
		if m.Write {
			acknowledged, notSeen = acknowledged+m.OK, notSeen+m.TTEMissing
		}
	}
	for _, step := range r.Writes[0].Steps {
		acknowledged, notSeen = acknowledged-step.Acknowledged, notSeen-step.EffectsNotSeen
	}
	require.Equal(t, []int{0, 0}, []int{acknowledged, notSeen}, "seed %d", seed)
}

func randomHistory(r *rand.Rand) *history.History {
	run := newRun([]string{"sync", "async"}[r.IntN(2)])
	ops := []string{"CreatePost", "UpdatePost", "DeletePost", "CreateComment", "Subscribe", "GetPost", "ListFeed"}
	kinds := []history.Aggregate{history.Post, history.Comment, history.Author}
	run.do("GetPost", 1000, 1)
	for range 300 {
		change := []func(*history.Operation){fail, unknown, dropped, func(*history.Operation) {}, func(*history.Operation) {}}[r.IntN(5)]
		id, kind := string(rune('a'+r.IntN(5))), kinds[r.IntN(3)]
		run.do(ops[r.IntN(len(ops))], 1000+r.IntN(10_000), r.IntN(2000), about(kind, id, r.Int64N(5)), change)
		run.effect(kinds[r.IntN(3)], string(rune('a'+r.IntN(5))), r.Int64N(6), r.IntN(13_000))
	}
	at := 1000
	for range r.IntN(4) {
		times := [5]int{}
		for i := range times {
			at += r.IntN(800)
			times[i] = at
		}
		run.kill("posts", times[0], times[1], times[2], times[3], times[4])
	}
	return run.h
}

// walk checks every Percentiles and Availability in a value.
func walk(t *testing.T, v reflect.Value, seed uint64) {
	t.Helper()
	switch x := v.Interface().(type) {
	case Percentiles:
		require.Positive(t, x.Count)
		require.IsNonDecreasing(t, []float64{0, x.P50, x.P90, x.P99, x.P999, x.Max}, "seed %d", seed)
	case Availability:
		require.Equal(t, x.Intended > 0, x.Share != nil, "seed %d", seed)
		if x.Share != nil {
			require.True(t, 0 <= *x.Share && *x.Share <= 1, "seed %d: %v", seed, *x.Share)
		}
	case Fault:
		for _, p := range []*float64{x.RecoveryMS, x.DrainMS} {
			require.True(t, p == nil || *p >= 0, "seed %d", seed)
		}
		require.Equal(t, x.RecoveryMS == nil, x.RecoveryProblem != "", "seed %d", seed)
		require.Equal(t, x.DrainMS == nil, x.DrainProblem != "", "seed %d", seed)
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			walk(t, field, seed)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(t, v.Index(i), seed)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			walk(t, v.Elem(), seed)
		}
	}
}

func TestWhatHidesAPage(t *testing.T) {
	for _, tt := range []struct {
		stack, kind, victim string
		hidden              bool
	}{
		{"sync", "partition", "users->query", true}, {"async", "partition", "users->query", true},
		{"sync", "partition", "query->comments", true}, {"sync", "partition", "query", true}, {"sync", "partition", "posts", true},
		{"sync", "partition", "users->posts", false}, {"sync", "partition", "comments->posts", false}, {"sync", "partition", "moderation", false},
		{"async", "partition", "query->broker", false}, {"async", "partition", "posts", false},
		{"sync", "rolling restart", "", true}, {"async", "rolling restart", "", true},
		{"sync", "slow", "query", false}, {"sync", "errors", "query", false},
	} {
		r := newRun(tt.stack).every100("GetPostPage", 1000, 11_000).kill(tt.victim, 5000, 5100, 7000, 7100, 9000)
		r.h.Faults[0].Name = tt.kind
		require.Equal(t, tt.hidden, newSubject(r.h).hidden("GetPostPage", 6*time.Second), "%+v", tt)
		require.False(t, newSubject(r.h).hidden("GetPostPage", 7100*time.Millisecond), "%+v", tt)
	}
}

// TestWhatNobodyCanReadDoesNotShow: in sync a write may be committed while the part that serves its page is down. It shows when the
// first reader is answered again.
func TestWhatNobodyCanReadDoesNotShow(t *testing.T) {
	r := newRun("sync").do("GetPost", 1000, 1).
		do("UpdatePost", 5500, 5, about(history.Post, "p", 2)).effect(history.Post, "p", 2, 5504).
		do("GetPostPage", 5400, 200).                                                                     // sent before the effect: it may have read before
		do("GetPostPage", 6000, 1, fail).                                                                 // query is down
		do("GetAuthorPage", 7150, 10).                                                                    // another page
		do("GetPostPage", 7200, 50).                                                                      // answered at 7250
		do("Subscribe", 8000, 5, about(history.Author, "ann", 1)).effect(history.Author, "ann", 1, 8003). // all is up again
		kill("query", 5000, 5100, 7000, 7100, 9000)
	got := Measure(r.h)
	require.InDelta(t, 1750, *got.Faults[0].MaxTTEMS, 1)
	require.InDelta(t, 3, opOf(t, got, "Subscribe").TTEWhole.Max, 0.1)
}
