package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/capacity"
	"tandem/bench/report"
)

// oneRate is a search that may try one rate only, and so cannot know the capacity, however fast the machine is.
func oneRate(t *testing.T, results, stack string, more ...string) *command {
	t.Helper()
	return tandem(t, append([]string{
		"capacity", stack, "--free-ports", "--results", results, "--start", "60", "--least", "60", "--most", "60", "--length", "2s",
		"--posts", "300", "--comments", "300", "--authors", "20", "--subscriptions", "300",
	}, more...)...)
}

func TestCapacityCommand(t *testing.T) {
	results := t.TempDir()
	c := oneRate(t, results, "both", "--json")
	require.Equal(t, 4, c.exit(), c.stdout.String())
	require.Contains(t, c.stderr.String(), "the capacity is not known")
	requireNoProcesses(t)
	found := &report.Capacity{}
	require.NoError(t, json.Unmarshal([]byte(c.stdout.String()), found), "stdout must hold JSON and nothing else")
	require.Len(t, found.Stacks, 2)
	for _, s := range found.Stacks {
		require.Len(t, s.Searches, 1)
		for _, step := range s.Searches[0].Steps {
			requireWorked(t, step)
		}
	}
	folders, err := filepath.Glob(filepath.Join(results, "*-capacity"))
	require.NoError(t, err)
	require.Len(t, folders, 1)
	require.FileExists(t, filepath.Join(folders[0], report.PageName))
	require.FileExists(t, filepath.Join(folders[0], "async", "logs", "query.log"))
	require.NoDirExists(t, filepath.Join(folders[0], "async", "data"))
	saved, err := os.ReadFile(filepath.Join(folders[0], report.CapacityFileName))
	require.NoError(t, err)
	require.JSONEq(t, c.stdout.String(), string(saved))
}

// requireWorked demands that a step has loaded a stack that works, however slow the machine is.
func requireWorked(t *testing.T, s capacity.Step) {
	t.Helper()
	require.Greater(t, s.Operations, 60)
	require.Greater(t, s.OK, s.Operations*8/10)
	require.NotNil(t, s.Answer)
	require.NotNil(t, s.TTE)
	require.NotNil(t, s.DrainMS, "what was accepted shows in the end")
	if s.Outcome == capacity.Held {
		require.LessOrEqual(t, s.Answer.P99, 50.0)
		require.Empty(t, s.Reasons)
	} else {
		require.NotEmpty(t, s.Reasons)
	}
}

func TestCapacityCommandInterrupted(t *testing.T) {
	results := t.TempDir()
	c := oneRate(t, results, "async", "--length", "20s")
	require.NoError(t, c.Start())
	c.waitFor("step 1, 60 a second: under load")
	require.NoError(t, c.Process.Signal(os.Interrupt))
	began := time.Now()
	require.Equal(t, 1, c.wait())
	require.Less(t, time.Since(began), 15*time.Second)
	require.Contains(t, c.stderr.String(), "interrupted")
	requireNoProcesses(t)
	found, err := filepath.Glob(filepath.Join(results, "*", report.CapacityFileName+"*"))
	require.NoError(t, err)
	require.Empty(t, found, "nothing that could be taken for a whole search")
}
