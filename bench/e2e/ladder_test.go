package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/bench/ladder"
	"tandem/bench/scenario"
)

// errorsForAWhile is as small as a scenario can be that tells levels with retries from those without: half of moderation's calls fail.
const errorsForAWhile = `name: errors-for-a-while
title: Half of the calls fails
question: What do retries change?
lesson: They try again.
load: {rate: 100, steady: 1s, mix: [{op: CreateComment, share: 1}], world: {posts: 100, comments: 100, authors: 10, subscriptions: 100}}
steps:
  - fault: {kind: errors, victim: moderation, share: 0.5}
    before: 200ms
    for: 1s
    after: 1500ms
expect:
  sync: [lost = 0]
  async: [lost = 0]
`

func tinyLadder(t *testing.T, results string) *command {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tiny.yaml")
	require.NoError(t, os.WriteFile(path, []byte(errorsForAWhile), 0o600))
	return tandem(t, "ladder", path, "--json", "--results", results)
}

func TestLadder(t *testing.T) {
	c := tinyLadder(t, t.TempDir())
	code := c.exit()
	require.Contains(t, []int{0, 4}, code) // 4: other tests run beside this one
	var rungs []ladder.Rung
	require.NoError(t, json.Unmarshal([]byte(c.stdout.String()), &rungs), "stdout must hold JSON and nothing else")
	of := map[string]ladder.Rung{}
	for _, r := range rungs {
		require.DirExists(t, r.Folder)
		require.Positive(t, r.Intended, r.Level)
		of[r.Stack+" "+r.Level] = r
	}
	for _, stack := range []string{"sync", "async"} {
		for _, level := range scenario.Levels(stack) {
			require.Contains(t, of, stack+" "+level)
		}
	}
	require.Len(t, rungs, len(of), "each level runs once")
	without, with := of["sync deadline"], of["sync retry"]
	require.Greater(t, with.OK*without.Intended, without.OK*with.Intended, "four attempts succeed more often than one")
	require.Greater(t, with.RPCs, 1.1*without.RPCs, "and cost calls")
	require.Positive(t, of["sync fallback"].Degraded)
	for _, level := range scenario.Levels("async") {
		require.Equal(t, of["async "+level].Intended, of["async "+level].OK, "nobody calls moderation for a comment")
	}
	requireNoProcesses(t)
}

// TestLadderIsInterrupted: it leaves no process, and nothing that could be taken for a whole run.
func TestLadderIsInterrupted(t *testing.T) {
	results := t.TempDir()
	c := tinyLadder(t, results)
	require.NoError(t, c.Start())
	c.waitFor("load")
	require.NoError(t, c.Process.Signal(syscall.SIGINT))
	require.Equal(t, 1, c.wait())
	require.Empty(t, c.stdout.String())
	require.Contains(t, c.stderr.String(), "interrupted")
	requireNothingToRead(t, results)
	requireNoProcesses(t)
}
