package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/bench/check"
	"tandem/bench/expect"
	"tandem/bench/scenario"
)

// outcome is what became of an expectation.
func outcome(text, measured string, holds bool) expect.Outcome {
	return expect.Outcome{Expectation: expect.Expectation{Text: text}, Measured: measured, Holds: holds}
}

func recordOf(t *testing.T, seed uint64, runs ...judged) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "record.json")
	require.NoError(t, record{Seed: seed, Runs: runs}.save(path))
	return path
}

func TestScenarioCompare(t *testing.T) {
	calm := func(verdict check.Verdict, o ...expect.Outcome) judged {
		return judged{Scenario: "calm", Stack: "sync", Level: "deadline", Verdict: verdict, Outcomes: o}
	}
	for name, tc := range map[string]struct {
		first, second judged
		code          int
		says          []string
	}{
		"the_same": {
			calm(check.Valid, outcome("lost = 0", "0", true)), calm(check.Valid, outcome("lost = 0", "0", true)), exitOK,
			[]string{"The verdicts of all 1 rows are the same", "All rows are in all runs.", "| sync | deadline | lost = 0 | 0 | 0 | yes |"},
		},
		"another_verdict": {
			calm(check.Valid, outcome("lost = 0", "0", true)), calm(check.Unknown, outcome("lost = 0", "0", true)), exitInvalid,
			[]string{"- calm, sync at deadline: valid, unknown"},
		},
		"not_come_true_once": {
			calm(check.Valid, outcome("drain < 3 s", "2s", true)), calm(check.Valid, outcome("drain < 3 s", "4s", false)), exitInvalid,
			[]string{"- calm, sync at deadline: drain &lt; 3 s", "| drain &lt; 3 s | 2s | 4s | no |"},
		},
		"expected_once": {
			calm(check.Valid, outcome("lost = 0", "0", true)), calm(check.Valid), exitInvalid, []string{"| 0 | not run | no |"},
		},
		"run_once": {
			calm(check.Valid, outcome("lost = 0", "0", true)), judged{Scenario: "other", Stack: "sync", Level: "deadline", Verdict: check.Valid},
			exitInvalid, []string{"Not in all runs:\n\n- calm, sync at deadline\n- other, sync at deadline\n", "All that was expected came true.", "| 0 | not run | yes |"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := tandem(t, "scenario", "compare", recordOf(t, 1, tc.first), recordOf(t, 2, tc.second))
			require.Equal(t, tc.code, code, stderr)
			require.Contains(t, stdout, "- Run 2: seed 2")
			for _, line := range tc.says {
				require.Contains(t, stdout, line)
			}
		})
	}
}

func TestScenarioCompareOfNoRecord(t *testing.T) {
	code, stdout, stderr := tandem(t, "scenario", "compare", filepath.Join(t.TempDir(), "none.json"))
	require.Equal(t, exitFailed, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "--record FILE")
	code, _, stderr = tandem(t, "scenario", "compare", recordOf(t, 1))
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "holds no runs")
}

func TestLevelOf(t *testing.T) {
	require.Equal(t, "retry", levelOf("sync", scenario.Variant{Sync: "retry", Async: "outbox", Acks: "none"}))
	require.Equal(t, "outbox, acks none", levelOf("async", scenario.Variant{Sync: "retry", Async: "outbox", Acks: "none"}))
	popular := scenario.Variant{Sync: "retry", Async: "outbox", Acks: "all", Mistake: "offset-first", Zipf: new(4.0)}
	require.Equal(t, "retry, zipf 4", levelOf("sync", popular))
	require.Equal(t, "outbox, mistake offset-first, zipf 4", levelOf("async", popular))
	require.Equal(t, "outbox", levelOf("async", scenario.Variant{Async: "outbox", Acks: "all"}))
}
