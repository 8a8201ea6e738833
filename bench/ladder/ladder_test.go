package ladder

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/bench/check"
	"tandem/bench/fault"
	"tandem/bench/measure"
	"tandem/bench/report"
	"tandem/bench/scenario"
)

func TestNew(t *testing.T) {
	window := func(op string, ok, intended, degraded int, p99 float64) measure.Windows {
		return measure.Windows{
			Op: op, During: measure.Availability{OK: ok, Intended: intended, Degraded: degraded},
			Times: &measure.WindowTimes{During: measure.Times{Answer: &measure.Percentiles{P99: p99}}},
		}
	}
	s := report.Stack{Stack: "sync", Cost: scenario.Cost{RPCs: 3, RPCsInFaults: 7, Messages: 1}}
	s.Check.Verdict, s.Check.Figures.Lost.Log.Count, s.Check.Figures.CounterDrift.Count = check.Invalid, 2, 3
	s.Figures.Faults = []measure.Fault{
		{RecoveryMS: new(200.0), Ops: []measure.Windows{window("CreateComment", 5, 10, 1, 80), window("GetPost", 1, 9, 9, 999)}},
		{RecoveryMS: new(100.0), Ops: []measure.Windows{window("CreateComment", 10, 10, 2, 90), {Op: "GetVerdict"}}},
		{Absent: true},
	}
	r := New("x", "retry", "folder", []string{"CreateComment", "GetVerdict"}, s)
	require.Equal(t, Rung{
		Scenario: "x", Stack: "sync", Level: "retry", Folder: "folder", Verdict: check.Invalid, OK: 15, Intended: 20, Degraded: 3,
		WaitMS: new(90.0), RPCs: 7, Messages: 1, Lost: 2, Duplicated: 3, RecoveryMS: new(200.0),
	}, r)
	s.Figures.Faults[1].RecoveryMS, s.Cost.RPCsInFaults = nil, 0
	r = New("x", "retry", "folder", nil, s)
	require.Nil(t, r.RecoveryMS, "one that it did not recover from outlasts all others")
	require.InDelta(t, 3, r.RPCs, 0)
	require.Zero(t, r.Intended)
}

func TestMattering(t *testing.T) {
	ops := []string{"CreateComment", "CreatePost", "GetVerdict", "ListFeed"}
	for victim, want := range map[string]string{
		"moderation": "CreateComment", "comments->moderation": "CreateComment", "query": "ListFeed",
		"broker": strings.Join(ops, " "), "blog.posts": strings.Join(ops, " "), "": strings.Join(ops, " "),
	} {
		require.Equal(t, want, strings.Join(Mattering([]fault.Spec{{Victim: victim}}, ops), " "), victim)
	}
	require.Equal(t, []string{"GetVerdict"}, Mattering([]fault.Spec{{Victim: "moderation"}}, []string{"GetVerdict", "GetPost"}))
}

// TestWorse: each column is marked if it is worse by more than noise, and only then; the other stack and scenario are no rung below.
func TestWorse(t *testing.T) {
	base := Rung{OK: 90_000, Intended: 100_000, WaitMS: new(400.0), RPCs: 3, Messages: 1, Lost: 4, Duplicated: 0, RecoveryMS: new(400.0)}
	for name, tc := range map[string]struct {
		change func(*Rung)
		want   string
	}{
		"same":                 {func(*Rung) {}, ""},
		"better":               {func(r *Rung) { r.OK, r.WaitMS, r.RPCs, r.Lost = 100_000, new(9.0), 1, 0 }, ""},
		"less_available":       {func(r *Rung) { r.OK = 80_000 }, "OK %"},
		"less_by_chance":       {func(r *Rung) { r.OK, r.Intended = 8, 10 }, ""},
		"too_little_to_notice": {func(r *Rung) { r.OK = 88_500 }, ""},
		"waits_longer":         {func(r *Rung) { r.WaitMS = new(601.0) }, "p99 wait"},
		"waits_hardly_longer":  {func(r *Rung) { r.WaitMS = new(599.0) }, ""},
		"more_calls":           {func(r *Rung) { r.RPCs = 3.7 }, "RPCs/op"},
		"more_messages":        {func(r *Rung) { r.Messages = 1.3 }, "msgs/op"},
		"not_counted":          {func(r *Rung) { r.RPCs, r.WaitMS = 0, nil }, ""},
		"loses_more":           {func(r *Rung) { r.Lost = 10 }, "lost"},
		"loses_more_by_chance": {func(r *Rung) { r.Lost = 9 }, ""},
		"doubles":              {func(r *Rung) { r.Duplicated = 1 }, "doubled"},
		"recovers_later":       {func(r *Rung) { r.RecoveryMS = new(900.0) }, "recovery"},
		"does_not_recover":     {func(r *Rung) { r.RecoveryMS = nil }, "recovery"},
		"degraded":             {func(r *Rung) { r.Degraded = 900 }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			above := base
			tc.change(&above)
			rungs := []Rung{base, above}
			Mark(rungs)
			require.Equal(t, tc.want, strings.Join(rungs[1].Worse, " "))
			require.Empty(t, rungs[0].Worse)
			other := above
			other.Stack = "async"
			rungs = []Rung{base, other}
			Mark(rungs)
			require.Empty(t, rungs[1].Worse)
		})
	}
}

// TestPrint: what is worse is told in words.
func TestPrint(t *testing.T) {
	rungs := []Rung{
		{Stack: "sync", Level: "naive", Verdict: check.Valid, OK: 1, Intended: 2, WaitMS: new(1234.5), RPCs: 3.456, RecoveryMS: new(1.26)},
		{Stack: "sync", Level: "deadline", Verdict: check.Valid, OK: 1, Intended: 3, Lost: 2, Worse: []string{"OK %", "lost"}},
		{Stack: "async", Level: "direct", Verdict: check.Invalid},
	}
	var b strings.Builder
	require.NoError(t, Print(&b, rungs))
	lines := strings.Split(b.String(), "\n")
	require.Equal(t, "sync OK % p99 wait RPCs/op msgs/op degraded lost doubled recovery verdict", strings.Join(strings.Fields(lines[0]), " "))
	require.Equal(t, "naive 50.0 1.235s 3.46 – 0 0 0 1.3ms valid", strings.Join(strings.Fields(lines[1]), " "))
	require.Equal(t, "deadline 33.3 worse – – – 0 2 worse 0 – valid", strings.Join(strings.Fields(lines[2]), " "))
	require.Contains(t, lines[3], "async")
	require.Equal(t, "direct – – – – 0 0 0 – invalid", strings.Join(strings.Fields(lines[4]), " "))
}
