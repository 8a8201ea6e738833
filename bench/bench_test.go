package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/bench/cluster/clustertest"
	"tandem/bench/report"
)

func TestBenchUsage(t *testing.T) {
	for name, tc := range map[string]struct{ flag, value, says string }{
		"unknown victim":     {"--kill", "posts,post", `no part "post": use posts, comments, moderation, subscriptions, query, broker`},
		"no rate":            {"--rate", "0", "rate 0"},
		"negative rate":      {"--rate", "-5", "rate -5"},
		"negative deadline":  {"--deadline", "-1s", "deadline -1s"},
		"negative steady":    {"--steady", "-1s", "steady -1s"},
		"negative before":    {"--before", "-1s", "before -1s"},
		"negative down":      {"--down", "-1s", "for -1s"},
		"negative after":     {"--after", "-1s", "after -1s"},
		"time without unit":  {"--down", "3", "missing unit"},
		"unknown arrivals":   {"--arrivals", "burst", "use one of poisson, constant"},
		"zipf below 0":       {"--zipf", "-1", "zipf -1"},
		"no mix file":        {"--mix", "no-such-file", "read the mix"},
		"no clients":         {"--clients", "0", "0 clients"},
		"witness everything": {"--witness", "2", "use 0 to 1"},
		"negative retries":   {"--retries", "-1", "-1 retries"},
		"name with a folder": {"--name", "a/b", `name "a/b"`},
		"no name":            {"--name", "", `name ""`},
		"delay too short":    {"--delay", "10us", "delay 10µs: use whole milliseconds"},
		"no rounds":          {"--repeat", "0", "repeat 0: use 1 round or more"},
	} {
		t.Run(name, func(t *testing.T) {
			results := filepath.Join(t.TempDir(), "results")
			code, stdout, stderr := tandem(t, "bench", "--results", results, tc.flag, tc.value)
			require.Equal(t, exitUsage, code, stderr)
			require.Contains(t, stderr, tc.says)
			require.Contains(t, stderr, "see `tandem bench --help`")
			require.Empty(t, stdout)
			require.NoDirExists(t, results)
		})
	}
}

// earlierResults returns a folder of results with one run that latest points to.
func earlierResults(t *testing.T) string {
	t.Helper()
	results := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(results, "earlier"), 0o700))
	require.NoError(t, os.Symlink("earlier", filepath.Join(results, "latest")))
	return results
}

// requireOnlyEarlier demands that a run left nothing, and latest where it was.
func requireOnlyEarlier(t *testing.T, results string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(results, "*"))
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(results, "earlier"), filepath.Join(results, "latest")}, found)
	target, err := os.Readlink(filepath.Join(results, "latest"))
	require.NoError(t, err)
	require.Equal(t, "earlier", target)
}

func TestBenchWithoutPrograms(t *testing.T) {
	results := earlierResults(t)
	code, _, stderr := tandem(t, "bench", "--results", results, "--bin", t.TempDir(), "--free-ports")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "run `make build`")
	require.NotContains(t, stderr, "recorded")
	requireOnlyEarlier(t, results)
}

func TestBenchWithAPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:7103")
	if err == nil {
		defer taken.Close()
	} else {
		require.ErrorIs(t, err, syscall.EADDRINUSE) // by somebody else is as good
	}
	results := earlierResults(t)
	code, _, stderr := tandem(t, "bench", "sync", "--results", results, "--bin", clustertest.BinDir(t))
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "port in use")
	require.Contains(t, stderr, "127.0.0.1:7103 (moderation)")
	requireOnlyEarlier(t, results)
}

func TestBenchWithAPartThatDoesNotStart(t *testing.T) {
	results, bin := earlierResults(t), clustertest.BinDir(t)
	clustertest.Set(t, bin, "sync-query", clustertest.Fail)
	code, _, stderr := tandem(t, smallBench(bin, results)...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "the double was told to fail")
	require.Contains(t, stderr, "what was recorded until then is in "+results)
	requireNoneLeft(t, results)
}

func TestBenchJSON(t *testing.T) {
	results := t.TempDir()
	code, stdout, stderr := tandem(t, smallBench(syncPrograms(t), results, "--json")...)
	decode := json.NewDecoder(strings.NewReader(stdout))
	decode.DisallowUnknownFields()
	var r report.Results
	require.NoError(t, decode.Decode(&r))
	require.False(t, decode.More(), "stdout holds more than one JSON value")
	require.Len(t, r.Stacks, 1)
	if r.Stacks[0].Check.OnlyDisturbed() { // by other tests
		require.Equal(t, exitUnknown, code, stdout+stderr)
	} else {
		require.Equal(t, exitOK, code, stdout+stderr)
		require.NoDirExists(t, filepath.Join(results, "latest", "sync", "data"), "the databases of a valid run")
	}
	require.Less(t, strings.Count(stderr, "\n"), 30, stderr)
	require.NotContains(t, stderr, "\x1b", "a moving line is for terminals")
	requireNoneLeft(t, results)
}

// TestBenchTooSlow gives the services a deadline that nothing can keep.
func TestBenchTooSlow(t *testing.T) {
	results := t.TempDir()
	code, stdout, stderr := tandem(t, smallBench(syncPrograms(t), results, "--deadline", "1us")...)
	require.Equal(t, exitUnknown, code, stderr)
	require.Contains(t, stdout, "UNKNOWN")
	require.Contains(t, stdout, "GetPost never succeeded.")
	require.Contains(t, stderr, "does not allow a verdict")
	require.DirExists(t, filepath.Join(results, "latest", "sync", "data"), "something to look into")
}

// survivor is a service that is not killed by a kill of its process: the kill takes effect only when a probe has waited for
// that longer than it may.
const survivor = `#!/bin/sh
mkfifo "$0.stdin" 2>/dev/null
{
  PROGRAM "$@" <>"$0.stdin" & real=$!
  while kill -0 $$ 2>/dev/null; do sleep 0.05; done
  sleep 2.5
  kill -9 $real
} &
wait
`

func TestBenchWithAKillThatDoesNotTakeEffect(t *testing.T) {
	programs, bin, results := syncPrograms(t), t.TempDir(), t.TempDir()
	for _, name := range []string{"comments", "moderation", "subscriptions", "query"} {
		require.NoError(t, os.Symlink(filepath.Join(programs, "sync-"+name), filepath.Join(bin, "sync-"+name)))
	}
	script := strings.Replace(survivor, "PROGRAM", filepath.Join(programs, "sync-posts"), 1)
	require.NoError(t, os.WriteFile(filepath.Join(bin, "sync-posts"), []byte(script), 0o700))
	code, stdout, stderr := tandem(t, smallBench(bin, results, "--kill", "posts", "--down", "4s")...)
	require.Equal(t, exitUnknown, code, stdout+stderr)
	flat := strings.Join(strings.Fields(stdout), " ")
	require.Contains(t, flat, "UNKNOWN")
	require.Contains(t, flat, "The fault kill of posts")
	require.Contains(t, flat, "the kill was not seen to take effect within 2s")
	require.Contains(t, stderr, "fault not confirmed")
	requireNoneLeft(t, results)
}

func TestBenchInterrupted(t *testing.T) {
	results := t.TempDir()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var stdout bytes.Buffer
	stderr := &watched{word: "looking at what is there", do: interrupt}
	code := run(ctx, smallBench(syncPrograms(t), results, "--steady", "3s", "--rate", "500"), &stdout, stderr)
	require.Equal(t, exitFailed, code, stderr.text.String())
	require.Contains(t, stderr.text.String(), "tandem: sync: interrupted; what was recorded until then is in "+results)
	require.Empty(t, stdout.String())
	require.NoFileExists(t, filepath.Join(results, "latest"))
	requireNoneLeft(t, results)
}

// watched collects what is written, and does something when a word comes.
type watched struct {
	text bytes.Buffer
	word string
	do   func()
}

func (w *watched) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.word)) {
		w.do()
	}
	return w.text.Write(p)
}

func TestNewFolderIsNeverAnOldOne(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "results")
	for _, want := range []string{"run", "run-2", "run-3"} {
		dir, err := newFolder(parent, "run")
		require.NoError(t, err)
		require.Equal(t, filepath.Join(parent, want), dir)
	}
	require.NoError(t, os.WriteFile(filepath.Join(parent, "file"), nil, 0o600))
	_, err := newFolder(filepath.Join(parent, "file"), "run")
	require.Error(t, errors.Unwrap(err))
}
