package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/check"
	"tandem/bench/history"
)

// saved writes a history of one stack into a folder: a post was created, one that lost it if it does not show.
func saved(t *testing.T, folder, stack string, shows bool) string {
	t.Helper()
	const ms = time.Millisecond
	require.NoError(t, os.MkdirAll(folder, 0o700))
	path := filepath.Join(folder, historyName)
	w, err := history.Create(path, history.Header{Stack: stack, Seed: 7, OfferedRate: 1, Length: time.Second, Deadline: time.Second})
	require.NoError(t, err)
	w.Complete(&history.Operation{
		Phase: history.PhaseLoad, Op: "CreatePost", RequestID: "r", Ref: "ref", Intended: ms, Sent: ms, Completed: 3 * ms,
		Attempts: 1, Outcome: history.OK, Code: "OK", Aggregate: history.Post, ID: "p", Version: 1, Author: "a",
	})
	w.Effect(history.Effect{Aggregate: history.Post, ID: "p", Version: 1, At: 4 * ms})
	for _, view := range []history.View{history.ViewStore, history.ViewPage} {
		w.Final(history.Final{View: view, Aggregate: history.Post, ID: "p", Present: shows, Version: 1, Ref: "ref"})
	}
	w.Drained(5 * ms)
	require.NoError(t, w.Finish())
	return path
}

// damage writes a history anew with something done to it.
func damage(t *testing.T, path string, how func(lines [][]byte) [][]byte) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := how(bytes.SplitAfter(text, []byte("\n")))
	require.NoError(t, os.WriteFile(path, bytes.Join(lines, nil), 0o600))
	return path
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	good := saved(t, filepath.Join(dir, "good", "sync"), "sync", true)
	saved(t, filepath.Join(dir, "good", "async"), "async", true)
	saved(t, filepath.Join(dir, "lost", "sync"), "sync", true)
	saved(t, filepath.Join(dir, "lost", "async"), "async", false)
	half := damage(t, saved(t, filepath.Join(dir, "half"), "sync", true), func(lines [][]byte) [][]byte {
		return append(lines[:2], lines[2][:10]) // in the middle of a line
	})
	broken := damage(t, saved(t, filepath.Join(dir, "broken"), "sync", true), func(lines [][]byte) [][]byte {
		lines[2] = []byte("{\"type\":\n")
		return lines
	})
	empty := damage(t, saved(t, filepath.Join(dir, "empty"), "sync", true), func([][]byte) [][]byte { return nil })
	newer := damage(t, saved(t, filepath.Join(dir, "newer"), "sync", true), func(lines [][]byte) [][]byte {
		lines[0] = bytes.Replace(lines[0], []byte(`"schema":2`), []byte(`"schema":99`), 1)
		return lines
	})
	disturbed := damage(t, saved(t, filepath.Join(dir, "disturbed"), "sync", true), func(lines [][]byte) [][]byte {
		return slices.Insert(lines, 1, []byte(`{"type":"generator","cpu_ns":1,"wall_ns":10,"cores":2,"stolen_ns":10}`+"\n"))
	})
	stale := damage(t, saved(t, filepath.Join(dir, "stale"), "async", true), func(lines [][]byte) [][]byte {
		return slices.Insert(lines, 1, []byte(`{"type":"look","write":0,"sent_ns":23000000,"completed_ns":24000000,"code":"NOT_FOUND"}`+"\n"))
	})
	for name, tc := range map[string]struct {
		path string
		code int
		says []string
	}{
		"a history":        {good, exitOK, []string{"sync   VALID", "CreatePost", "Account of the writes", "lost in the log"}},
		"a disturbed run":  {disturbed, exitUnknown, []string{"sync   UNKNOWN", "Other programs used 50 % of the machine's 2 cores"}},
		"a stale read":     {stale, exitOK, []string{"async  VALID", "stable latency │  20.0"}},
		"a folder":         {filepath.Join(dir, "good"), exitOK, []string{"sync   VALID", "async  VALID", "In short"}},
		"a lost write":     {filepath.Join(dir, "lost"), exitInvalid, []string{"async  INVALID", "1 lost in the store", "a guarantee was violated"}},
		"half a history":   {half, exitUnknown, []string{"UNKNOWN", "The history is not complete"}},
		"a broken line":    {broken, exitFailed, []string{broken + ", line 3", "the file is damaged"}},
		"an empty file":    {empty, exitFailed, []string{"holds no header"}},
		"a newer schema":   {newer, exitFailed, []string{"schema 99"}},
		"nothing":          {filepath.Join(dir, "nowhere"), exitFailed, []string{"no such file", "name a folder of `tandem bench`"}},
		"another folder":   {t.TempDir(), exitFailed, []string{"no history.jsonl"}},
		"a stack's folder": {filepath.Join(dir, "good", "sync"), exitOK, []string{"sync   VALID"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := tandem(t, "check", tc.path)
			require.Equal(t, tc.code, code, stdout+stderr)
			for _, text := range tc.says {
				require.Contains(t, stdout+stderr, text)
			}
		})
	}
}

func TestCheckOfRounds(t *testing.T) {
	dir := t.TempDir()
	for round, shows := range map[string]bool{"round-1": true, "round-2": false} {
		saved(t, filepath.Join(dir, round, "sync"), "sync", true)
		saved(t, filepath.Join(dir, round, "async"), "async", shows)
	}
	code, stdout, stderr := tandem(t, "check", dir)
	require.Equal(t, exitInvalid, code, stderr)
	for _, text := range []string{"async  VALID", "round 2", "1 lost in the store", "Over 2 rounds", "Not enough rounds"} {
		require.Contains(t, stdout, text)
	}
	code, _, _ = tandem(t, "check", filepath.Join(dir, "round-1"))
	require.Equal(t, exitOK, code)
}

func TestCheckJSON(t *testing.T) {
	dir := t.TempDir()
	saved(t, filepath.Join(dir, "sync"), "sync", true)
	saved(t, filepath.Join(dir, "async"), "async", false)
	code, stdout, _ := tandem(t, "check", dir, "--json")
	require.Equal(t, exitInvalid, code)
	var found []rejudged
	require.NoError(t, json.Unmarshal([]byte(stdout), &found))
	require.Len(t, found, 2)
	require.Equal(t, check.Valid, found[0].Check.Verdict)
	require.Equal(t, check.Invalid, found[1].Check.Verdict)
	require.NotNil(t, found[1].Figures.Ops[0].TTA)
}

// TestCheckOfTwoRuns: what was not the same work is not set side by side.
func TestCheckOfTwoRuns(t *testing.T) {
	dir := t.TempDir()
	saved(t, filepath.Join(dir, "sync"), "sync", true)
	path := saved(t, filepath.Join(dir, "async"), "async", true)
	damage(t, path, func(lines [][]byte) [][]byte {
		lines[0] = bytes.Replace(lines[0], []byte(`"seed":7`), []byte(`"seed":8`), 1)
		return lines
	})
	code, stdout, _ := tandem(t, "check", dir)
	require.Equal(t, exitOK, code)
	require.Contains(t, stdout, "not set side by side")
	require.Contains(t, strings.Join(strings.Fields(stdout), " "), "the seed differs: 7 and 8")
	require.NotContains(t, stdout, "killed", "nothing was")
	require.NotContains(t, stdout, "In short")
}
