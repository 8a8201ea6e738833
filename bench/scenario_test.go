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
	held, missed := []expect.Outcome{{Holds: true}}, []expect.Outcome{{Holds: true}, {}}
	for name, tc := range map[string]struct {
		runs []judged
		code int
	}{
		"all_came_true":        {[]judged{{Verdict: check.Valid, Outcomes: held}}, exitOK},
		"invalid_as_expected":  {[]judged{{Verdict: check.Invalid, Outcomes: held}}, exitOK},
		"one_did_not":          {[]judged{{Verdict: check.Valid, Outcomes: held}, {Verdict: check.Valid, Outcomes: missed}}, exitInvalid},
		"no_verdict":           {[]judged{{Verdict: check.Unknown, Outcomes: held}}, exitUnknown},
		"no_verdict_is_no_no":  {[]judged{{Verdict: check.Unknown, Outcomes: missed}}, exitUnknown},
		"a_no_outweighs_doubt": {[]judged{{Verdict: check.Unknown}, {Verdict: check.Valid, Outcomes: missed}}, exitInvalid},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.code, codeOf(tally(tc.runs))) })
	}
}
