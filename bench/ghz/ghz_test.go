package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/history"
)

// printed is what ghz v0.121.0 prints with --format=prometheus, but for the quantiles that are not compared and most labels.
const printed = `# TYPE ghz_run_count gauge
ghz_run_count{insecure="true",data="{\"id\":\"x y\"}",rps="1000"} 4998
# TYPE ghz_run_total gauge
ghz_run_total{insecure="true"} 5.000155342e+09
# TYPE ghz_run_histogram histogram
ghz_run_histogram_bucket{insecure="true",le="0.000217126"} 1
ghz_run_histogram_sum{insecure="true"} 5.000155342e+09
# TYPE ghz_run_latency summary
ghz_run_latency{insecure="true",quantile="0.1"} 286132
ghz_run_latency{insecure="true",quantile="0.5"} 547123
ghz_run_latency{insecure="true",quantile="0.9"} 1.7e+06
ghz_run_latency{insecure="true",quantile="0.95"} 2.1e+06
ghz_run_latency{insecure="true",quantile="0.99"} 9.55e+06
ghz_run_latency_sum{insecure="true"} 5.000155342e+09
ghz_run_latency_count{insecure="true"} 4998
# TYPE ghz_run_errors gauge
ghz_run_errors{insecure="true"} 3
`

func TestGhzTurn(t *testing.T) {
	got, err := ghzTurn(strings.NewReader(printed))
	require.NoError(t, err)
	require.Equal(t, turn{
		Count: 4998, Failed: 3,
		Call: map[int]time.Duration{50: 547123, 90: 1700 * time.Microsecond, 99: 9550 * time.Microsecond},
	}, got)
}

func TestGhzTurnThatIsNotUnderstood(t *testing.T) {
	for name, spoil := range map[string]func(string) string{
		"nothing":     func(string) string { return "" },
		"no_count":    func(s string) string { return strings.ReplaceAll(s, "ghz_run_count", "other") },
		"no_errors":   func(s string) string { return strings.ReplaceAll(s, "ghz_run_errors", "other") },
		"no_p99":      func(s string) string { return strings.ReplaceAll(s, `"0.99"`, `"0.999"`) },
		"not_numbers": func(s string) string { return strings.ReplaceAll(s, "547123", "fast") },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ghzTurn(strings.NewReader(spoil(printed)))
			require.ErrorContains(t, err, "tools/ghz/go.mod")
		})
	}
}

func TestRanksAreTheSmallestThatSoManyPercentDoNotExceed(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i))
	}
	require.Equal(t, map[int]time.Duration{50: 50, 90: 90, 99: 99}, ranks(hundred))
	require.Equal(t, map[int]time.Duration{50: 2, 90: 3, 99: 3}, ranks([]time.Duration{3, 1, 2}))
	require.Empty(t, ranks(nil))
}

func TestTurnCountsFromBothTimesAndLeavesOutWhatFailed(t *testing.T) {
	ok := &history.Operation{Intended: 100, Sent: 110, Completed: 150, Outcome: history.OK}
	failed := &history.Operation{Intended: 100, Completed: 900, Outcome: history.Fail}
	got := turnOf([]*history.Operation{ok, failed})
	require.Equal(t, 2, got.Count)
	require.Equal(t, 1, got.Failed)
	require.EqualValues(t, 40, got.Call[99])
	require.EqualValues(t, 50, got.Intended[99])
}

func TestCPUPerOperationLeavesOutTheStart(t *testing.T) {
	short := turn{Count: 100, CPU: 60 * time.Millisecond}
	require.InEpsilon(t, 200.0, *turn{Count: 1100, CPU: 260 * time.Millisecond}.perOperation(short), 1e-9)
	require.Nil(t, turn{Count: 100, CPU: time.Second}.perOperation(short))
}

// roundsOf returns results in which the laboratory's generator takes so many times as long, and as much CPU, as ghz.
func roundsOf(n int, times float64) *results {
	r := &results{set: settings{rate: 1000, length: time.Second}}
	for i := range n {
		ms := time.Duration(i+1) * time.Millisecond
		theirs := turn{Count: 1000, CPU: 100 * ms, Call: map[int]time.Duration{50: ms, 90: 2 * ms, 99: 3 * ms}}
		ours := turn{Count: 1000, CPU: time.Duration(times * float64(theirs.CPU)), Call: map[int]time.Duration{}, Intended: map[int]time.Duration{50: ms, 99: ms}}
		for percent, d := range theirs.Call {
			ours.Call[percent] = time.Duration(times * float64(d))
		}
		r.ghz, r.ours = append(r.ghz, theirs), append(r.ours, ours)
	}
	return r
}

func TestPrintClaimsWhatTheRoundsTell(t *testing.T) {
	for name, tc := range map[string]struct {
		r    *results
		says string
	}{
		"less":       {roundsOf(8, 0.5), "tandem is lower"},
		"more":       {roundsOf(8, 2), "ghz is lower"},
		"the_same":   {roundsOf(8, 1), "no difference beyond noise"},
		"two_rounds": {roundsOf(2, 0.5), "too few rounds to tell"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			require.NoError(t, tc.r.print(&out))
			require.Equal(t, 4, strings.Count(out.String(), tc.says), out.String())
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, args := range map[string][]string{
		"no_rate": {"-rate", "0"}, "too_short": {"-length", "10ms"}, "no_rounds": {"-rounds", "0"}, "unknown": {"-wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(args, &bytes.Buffer{})
			require.Error(t, err)
		})
	}
}
