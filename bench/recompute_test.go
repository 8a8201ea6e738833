package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/bench/cluster/clustertest"
	"tandem/bench/measure"
	"tandem/bench/report"
)

// recompute runs the script on a run.
func recompute(t *testing.T, folder string) (code int, out string) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		clustertest.Lacking(t, "python3 is not there")
	}
	cmd := exec.CommandContext(t.Context(), python, "recompute.py", folder)
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

// TestRecompute: a script that shares no code with the laboratory finds the same figures in the history of a real run, and does
// not when a figure is another one.
func TestRecompute(t *testing.T) {
	results := t.TempDir()
	code, _, stderr := tandem(t, smallBench(syncPrograms(t), results, "--rate", "300", "--steady", "3s",
		"--kill", "posts", "--before", "1s", "--down", "1s", "--after", "2s")...)
	require.Contains(t, []int{exitOK, exitUnknown}, code, stderr) // unknown: the machine was busy
	folder := filepath.Join(results, "latest")
	code, out := recompute(t, folder)
	require.Zero(t, code, out)
	require.Regexp(t, `\d{3} figures compared, 0 differ`, out)

	for name, edit := range map[string]func(s *report.Stack){
		"latency, p99_ms":  func(s *report.Stack) { op(t, s, "GetPost").Latency.P99 += 0.001 },
		"TTE, p50_ms":      func(s *report.Stack) { op(t, s, "CreatePost").TTE.P50 *= 1.001 },
		"CreatePost, TTA":  func(s *report.Stack) { op(t, s, "CreatePost").TTA = nil },
		"ListFeed, failed": func(s *report.Stack) { op(t, s, "ListFeed").Failed++ },
		"during, all, ok":  func(s *report.Stack) { s.Figures.Faults[0].Total.During.OK++ },
		"answer time":      func(s *report.Stack) { s.Figures.Faults[0].Ops[0].Times.During.Answer.Max++ },
		"TTE not seen":     func(s *report.Stack) { s.Figures.Faults[0].Ops[0].Times.After.TTEMissing++ },
		"recovery":         func(s *report.Stack) { s.Figures.Faults[0].RecoveryMS = new(12345.0) },
		"drained writes":   func(s *report.Stack) { s.Figures.Faults[0].DrainWrites++ },
		"max TTE":          func(s *report.Stack) { s.Figures.Faults[0].MaxTTEMS = new(12345.0) },
		"waiting":          func(s *report.Stack) { s.Figures.Backlog[10].Waiting += 3 },
		"backlog, points":  func(s *report.Stack) { s.Figures.Backlog = s.Figures.Backlog[1:] },
		"acknowledged":     func(s *report.Stack) { s.Check.Figures.Acknowledged.Count-- },
		"load, late":       func(s *report.Stack) { s.Figures.Load.Late++ },
	} {
		t.Run(name, func(t *testing.T) {
			code, out := recompute(t, edited(t, folder, edit))
			require.Equal(t, 1, code, out)
			require.Regexp(t, `DIFFERS .*`+name, out)
			require.Regexp(t, `, 1 differ|, [2-7] differ`, out)
		})
	}
	code, _ = recompute(t, t.TempDir())
	require.Equal(t, 2, code)
}

// op returns the figures of an operation.
func op(t *testing.T, s *report.Stack, name string) *measure.Op {
	t.Helper()
	for i := range s.Figures.Ops {
		if s.Figures.Ops[i].Op == name {
			return &s.Figures.Ops[i]
		}
	}
	require.Failf(t, "no figures", "of %s", name)
	return nil
}

// edited returns a copy of a run whose results were changed.
func edited(t *testing.T, folder string, edit func(s *report.Stack)) string {
	t.Helper()
	results, err := report.Read(folder)
	require.NoError(t, err)
	again := t.TempDir()
	from, to := filepath.Join(folder, results.Stacks[0].History), filepath.Join(again, results.Stacks[0].History)
	require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o700))
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, text, 0o600))
	edit(&results.Stacks[0])
	require.NoError(t, results.Write(again))
	return again
}
