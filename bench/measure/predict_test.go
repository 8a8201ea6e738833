package measure

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/history"
)

// hurt is a run in which a fault that takes no part away is in effect from 5.1 to 7 s.
func hurt(level, kind, victim string) *run {
	r := newRun("sync")
	r.h.Header.Level = level
	r.kill(victim, 5000, 5100, 7000, 7100, 9000)
	r.h.Faults[0].Name = kind
	return r
}

// every10 adds 190 operations while the fault is in effect, of which one in so many fails; 0 for none.
func (r *run) every10(op string, took, oneIn int) *run {
	for i := range 190 {
		if oneIn > 0 && i%oneIn == 0 {
			r.do(op, 5100+10*i, took, fail)
		} else {
			r.do(op, 5100+10*i, took)
		}
	}
	return r
}

func cellOf(t *testing.T, r *run, op string) Cell {
	t.Helper()
	for _, c := range Measure(r.h).Faults[0].BlastRadius {
		if c.Op == op {
			return c
		}
	}
	require.Fail(t, "no "+op)
	return Cell{}
}

// TestPredictedAvailability: a chain multiplies, retries repair, a budget that is used up does not, a fan-out needs all its calls.
func TestPredictedAvailability(t *testing.T) {
	for name, tc := range map[string]struct {
		level, op string
		oneIn     int // of the calls of moderation and of subscriptions fails
		want      float64
	}{
		"chain":                 {"deadline", "CreateComment", 2, 0.5},
		"retries":               {"retry", "CreateComment", 2, 1 - math.Pow(0.5, 4)},
		"budget_used_up":        {"budget", "CreateComment", 2, 0.5},
		"budget_that_lasts":     {"budget", "CreateComment", 19, 1 - math.Pow(1.0/19, 4)},
		"fallback_does_without": {"fallback", "CreateComment", 2, 1},
		"fan_out":               {"deadline", "ListFeed", 19, math.Pow(18.0/19, 10)},
		"one_of_the_fan_out":    {"deadline", "GetAuthorPage", 19, 18.0 / 19},
		"fan_out_is_spared":     {"fallback", "ListFeed", 19, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := hurt(tc.level, "errors", "moderation").every10("GetPost", 2, 0).every10("GetComment", 2, 0).
				every10("GetVerdict", 2, tc.oneIn).every10("GetSubscriberCount", 2, tc.oneIn).every10(tc.op, 4, 0)
			c := cellOf(t, r, tc.op)
			require.InDelta(t, tc.want, *c.Predicted, 1e-9)
			require.LessOrEqual(t, *c.PredictedLow, *c.Predicted)
			require.GreaterOrEqual(t, *c.PredictedHigh, *c.Predicted)
			require.Equal(t, tc.want < 0.95, c.Surprise, "all of them succeeded")
		})
	}
}

// TestPredictedTime: stages add up, of calls that are under way together the slowest counts, and a slow link adds what it adds.
func TestPredictedTime(t *testing.T) {
	r := hurt("deadline", "slow", "comments->moderation").every10("GetPost", 10, 0).every10("GetComment", 20, 0).
		every10("GetVerdict", 40, 0).every10("CreateComment", 370, 0).every10("GetAuthorPage", 20, 0)
	for i := range 190 {
		r.do("GetSubscriberCount", 5100+10*i, 1+i%100)
	}
	r.h.Faults[0].Delay = 300 * time.Millisecond
	c := cellOf(t, r, "CreateComment")
	require.InDelta(t, 20+10+40+300, *c.PredictedP50MS, 1e-9)
	require.InDelta(t, 370, *c.P50MS, 1e-9)
	require.False(t, c.SlowSurprise)
	r.every10("ListFeed", 20, 0)
	require.InDelta(t, 10+10+89, *cellOf(t, r, "ListFeed").PredictedP50MS, 1e-9, "the median of the slowest of ten is their 93rd percentile")
	require.True(t, cellOf(t, r, "ListFeed").SlowSurprise)

	r.h.Faults[0].Delay = 2 * time.Second
	require.Zero(t, *cellOf(t, r, "CreateComment").Predicted, "it cannot be done within the deadline")
	r.h.Faults[0].Name, r.h.Faults[0].Delay = "partition", 0
	require.Zero(t, *cellOf(t, r, "CreateComment").Predicted, "both are well, and the link between them is cut")
	require.InDelta(t, 1, *cellOf(t, r, "ListFeed").Predicted, 0)
}

// TestNoPrediction: what was not measured alone predicts nothing, and no operation predicts itself.
func TestNoPrediction(t *testing.T) {
	r := hurt("deadline", "errors", "moderation").every10("GetVerdict", 2, 2).every10("CreateComment", 4, 2).every10("GetComment", 2, 0)
	require.Nil(t, cellOf(t, r, "CreateComment").Predicted, "nothing tells of posts")
	require.Nil(t, cellOf(t, r, "GetVerdict").Predicted, "nothing else tells of moderation")
	r.every10("ReviewComment", 2, 0)
	require.InDelta(t, 1, *cellOf(t, r, "GetVerdict").Predicted, 0)
	require.True(t, cellOf(t, r, "GetVerdict").Surprise)
	r.h.Faults[0].Victim = "query"
	r.every10("GetPostPage", 2, 0).every10("GetPost", 2, 0).every10("GetSubscriberCount", 2, 0)
	require.Nil(t, cellOf(t, r, "GetPostPage").Predicted, "nothing tells of sync's query alone")
}

// TestRecipesAreTheGraph: both say which services an operation needs.
func TestRecipesAreTheGraph(t *testing.T) {
	for op, services := range graphs()["sync"] {
		s := &subject{h: &history.History{Header: history.Header{Stack: "sync"}}}
		r, known := s.recipeOf(op)
		require.True(t, known, op)
		all, spared := []string{r.first}, []string{r.first}
		for _, stage := range r.stages {
			for _, c := range stage {
				all = append(all, c.service)
				if !c.spared {
					spared = append(spared, c.service)
				}
			}
		}
		require.ElementsMatch(t, services, all, op)
		least, _ := Needs("sync", "fallback", op)
		require.ElementsMatch(t, least, spared, op)
	}
}
