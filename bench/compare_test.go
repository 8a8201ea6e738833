package main

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/check"
	"tandem/bench/history"
	"tandem/bench/measure"
	"tandem/bench/report"
)

// madeRun is a run of one stack that is written into a folder.
type madeRun struct {
	seed    uint64        // of what the machine did
	slow    time.Duration // what each GetPost takes longer
	header  history.Header
	results report.Results
	rounds  int // 0: one, that is not told as a round
	verdict check.Verdict
}

func newMadeRun() madeRun {
	return madeRun{
		seed: 1, verdict: check.Valid,
		header:  history.Header{Stack: "sync", Seed: 7, Schedule: "ab", OfferedRate: 100, Length: 10 * time.Second, Deadline: time.Second},
		results: report.Results{Schema: report.Schema, Settings: report.Settings{SyncLevel: "deadline", Procs: 1}},
	}
}

// save writes the run, and returns its folder.
func (s madeRun) save(t *testing.T, folder string) string {
	t.Helper()
	stack := report.Stack{Stack: s.header.Stack, History: filepath.Join(s.header.Stack, historyName), Check: check.Result{Verdict: s.verdict}}
	path := filepath.Join(folder, stack.History)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	w, err := history.Create(path, s.header)
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(s.seed, 0))
	for i := range 1000 {
		o := &history.Operation{
			Index: int64(i), Phase: history.PhaseLoad, Op: []string{"GetPost", "ListFeed"}[i%2], Attempts: 1, Outcome: history.OK, Code: "OK",
			Intended: time.Second + time.Duration(i)*10*time.Millisecond,
		}
		o.Sent, o.Completed = o.Intended, o.Intended+time.Duration((2+random.ExpFloat64())*float64(time.Millisecond))
		if o.Op == "GetPost" {
			o.Completed += s.slow
		}
		w.Complete(o)
	}
	require.NoError(t, w.Finish())
	h, err := history.Read(path)
	require.NoError(t, err)
	stack.Figures, stack.Cost.Memory = measure.Measure(h), 100<<20
	s.results.Stacks = []report.Stack{stack}
	for range s.rounds {
		s.results.Rounds = append(s.results.Rounds, report.Round{Stacks: []report.Stack{stack.Light()}})
	}
	require.NoError(t, s.results.Write(folder))
	return folder
}

// claims are the figures of which a comparison claims something.
func claims(t *testing.T, args ...string) (names []string) {
	t.Helper()
	code, stdout, stderr := tandem(t, append([]string{"compare", "--json"}, args...)...)
	require.Equal(t, exitOK, code, stderr)
	var c comparison
	require.NoError(t, json.Unmarshal([]byte(stdout), &c))
	require.NotEmpty(t, c.Contrasts)
	for _, contrast := range c.Contrasts {
		if contrast.Claimed {
			names = append(names, contrast.Figure)
		}
	}
	return names
}

func TestCompare(t *testing.T) {
	dir := t.TempDir()
	base := newMadeRun().save(t, filepath.Join(dir, "1-base"))
	slow, again := newMadeRun(), newMadeRun()
	slow.seed, slow.slow, again.seed = 2, 20*time.Millisecond, 3
	slow.results.Settings.SyncLevel, slow.results.Settings.Procs = "naive", 2
	slow.results.Settings.Plan.Delay = 20 * time.Millisecond
	slow.save(t, filepath.Join(dir, "2-slow"))
	again.save(t, filepath.Join(dir, "3-again"))

	require.Empty(t, claims(t, base, base), "with itself")
	require.Empty(t, claims(t, base, filepath.Join(dir, "3-again")), "with another run of the same")
	delayed := []string{"GetPost, latency p50", "GetPost, latency p99"}
	require.Equal(t, delayed, claims(t, filepath.Join(base, report.FileName), filepath.Join(dir, "2-slow")))
	require.Equal(t, delayed, claims(t, "--results", dir, "1-base", "slow"), "by name")

	code, stdout, stderr := tandem(t, "compare", base, filepath.Join(dir, "2-slow"))
	require.Equal(t, exitOK, code, stderr)
	flat := strings.Join(strings.Fields(stdout), " ")
	require.Contains(t, flat, "settings.sync_level differs: deadline and naive")
	require.Contains(t, flat, "settings.plan.delay_ns differs: nothing and 20000000")
	require.Contains(t, flat, "settings.procs differs: 1 and 2")
	require.Contains(t, flat, "2 of 5 are claimed")
	require.Contains(t, flat, "these two runs differ")
	require.Regexp(t, `GetPost, latency p50 +ms +more`, stdout)
	require.Regexp(t, `ListFeed, latency p50 +ms +–`, stdout)
}

func TestCompareOverRounds(t *testing.T) {
	dir := t.TempDir()
	save := func(name string, rounds int, slow time.Duration, verdict check.Verdict) string {
		s := newMadeRun()
		s.rounds, s.slow, s.verdict = rounds, slow, verdict
		return s.save(t, filepath.Join(dir, name))
	}
	few, base := save("few", 5, 0, check.Valid), save("base", 6, 0, check.Valid)
	slow, unknown := save("slow", 6, 20*time.Millisecond, check.Valid), save("unknown", 6, 20*time.Millisecond, check.Unknown)
	delayed := []string{"GetPost, latency p50", "GetPost, latency p99"}
	require.Equal(t, delayed, claims(t, base, slow))
	require.Empty(t, claims(t, base, base))
	require.Empty(t, claims(t, few, slow), "too few rounds")
	require.Empty(t, claims(t, base, unknown), "no verdict")
	require.Equal(t, delayed, claims(t, base, save("invalid", 6, 20*time.Millisecond, check.Invalid)))
	_, stdout, _ := tandem(t, "compare", few, slow)
	require.Contains(t, stdout, "Not enough rounds to claim a difference: 5 and 6, and it takes 6 of each.")
	_, stdout, _ = tandem(t, "compare", base, unknown)
	require.Contains(t, stdout, "Nothing is claimed: "+unknown)
}

func TestCompareRefuses(t *testing.T) {
	dir := t.TempDir()
	base := newMadeRun().save(t, filepath.Join(dir, "1-base"))
	changed := func(name string, change func(h *history.Header)) string {
		s := newMadeRun()
		change(&s.header)
		return s.save(t, filepath.Join(dir, name))
	}
	lost := newMadeRun().save(t, filepath.Join(dir, "lost"))
	require.NoError(t, os.Remove(filepath.Join(lost, "sync", historyName)))
	changed("1-twice", func(*history.Header) {})
	changed("2-twice", func(*history.Header) {})
	for name, tc := range map[string]struct {
		args []string
		code int
		says string
	}{
		"seed":         {[]string{base, changed("seed", func(h *history.Header) { h.Seed = 8 })}, exitFailed, "sync: the two runs cannot be compared"},
		"schedule":     {[]string{base, changed("schedule", func(h *history.Header) { h.Schedule = "cd" })}, exitFailed, "schedule of operations differs: ab and cd"},
		"deadline":     {[]string{base, changed("deadline", func(h *history.Header) { h.Deadline++ })}, exitFailed, "deadline differs"},
		"rate":         {[]string{base, changed("rate", func(h *history.Header) { h.OfferedRate = 9 })}, exitFailed, "offered rate differs: 100 and 9"},
		"length":       {[]string{base, changed("length", func(h *history.Header) { h.Length = time.Hour })}, exitFailed, "length of the load differs"},
		"other stack":  {[]string{base, changed("async", func(h *history.Header) { h.Stack = "async" })}, exitFailed, "no stack in common"},
		"no history":   {[]string{base, lost}, exitFailed, "no such file"},
		"no such run":  {[]string{base, "nowhere"}, exitFailed, "no run nowhere, here or in results"},
		"ambiguous":    {[]string{base, "twice", "--results", dir}, exitFailed, "2 runs are named twice"},
		"no results":   {[]string{base, t.TempDir()}, exitFailed, "read results"},
		"one argument": {[]string{base}, exitUsage, "see `tandem compare --help`"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := tandem(t, append([]string{"compare"}, tc.args...)...)
			require.Equal(t, tc.code, code, stderr)
			require.Contains(t, stderr, tc.says)
			require.Empty(t, stdout)
		})
	}
}
