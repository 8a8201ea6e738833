package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/bench/check"
	"tandem/bench/expect"
	"tandem/bench/scenario"
)

func TestScenarioList(t *testing.T) {
	code, stdout, stderr := tandem(t, "scenario", "list")
	require.Equal(t, exitOK, code, stderr)
	for _, name := range scenario.Names() {
		require.Contains(t, stdout, name)
	}
}

// TestScenarioWithAMistake: it is told with its line, and nothing is started.
func TestScenarioWithAMistake(t *testing.T) {
	_, text, err := scenario.Source("leaf-down")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "mine.yaml")
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(text), "victim: moderation", "victim: likes", 1)), 0o600))
	for command, want := range map[string]int{"check": exitFailed, "run": exitUsage} {
		results := filepath.Join(t.TempDir(), "results")
		args := []string{"scenario", command, path}
		if command == "run" {
			args = append(args, "--results", results)
		}
		code, stdout, stderr := tandem(t, args...)
		require.Equal(t, want, code, stderr)
		require.Empty(t, stdout)
		require.Contains(t, stderr, `mine.yaml:8: no part "likes"`)
		require.NoDirExists(t, results)
	}
}

func TestScenarioShowCanBeCheckedAndStartedFrom(t *testing.T) {
	code, stdout, stderr := tandem(t, "scenario", "show", "outbox")
	require.Equal(t, exitOK, code, stderr)
	path := filepath.Join(t.TempDir(), "mine.yaml")
	require.NoError(t, os.WriteFile(path, []byte(stdout), 0o600))
	code, _, stderr = tandem(t, "scenario", "check", path)
	require.Equal(t, exitOK, code, stderr)
	code, _, stderr = tandem(t, "scenario", "show", "nothing")
	require.Equal(t, exitUsage, code, stderr)
	require.Contains(t, stderr, "leaf-down")
}

func TestTally(t *testing.T) {
	held, missed, open := expect.Outcome{Holds: true}, expect.Outcome{}, expect.Outcome{Open: true}
	run := func(outcomes ...expect.Outcome) judged { return judged{Outcomes: outcomes} }
	for name, tc := range map[string]struct {
		runs []judged
		code int
	}{
		"all_came_true":            {[]judged{run(held), run(held, held)}, exitOK},
		"unknown_as_expected":      {[]judged{{Verdict: check.Unknown, Outcomes: []expect.Outcome{held}}}, exitOK},
		"one_did_not":              {[]judged{run(held), run(held, missed)}, exitInvalid},
		"no_verdict":               {[]judged{run(held), run(held, open)}, exitUnknown},
		"a_no_beside_no_verdict":   {[]judged{run(held, open, missed)}, exitInvalid},
		"a_no_outweighs_no_answer": {[]judged{run(open), run(missed)}, exitInvalid},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.code, codeOf(tally(tc.runs))) })
	}
}
