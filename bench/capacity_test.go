package main

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/bench/capacity"
	"tandem/bench/report"
)

func TestCapacityUsage(t *testing.T) {
	for name, tc := range map[string]struct{ flag, value, says string }{
		"no_objective":           {"--objective", "0s", "objective 0s"},
		"objective_never_missed": {"--objective", "2s", "nothing is answered later than the deadline of 1s"},
		"availability_above_all": {"--availability", "101", "availability 101 %"},
		"availability_no_number": {"--availability", "all", "use a number, for example 99.9"},
		"negative_effect":        {"--tte-objective", "-1s", "time to effect -1s"},
		"no_drain":               {"--drain", "0s", "drain 0s"},
		"start_below_least":      {"--start", "5", "rates 20, 5, 50000"},
		"no_growth":              {"--growth", "1", "growth 1"},
		"no_precision":           {"--precision", "0", "precision 0"},
		"no_steps":               {"--steps", "0", "0 steps"},
		"no_time":                {"--time", "0s", "30 steps in 0s"},
		"too_short_for_a_p99":    {"--length", "1s", "a p99 needs at least 100 operations"},
		"no_round":               {"--repeat", "0", "repeat 0"},
		"name_with_a_folder":     {"--name", "a/b", `name "a/b"`},
	} {
		t.Run(name, func(t *testing.T) {
			results := filepath.Join(t.TempDir(), "results")
			code, stdout, stderr := tandem(t, "capacity", "--results", results, tc.flag, tc.value)
			require.Equal(t, exitUsage, code, stderr)
			require.Contains(t, stderr, tc.says)
			require.Contains(t, stderr, "see `tandem capacity --help`")
			require.Empty(t, stdout)
			require.NoDirExists(t, results)
		})
	}
}

func TestCapacityWithoutPrograms(t *testing.T) {
	results := earlierResults(t)
	code, _, stderr := tandem(t, "capacity", "--results", results, "--bin", t.TempDir(), "--free-ports")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "run `make build`")
	requireOnlyEarlier(t, results)
}

// TestCapacityExitCode: only a capacity that is known of every stack is an answer.
func TestCapacityExitCode(t *testing.T) {
	found := capacity.Result{Holds: new(100.0), Misses: new(104.0), Limit: capacity.LimitStack}
	least := found
	least.Limit = capacity.LimitGenerator
	for name, tc := range map[string]struct {
		results []capacity.Result
		code    int
	}{
		"known":    {[]capacity.Result{found, found}, exitOK},
		"at_least": {[]capacity.Result{found, least}, exitUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			c := &report.Capacity{}
			for i, r := range tc.results {
				c.Add([]string{"sync", "async"}[i], r)
			}
			var stdout, stderr bytes.Buffer
			err := (&search{stdout: &stdout, stderr: &stderr}).tell(c, t.TempDir())
			require.Equal(t, tc.code, codeOf(err))
			require.Contains(t, stdout.String(), "100 operations a second")
		})
	}
}

// TestPercentIsWhatWasMeant: 99.9 % is kept by 999 of 1,000, however floating point divides.
func TestPercentIsWhatWasMeant(t *testing.T) {
	for text, want := range map[string]float64{"99.9": 0.999, "99.99%": 0.9999, "100": 1, "5": 0.05} {
		var share float64
		require.NoError(t, newPercent(&share).Set(text))
		require.Equal(t, want, share, text)
	}
}
