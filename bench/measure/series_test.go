package measure

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/history"
)

func curveOf(t *testing.T, r Report, op, measure string) Curve {
	t.Helper()
	for _, c := range r.Curves {
		if c.Op == op && c.Measure == measure {
			return c
		}
	}
	require.Failf(t, "no curve", "of %s, %s", op, measure)
	return Curve{}
}

func TestCurves(t *testing.T) {
	r := newRun("async").kill("query", 9000, 9100, 9500, 9600, 10_000)
	for i := range 400 {
		r.do("GetPost", 1000+i*10, i+1)
	}
	r.do("GetPost", 9200, 900).do("GetPost", 1500, 5000, fail)
	r.do("CreatePost", 1000, 3, about(history.Post, "p", 1)).effect(history.Post, "p", 1, 1020)
	got := Measure(r.h)
	c := curveOf(t, got, "GetPost", "latency")
	require.Equal(t, Point{1, 4}, c.Points[0])
	require.Contains(t, c.Points, Point{50, 200})
	require.Equal(t, Point{99, 396}, c.Points[len(c.Points)-1], "400 do not support 99.5 %")
	require.Equal(t, opOf(t, got, "GetPost").Latency.P99, 396.0, "over the same operations")
	for _, measure := range []string{"tta", "tte"} {
		require.NotNil(t, curveOf(t, got, "CreatePost", measure).Points)
		require.Contains(t, []int{0, 2}, len(curveOf(t, got, "CreatePost", measure).Points), "one write supports next to nothing")
	}
	require.Len(t, got.Curves, 3)
}

func TestSupported(t *testing.T) {
	for _, tt := range []struct {
		n       int
		percent float64
		want    bool
	}{
		{0, 1, false}, {4, 50, false}, {5, 50, true}, {298, 99, false}, {299, 99, true}, {2994, 99.9, false}, {2995, 99.9, true},
	} {
		require.Equal(t, tt.want, supported(tt.n, tt.percent), "%v %% of %d", tt.percent, tt.n)
	}
}

func TestBacklog(t *testing.T) {
	r := newRun("async").do("GetPost", 1000, 5).
		do("CreatePost", 1190, 10, about(history.Post, "a", 1)).effect(history.Post, "a", 1, 1400). // acknowledged at 1200
		do("CreatePost", 1240, 10, about(history.Post, "b", 1)).effect(history.Post, "b", 1, 1301).
		do("UpdatePost", 1300, 50, about(history.Post, "a", 2)).effect(history.Post, "a", 3, 1510). // a later change tells
		do("CreatePost", 1300, 50, about(history.Post, "early", 1)).effect(history.Post, "early", 1, 1340).
		do("CreatePost", 1300, 50, about(history.Post, "never", 1)).
		do("CreatePost", 1300, 50, about(history.Post, "unknown", 1), unknown).effect(history.Post, "unknown", 1, 9000).
		do("CreatePost", 10_900, 50, about(history.Post, "late", 1)).effect(history.Post, "late", 1, 11_250)
	got := Measure(r.h).Backlog
	require.Equal(t, []Backlog{
		{AtMS: 1000}, {AtMS: 1100}, {AtMS: 1200, Waiting: 1}, {AtMS: 1300, Waiting: 2, OldestMS: 100}, {AtMS: 1400, Waiting: 1, OldestMS: 50},
		{AtMS: 1500, Waiting: 1, OldestMS: 150}, {AtMS: 1600},
	}, got[:7])
	require.Equal(t, []Backlog{{AtMS: 11_000, Waiting: 1, OldestMS: 50}, {AtMS: 11_100, Waiting: 1, OldestMS: 150}, {AtMS: 11_200, Waiting: 1, OldestMS: 250}},
		got[len(got)-3:], "beyond the end of the load")
	r.h.Drained = 12 * time.Second
	got = Measure(r.h).Backlog
	require.Equal(t, Backlog{AtMS: 12_000}, got[len(got)-1])
}

func TestShowings(t *testing.T) {
	r := newRun("async").do("GetPost", 1000, 400).
		do("CreatePost", 1010, 10, about(history.Post, "a", 1)).effect(history.Post, "a", 1, 1050).
		do("Subscribe", 1499, 20, about(history.Author, "b", 1)).effect(history.Author, "b", 1, 1600).
		do("CreatePost", 1500, 10, about(history.Post, "c", 1)).
		do("CreatePost", 1500, 10, about(history.Post, "d", 1), fail)
	got := Measure(r.h).Writes
	require.Equal(t, []string{"", "CreatePost", "Subscribe"}, []string{got[0].Op, got[1].Op, got[2].Op})
	require.Len(t, got[0].Steps, 20)
	require.Equal(t, ShowingStep{
		AtMS: 1000, Acknowledged: 2, TTAP50MS: new(10.0), TTAP99MS: new(20.0), TTEP50MS: new(40.0), TTEP99MS: new(101.0),
		StalenessP50MS: new(30.0), StalenessP99MS: new(81.0), StalenessMaxMS: new(81.0),
	}, got[0].Steps[0])
	require.Equal(t, ShowingStep{AtMS: 1500, Acknowledged: 1, TTAP50MS: new(10.0), TTAP99MS: new(10.0), EffectsNotSeen: 1}, got[1].Steps[1])
	require.Equal(t, ShowingStep{AtMS: 2000}, got[0].Steps[2])
}

// look adds a read-back of the newest operation.
func (r *run) look(sent, completed int, code string, shown bool) *run {
	r.h.Looks = append(r.h.Looks, history.Look{
		Write: r.h.Operations[len(r.h.Operations)-1].Index, Code: code, Shown: shown,
		Sent: time.Duration(sent) * msec, Completed: time.Duration(completed) * msec,
	})
	return r
}

func TestWitness(t *testing.T) {
	write := func() *run { return newRun("async").do("CreatePost", 1000, 10, about(history.Post, "p", 1)) }
	for _, tt := range []struct {
		name string
		run  *run
		off  float64
		span float64
	}{
		{"between_two_looks", write().look(1010, 1012, "NOT_FOUND", false).look(1020, 1022, "OK", true).effect(history.Post, "p", 1, 1015), 0, 12},
		{"while_the_last_without_it_was_under_way", write().look(1010, 1018, "OK", false).look(1020, 1022, "OK", true).effect(history.Post, "p", 1, 1011), 0, 12},
		{"shown_at_once", write().look(1010, 1012, "OK", true).effect(history.Post, "p", 1, 1005), 0, 11},
		{"told_too_early", write().look(1010, 1012, "OK", false).look(1020, 1022, "OK", true).effect(history.Post, "p", 1, 1003), 7, 12},
		{"told_too_late", write().look(1010, 1012, "OK", true).effect(history.Post, "p", 1, 1020), 8, 11},
		{"off_within_the_bound", write().look(1010, 1012, "OK", true).effect(history.Post, "p", 1, 1017), 5, 11},
		{"a_failed_look_says_nothing", write().look(1010, 1012, "UNAVAILABLE", false).look(1020, 1022, "OK", true).effect(history.Post, "p", 1, 1005), 0, 21},
		{"what_comes_after_the_first_sight_does_not_count", write().look(1010, 1012, "OK", true).look(1030, 1032, "OK", false).look(1040, 1042, "OK", true).effect(history.Post, "p", 1, 1009), 0, 11},
		{"a_later_version_shows_it_too", write().look(1010, 1012, "OK", false).look(1020, 1022, "OK", true).effect(history.Post, "p", 2, 1015), 0, 12},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := Measure(tt.run.h).Witness
			agree := 0
			if tt.off <= 5 {
				agree = 1
			}
			require.Equal(t, []int{1, agree, 0, 0}, []int{w.Writes, w.Agree, w.Untold, w.NotSeen})
			require.Equal(t, []float64{5, tt.off, tt.span}, []float64{w.BoundMS, w.Off.Max, w.Span.Max})
		})
	}
}

func TestWitnessOfWhatOnlyOneSaw(t *testing.T) {
	r := newRun("async").
		do("CreatePost", 1000, 10, about(history.Post, "untold", 1)).look(1010, 1012, "OK", true).
		do("CreatePost", 1000, 10, about(history.Post, "hidden", 1)).effect(history.Post, "hidden", 1, 1005).look(1010, 1012, "OK", false).
		do("Subscribe", 1000, 10, about(history.Author, "unchanged", 0)).look(1010, 1012, "OK", true)
	r.h.Looks = append(r.h.Looks, history.Look{Write: 99, Code: "OK", Shown: true}) // of no write of the load
	require.Equal(t, &Witness{BoundMS: 5, Untold: 1, NotSeen: 1}, Measure(r.h).Witness)
	require.Nil(t, Measure(newRun("async").do("GetPost", 1000, 1).h).Witness, "nobody looked")
}
