package main

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/bench/check"
	"tandem/bench/measure"
	"tandem/bench/report"
)

func TestRoundsTakeTurns(t *testing.T) {
	r := rounds{bench: &bench{stacks: []string{"sync", "async"}, repeat: 3}}
	require.Equal(t, [][]string{{"sync", "async"}, {"async", "sync"}, {"sync", "async"}}, [][]string{r.order(1), r.order(2), r.order(3)})
	require.Equal(t, "round-2", r.folder(2))
	require.Equal(t, []string{"sync", "async"}, r.stacks)
	r.repeat = 1
	require.Empty(t, r.folder(1), "one round lies where it always did")
}

// roundOf is a round in which a read took so many milliseconds in each stack.
func roundOf(sync, async float64) report.Round {
	stack := func(name string, p50 float64) report.Stack {
		return report.Stack{
			Stack: name, Check: check.Result{Verdict: check.Valid},
			Figures: measure.Report{
				Ops:       []measure.Op{{Op: "GetPost", Latency: &measure.Percentiles{Count: 1, P50: p50, P99: p50}}},
				Timelines: []measure.Timeline{{}},
			},
		}
	}
	return report.Round{Stacks: []report.Stack{stack("sync", sync), stack("async", async)}}
}

// addRounds adds rounds to new results.
func addRounds(n int, change func(i int, round *report.Round)) *report.Results {
	r := rounds{bench: &bench{repeat: n}, results: &report.Results{}}
	for i := range n {
		round := roundOf(10+float64(i), 4)
		change(i, &round)
		r.add(round)
	}
	return r.results
}

func TestContrastsOverRounds(t *testing.T) {
	for name, tc := range map[string]struct {
		rounds  int
		change  func(i int, round *report.Round)
		claimed bool
		verdict check.Verdict
	}{
		"five_rounds": {5, func(int, *report.Round) {}, false, check.Valid},
		"six_rounds":  {6, func(int, *report.Round) {}, true, check.Valid},
		"the_other_order": {6, func(i int, round *report.Round) {
			if i%2 == 1 {
				round.Stacks[0], round.Stacks[1] = round.Stacks[1], round.Stacks[0]
			}
		}, true, check.Valid},
		"one_without_a_verdict": {6, func(i int, round *report.Round) {
			if i == 4 {
				round.Stacks[1].Check.Verdict = check.Unknown
			}
		}, false, check.Unknown},
		"one_violates": {6, func(i int, round *report.Round) {
			if i == 4 {
				round.Stacks[1].Check.Verdict = check.Invalid
			}
		}, true, check.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			results := addRounds(tc.rounds, tc.change)
			require.Equal(t, tc.verdict, results.Verdict())
			require.Len(t, results.Rounds, tc.rounds)
			require.NotEmpty(t, results.Stacks[0].Figures.Timelines)
			require.Empty(t, results.Rounds[0].Stacks[0].Figures.Timelines)
			require.Len(t, results.Contrasts, 2)
			require.Equal(t, tc.claimed, results.Contrasts[0].Claimed)
			require.Less(t, results.Contrasts[0].Difference.Median, -6.0)
		})
	}
}

func TestContrastsOfOneStack(t *testing.T) {
	results := addRounds(6, func(_ int, round *report.Round) { round.Stacks = round.Stacks[:1] })
	require.Empty(t, results.Contrasts)
	require.Len(t, results.Rounds, 6)
}

// TestBenchRepeatInterrupted: what is complete stays.
func TestBenchRepeatInterrupted(t *testing.T) {
	results := t.TempDir()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var stdout bytes.Buffer
	stderr := &watched{word: "round-2 sync  under load", do: interrupt}
	code := run(ctx, smallBench(syncPrograms(t), results, "--repeat", "3"), &stdout, stderr)
	require.Equal(t, exitFailed, code, stderr.text.String())
	require.Contains(t, stderr.text.String(), "sync: interrupted; what was recorded until then is in "+results)
	require.Contains(t, stderr.text.String(), "results.json holds the 1 of 3 rounds that are complete")
	require.NoFileExists(t, filepath.Join(results, "latest"))
	dirs, err := filepath.Glob(filepath.Join(results, "*"))
	require.NoError(t, err)
	require.Len(t, dirs, 1)
	saved, err := report.Read(dirs[0])
	require.NoError(t, err)
	require.Len(t, saved.Rounds, 1)
	require.Equal(t, 3, saved.Settings.Repeat)
	require.FileExists(t, filepath.Join(dirs[0], saved.Rounds[0].Stacks[0].History))
	requireNoneLeft(t, results)
}
