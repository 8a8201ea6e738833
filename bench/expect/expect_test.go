package expect

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/bench/check"
	"tandem/bench/measure"
)

func share(ok, degraded, intended int) measure.Availability {
	return measure.Availability{Share: new(float64(ok) / float64(intended)), OK: ok, Degraded: degraded, Intended: intended}
}

// run is one in which the second fault stopped CreateComment.
func run() Run {
	r := Run{Check: check.Result{Verdict: check.Invalid}, RPCs: 3.2561, Messages: 0.5}
	r.Check.Figures.Lost.Store.Count, r.Check.Figures.Lost.ReadModel.Count, r.Check.Figures.Lost.Log.Count = 1, 2, 4
	r.Figures.Ops = []measure.Op{
		{Op: "CreateComment", OK: 20, Decided: 5, Blocked: 4, Refused: 1, TTA: &measure.Percentiles{P50: 1.5, P99: 20}, TTE: &measure.Percentiles{P50: 3, P99: 40}},
		{Op: "ListFeed", Latency: &measure.Percentiles{P50: 2, P99: 2500}},
	}
	r.Figures.Faults = []measure.Fault{
		{Victim: "broker", Absent: true},
		{
			Victim: "moderation", RecoveryMS: new(400.0), DrainProblem: "an acknowledged write has no effect that was seen", MaxTTEMS: new(3100.0),
			Total: measure.Windows{Before: share(100, 0, 100), During: share(90, 9, 100), End: share(1, 0, 4)},
			Ops: []measure.Windows{
				{Op: "CreateComment", Before: share(10, 0, 10), During: share(0, 0, 10), Times: &measure.WindowTimes{
					Before: measure.Times{OK: &measure.Percentiles{P50: 2, P99: 9}, TTE: &measure.Percentiles{P50: 3, P99: 10}},
					During: measure.Times{Answer: &measure.Percentiles{P50: 900, P99: 1000}, TTE: &measure.Percentiles{P50: 800}, TTEMissing: 1, Attempts: 3.5},
				}},
				{Op: "ListFeed", Times: &measure.WindowTimes{During: measure.Times{OK: &measure.Percentiles{P50: 5, P99: 400}}}},
				{Op: "GetPost"},
			},
		},
	}
	return r
}

func TestJudge(t *testing.T) {
	for _, tc := range []struct {
		text     string
		holds    bool
		measured string
	}{
		{"during of fault 2: availability of CreateComment = 0 %", true, "0.0 %"},
		{"during of fault 2: availability of CreateComment >= 99 %", false, "0.0 %"},
		{"during of fault 2: availability ≥ 90%", true, "90.0 %"},
		{"during of fault 2: availability > 90 %", false, "90.0 %"},
		{"before of fault 2: availability = 100 %", true, "100.0 %"},
		{"during of fault 2: attempts of CreateComment >= 3", true, "3.5"},
		{"end of fault 2: availability < 50 %", true, "25.0 %"},
		{"during of fault 2: degraded answers < 10 %", true, "9.0 %"},
		{"during of fault 2: recovery < 3 s", true, "400ms"},
		{"during of fault 2: recovery < 300 ms", false, "400ms"},
		{"during of fault 2: max TTE >= 3 s", true, "3.1s"},
		{"p50 TTA of CreateComment <= 1.5ms", true, "1.5ms"},
		{"share of TTA in TTE of CreateComment < 50 %", false, "50.0 %"},
		{"p99 TTE of CreateComment < 40 ms", false, "40ms"},
		{"p99 latency of ListFeed > 2 s", true, "2.5s"},
		{"before of fault 2: p99 TTA of CreateComment < 10 ms", true, "9ms"},
		{"before of fault 2: p50 TTE of CreateComment < 2 ms", false, "3ms"},
		{"during of fault 2: p99 latency of ListFeed < 500 ms", true, "400ms"},
		{"during of fault 2: p50 answer time of CreateComment >= 900 ms", true, "900ms"},
		{"during of fault 2: p50 TTE of CreateComment > 500 ms", true, "800ms"},
		{"decided in the answer < 30 %", true, "25.0 %"},
		{"rejected in the answer = 100 %", false, "25.0 %"},
		{"rpcs per operation < 4", true, "3.26"},
		{"messages per operation > 1", false, "0.5"},
		{"lost = 0", false, "7"},
		{"lost in the store = 1", true, "1"},
		{"duplicated = 0", true, "0"},
		{"faults not seen = 1", true, "1"}, // the second: nobody looked for the first, which is absent
		{"verdict = invalid", true, "invalid"},
		{"verdict = valid", false, "invalid"},
	} {
		t.Run(tc.text, func(t *testing.T) {
			e, err := Parse(tc.text)
			require.NoError(t, err)
			o := e.Judge(run())
			require.Empty(t, o.Problem)
			require.Equal(t, tc.measured, o.Measured)
			require.Equal(t, tc.holds, o.Holds)
		})
	}
}

// TestOpen: what kept a run from a verdict explains what it can make worse, and nothing else.
func TestOpen(t *testing.T) {
	busy := check.Result{Verdict: check.Unknown, Reasons: []string{"busy"}, Disturbed: []string{"busy"}}
	for name, tc := range map[string]struct {
		text    string
		verdict check.Result
		open    bool
	}{
		"less_available":        {"during of fault 2: availability >= 99 %", busy, true},
		"more_available":        {"during of fault 2: availability < 10 %", busy, false},
		"slower":                {"p99 latency of ListFeed < 1 s", busy, true},
		"quicker":               {"p99 latency of ListFeed > 3 s", busy, false},
		"lost":                  {"lost = 0", busy, false},
		"lost_too_little":       {"lost > 10", busy, true},
		"no_verdict":            {"verdict = valid", busy, true},
		"no_such_window":        {"after of fault 2: availability > 1 %", busy, true},
		"nothing_was_confirmed": {"during of fault 2: availability < 10 %", check.Result{Verdict: check.Unknown, Reasons: []string{"not seen"}}, true},
		"a_verdict":             {"during of fault 2: availability >= 99 %", check.Result{Verdict: check.Valid}, false},
		"came_true":             {"during of fault 2: availability >= 90 %", busy, false},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := Parse(tc.text)
			require.NoError(t, err)
			r := run()
			tc.verdict.Figures = r.Check.Figures
			r.Check = tc.verdict
			o := e.Judge(r)
			require.Equal(t, name == "came_true", o.Holds)
			require.Equal(t, tc.open, o.Open)
		})
	}
}

func TestMaxTTEOfWhatWasNeverSeen(t *testing.T) {
	for text, holds := range map[string]bool{
		"during of fault 2: max TTE < 4 s": false, "during of fault 2: max TTE = 3.1 s": false,
		"during of fault 2: max TTE > 3 s": true, "during of fault 2: max TTE > 4 s": false,
	} {
		e, err := Parse(text)
		require.NoError(t, err)
		r := run()
		r.Figures.Faults[1].TTEMissing = 2
		o := e.Judge(r)
		require.Equal(t, holds, o.Holds, text)
		require.Equal(t, !holds, o.Problem == "the effects of 2 acknowledged writes were never seen", text)
	}
}

// TestNothingToSay: what the run does not tell never holds.
func TestNothingToSay(t *testing.T) {
	for text, why := range map[string]string{
		"during of fault 3: availability = 100 %":               "has 2 faults",
		"during of fault 1: recovery < 1 s":                     "no broker",
		"during of fault 2: drain < 1 s":                        "no effect that was seen",
		"after of fault 2: availability = 100 %":                "nothing was due after",
		"during of fault 2: availability of ListPosts >= 0 %":   "the load has no ListPosts",
		"p50 latency of GetPost >= 0 s":                         "the load has no GetPost",
		"during of fault 2: p50 latency of CreateComment > 0 s": "no CreateComment has such a time",
		"during of fault 2: p50 TTA of CreateComment >= 0 s":    "no CreateComment has such a time",
		"during of fault 2: p50 TTE of CreateComment < 3 s":     "effects of 1 acknowledged writes",
		"during of fault 2: p50 latency of GetPost < 3 s":       "without times",
		"p50 latency of CreateComment >= 0 s":                   "no CreateComment succeeded",
	} {
		t.Run(text, func(t *testing.T) {
			e, err := Parse(text)
			require.NoError(t, err)
			o := e.Judge(run())
			require.Contains(t, o.Problem, why)
			require.False(t, o.Holds)
		})
	}
}

func TestLinesThatMeanNothing(t *testing.T) {
	for text, why := range map[string]string{
		"":                                          "write it as",
		"availability":                              "write it as",
		"happiness >= 99 %":                         `no figure "happiness": use one of attempts, availability`,
		"availability >= 99 %":                      "say when",
		"end: attempts of CreateComment > 3":        "not measured at the end",
		"end: p50 TTE of CreateComment > 1 s":       "not measured at the end",
		"during: lost = 0":                          "whole run",
		"during of fault 0: availability = 1 %":     "counted from 1",
		"lost of CreatePost = 0":                    "not counted by operation",
		"p99 TTE < 1 s":                             "say of which operation",
		"p99 answer time of GetPost < 1 s":          "say when",
		"during: p99 staleness of CreatePost < 1 s": "whole run",
		"p99 TTE of CreateLike < 1 s":               `no operation "CreateLike"`,
		"during: availability >= 101 %":             "0 % to 100 %",
		"during: availability >= 0.99":              "0 % to 100 %",
		"recovery < 3":                              "a time such as",
		"recovery < -3 s":                           "a time such as",
		"lost = few":                                "a number",
		"lost = NaN":                                "a number",
		"verdict >= valid":                          "is a word",
		"verdict = good":                            "valid, invalid, unknown",
	} {
		t.Run(text, func(t *testing.T) {
			_, err := Parse(text)
			require.ErrorContains(t, err, why)
		})
	}
}

func TestWhatAnExpectationIsAbout(t *testing.T) {
	for text, fault := range map[string]int{"lost = 0": 0, "recovery < 1 s": 1, "during of fault 2: availability of GetPost > 1 %": 2} {
		e, err := Parse(text)
		require.NoError(t, err)
		require.Equal(t, fault, e.Fault(), text)
	}
}

// FuzzParse: a line comes from a file that anybody may write. What is understood can be judged.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"during of fault 2: availability of CreateComment >= 99 %", "lost = 0", "recovery ≤ 3 s", "verdict = valid"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(e.Text)
		require.NoError(t, err)
		require.Equal(t, e.Judge(run()).Holds, again.Judge(run()).Holds)
	})
}
