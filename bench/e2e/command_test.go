package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/check"
	"tandem/bench/cluster/clustertest"
	"tandem/bench/history"
	"tandem/bench/report"
)

// buildTandem builds the laboratory beside the services, once.
var buildTandem = sync.OnceValue(func() error {
	out, err := exec.Command("go", "build", "-o", filepath.Join(os.Getenv(binVariable), "tandem"), "tandem/bench").CombinedOutput()
	if err != nil {
		return errors.New(string(out))
	}
	return nil
})

// command is one run of tandem.
type command struct {
	*exec.Cmd
	t              *testing.T
	stdout, stderr clustertest.Output
}

func tandem(t *testing.T, args ...string) *command {
	t.Helper()
	dependOnSources(t)
	require.NoError(t, buildTandem())
	c := &command{Cmd: exec.CommandContext(t.Context(), filepath.Join(os.Getenv(binVariable), "tandem"), args...), t: t}
	c.Stdout, c.Stderr = &c.stdout, &c.stderr
	return c
}

// smallBench is a bench of a few seconds for one stack.
func smallBench(t *testing.T, results, stack string, more ...string) *command {
	t.Helper()
	return tandem(t, append([]string{
		"bench", stack, "--free-ports", "--results", results, "--rate", "100", "--steady", "2s",
		"--posts", "300", "--comments", "300", "--authors", "20", "--subscriptions", "300",
		"--before", "500ms", "--down", "700ms", "--after", "1500ms",
	}, more...)...)
}

// exit runs the command to its end and returns its exit code.
func (c *command) exit() int {
	c.t.Helper()
	require.NoError(c.t, c.Start())
	return c.wait()
}

func (c *command) wait() int {
	err := c.Wait()
	c.t.Logf("%v\n%s", err, c.stderr.String())
	return c.ProcessState.ExitCode()
}

// waitFor waits until the progress tells of something.
func (c *command) waitFor(text string) {
	c.t.Helper()
	require.Eventually(c.t, func() bool { return strings.Contains(c.stderr.String(), text) }, time.Minute, 5*time.Millisecond, text)
}

// requireNoProcesses waits until no service that this package built is running.
func requireNoProcesses(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		left, err := running(os.Getenv(binVariable))
		require.NoError(t, err)
		return len(left) == 0
	}, 10*time.Second, 20*time.Millisecond)
}

// requireNothingToRead demands that a run that was cut short left nothing that could be taken for a whole one.
func requireNothingToRead(t *testing.T, results string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(results, "*", report.FileName+"*"))
	require.NoError(t, err)
	require.Empty(t, found)
	require.NoFileExists(t, filepath.Join(results, "latest"))
	histories, err := filepath.Glob(filepath.Join(results, "*", "*", "history.jsonl"))
	require.NoError(t, err)
	for _, path := range histories {
		h, err := history.Read(path)
		if err == nil { // one that is empty, or cut in its first line, cannot even be read
			require.False(t, h.Complete, path)
		}
	}
}

func TestBenchCommand(t *testing.T) {
	results := t.TempDir()
	c := smallBench(t, results, "both", "--kill", "moderation,broker", "--json")
	code := c.exit()
	r := &report.Results{}
	require.NoError(t, json.Unmarshal([]byte(c.stdout.String()), r), "stdout must hold JSON and nothing else")
	require.Len(t, r.Stacks, 2)
	want := 0
	for _, s := range r.Stacks {
		if s.Check.OnlyDisturbed() { // other tests run beside this one
			want = 4
			continue
		}
		require.Equal(t, check.Valid, s.Check.Verdict, "%s: %q", s.Stack, s.Check.Reasons)
	}
	require.Equal(t, want, code)
	require.Empty(t, r.NotComparable)
	saved, err := report.Read(filepath.Join(results, "latest"))
	require.NoError(t, err)
	require.Equal(t, r, saved)
	requireNoProcesses(t)

	again := tandem(t, "check", filepath.Join(results, "latest"))
	require.Equal(t, code, again.exit())
	checkCut(t, filepath.Join(results, "latest", "async", "history.jsonl"))
}

// TestBenchCommandRepeats: each round is fresh, and the stacks take turns.
func TestBenchCommandRepeats(t *testing.T) {
	results := t.TempDir()
	c := smallBench(t, results, "both", "--kill", "posts", "--repeat", "2")
	require.Contains(t, []int{0, 4}, c.exit(), c.stdout.String()) // 4: the machine was busy, which the order of the rounds does not mind
	require.Contains(t, c.stdout.String(), "Over 2 rounds")
	require.Contains(t, c.stdout.String(), "Not enough rounds to claim a difference")
	saved, err := report.Read(filepath.Join(results, "latest"))
	require.NoError(t, err)
	var order []string
	for _, round := range saved.Rounds {
		for _, s := range round.Stacks {
			order = append(order, s.History)
			require.FileExists(t, filepath.Join(results, "latest", s.History))
		}
	}
	require.Equal(t, []string{
		"round-1/sync/history.jsonl", "round-1/async/history.jsonl", "round-2/async/history.jsonl", "round-2/sync/history.jsonl",
	}, order)
	require.NotEmpty(t, saved.Contrasts)
	for _, contrast := range saved.Contrasts {
		require.False(t, contrast.Claimed, contrast.Figure)
	}
	requireNoProcesses(t)
}

// checkCut judges a history that lacks its last line.
func checkCut(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := bytes.SplitAfter(text, []byte("\n"))
	cut := filepath.Join(t.TempDir(), "history.jsonl")
	require.NoError(t, os.WriteFile(cut, bytes.Join(lines[:len(lines)-2], nil), 0o600))
	c := tandem(t, "check", cut, "--json")
	require.Equal(t, 4, c.exit())
	var found []struct{ Check check.Result }
	require.NoError(t, json.Unmarshal([]byte(c.stdout.String()), &found))
	require.Equal(t, check.Unknown, found[0].Check.Verdict)
}

func TestBenchCommandTellsOfAViolation(t *testing.T) {
	c := smallBench(t, t.TempDir(), "async", "--async-level", "direct", "--kill", "broker,broker,broker", "--rate", "300")
	require.Equal(t, 3, c.exit(), c.stdout.String())
	require.Contains(t, c.stdout.String(), "INVALID")
	require.Contains(t, c.stderr.String(), "a guarantee was violated")
}

func TestBenchCommandRefuses(t *testing.T) {
	occupied := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(occupied, nil, 0o600))
	for name, tc := range map[string]struct {
		args []string
		code int
		says string
	}{
		"unknown_stack":       {[]string{"bench", "kafka"}, 2, `unknown stack "kafka"`},
		"unknown_victim":      {[]string{"bench", "--kill", "post"}, 2, `no part "post": use`},
		"no_rate":             {[]string{"bench", "--rate", "0"}, 2, "use a rate above 0"},
		"unknown_level":       {[]string{"bench", "--sync-level", "hope"}, 2, "naive"},
		"missing_programs":    {[]string{"bench", "--bin", t.TempDir(), "--results", t.TempDir()}, 1, "make build"},
		"results_not_a_place": {[]string{"bench", "--results", filepath.Join(occupied, "x")}, 1, "folder of the results"},
		"nothing_to_check":    {[]string{"check", t.TempDir()}, 1, "no history.jsonl"},
		"check_nothing":       {[]string{"check"}, 2, "--help"},
	} {
		t.Run(name, func(t *testing.T) {
			c := tandem(t, tc.args...)
			require.Equal(t, tc.code, c.exit())
			require.Contains(t, c.stderr.String(), tc.says)
			require.Empty(t, c.stdout.String())
		})
	}
}

func TestBenchCommandInterrupted(t *testing.T) {
	for name, until := range map[string]string{
		"starting": "starting", "filling": "filling", "under_load": "under load", "while_killed": "posts is killed",
	} {
		t.Run(name, func(t *testing.T) {
			results := t.TempDir()
			c := smallBench(t, results, "sync", "--kill", "posts")
			require.NoError(t, c.Start())
			c.waitFor(until)
			require.NoError(t, c.Process.Signal(os.Interrupt))
			began := time.Now()
			require.Equal(t, 1, c.wait())
			require.Less(t, time.Since(began), 20*time.Second)
			require.Contains(t, c.stderr.String(), "interrupted")
			requireNoProcesses(t)
			requireNothingToRead(t, results)
		})
	}
}

func TestBenchCommandKilled(t *testing.T) {
	results := t.TempDir()
	c := smallBench(t, results, "async", "--kill", "posts")
	require.NoError(t, c.Start())
	c.waitFor("posts is killed")
	require.NoError(t, c.Process.Signal(syscall.SIGKILL))
	c.wait()
	requireNoProcesses(t)
	requireNothingToRead(t, results)
}

func TestBenchCommandOnAFullDisk(t *testing.T) {
	results := t.TempDir()
	mountSmallDisk(t, results)
	c := smallBench(t, results, "sync", "--posts", "3000", "--comments", "3000")
	require.Equal(t, 1, c.exit())
	require.Regexp(t, "(?i)disk is full|no space left", c.stderr.String())
	requireNoProcesses(t)
	requireNothingToRead(t, results)
}
