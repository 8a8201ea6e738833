package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/history"
)

// rich is a run that has something of everything in it.
func rich() *run {
	r := newRun().of("async").post("p", saying("a")).update("p", saying("b")).saw("p", 2, 1).comment("c", "p", withStatus(pending), version(1)).
		sawComment("c", approved).subscribe("ann", "bob", version(1)).look(false).look(true).counted("ann", 1, 1).
		read("GetPost", "p", 2).read("GetPostPage", "p", 1, by(1)).read("GetComment", "c", 2, withStatus(approved)).
		post("q", noReply).post("r", failed).post("s").delete("s").missed(history.Post, "s").
		told("p", 1, 2).toldOf(history.Comment, "c", 2).toldOf(history.Author, "ann", 1).logged().
		record("PostUpdated", history.Post, "p", 2).record("Other", history.Post, "p", 0).lastRecord(garbled)
	r.h.Generator = &history.Generator{CPU: time.Second, Wall: 10 * time.Second, Cores: 2}
	return r
}

// saveTo writes a history to a file and returns its lines.
func saveTo(t testing.TB, path string, h *history.History) [][]byte {
	t.Helper()
	w, err := history.Create(path, h.Header)
	require.NoError(t, err)
	for _, o := range h.Operations {
		w.Complete(o)
	}
	for _, e := range h.Effects {
		w.Effect(e)
	}
	for _, l := range h.Looks {
		w.Look(l)
	}
	for _, r := range h.Records {
		w.Record(r)
	}
	for _, f := range h.Faults {
		w.Fault(f)
	}
	for _, f := range h.Finals {
		w.Final(f)
	}
	if h.Generator != nil {
		w.Generator(*h.Generator)
	}
	w.Drained(h.Drained)
	require.NoError(t, w.Finish())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return bytes.SplitAfter(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
}

func readLines(t testing.TB, path string, lines [][]byte) (*history.History, error) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, append(bytes.Join(lines, nil), '\n'), 0o600))
	return history.Read(path)
}

// TestShuffledLinesAreJudgedTheSame: a run writes its lines as things happen, and their order in the file means nothing.
func TestShuffledLinesAreJudgedTheSame(t *testing.T) {
	for name, r := range map[string]*run{"rich": rich(), "sound": newRun().post("p").saw("p", 1, 0)} {
		t.Run(name, func(t *testing.T) {
			numbered(r.h)
			path := filepath.Join(t.TempDir(), "history.jsonl")
			lines := saveTo(t, path, r.h)
			first, err := history.Read(path)
			require.NoError(t, err)
			want := Check(first)
			for seed := range uint64(20) {
				shuffled := slices.Clone(lines)
				body := shuffled[1 : len(shuffled)-1]
				rand.New(rand.NewPCG(seed, 1)).Shuffle(len(body), func(i, j int) { body[i], body[j] = body[j], body[i] })
				h, err := readLines(t, path, ended(shuffled))
				require.NoError(t, err)
				got := Check(h)
				require.Equal(t, counts(want.Figures), counts(got.Figures), "seed %d", seed)
				require.Equal(t, want.Verdict, got.Verdict, "seed %d", seed)
				require.Len(t, got.Reasons, len(want.Reasons), "seed %d", seed)
			}
		})
	}
}

// numbered gives each operation a number of its own in its phase, as a schedule does.
func numbered(h *history.History) {
	renamed := map[int64]int64{}
	for i, o := range h.Operations {
		renamed[o.Index] = int64(i)
		o.Index = int64(i)
	}
	for i := range h.Looks {
		h.Looks[i].Write = renamed[h.Looks[i].Write]
	}
}

// ended gives each line its end, also the one that was the last.
func ended(lines [][]byte) [][]byte {
	for i, line := range lines {
		lines[i] = append(bytes.TrimSuffix(slices.Clone(line), []byte("\n")), '\n')
	}
	lines[len(lines)-1] = bytes.TrimSuffix(lines[len(lines)-1], []byte("\n"))
	return lines
}

func counts(f Figures) map[string]int {
	n := map[string]int{}
	for name, figure := range figuresOf(f) {
		n[name] = figure.Count
	}
	return n
}

// FuzzCheck mutates the lines of a history: whatever can be read must be judged, without a panic, always the same, and in
// sentences.
func FuzzCheck(f *testing.F) {
	for _, r := range []*run{rich(), newRun()} {
		numbered(r.h)
		text := bytes.Join(saveTo(f, filepath.Join(f.TempDir(), "history.jsonl"), r.h), nil)
		f.Add(append(text, '\n'))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "history.jsonl")
		require.NoError(t, os.WriteFile(path, text, 0o600))
		if h, err := history.Read(path); err == nil {
			requireJudged(t, h)
		}
	})
}

// requireJudged judges a history twice.
func requireJudged(t *testing.T, h *history.History) {
	t.Helper()
	result := Check(h)
	require.Equal(t, result.Verdict == Valid, len(result.Reasons) == 0)
	_, err := json.Marshal(result)
	require.NoError(t, err)
	require.Equal(t, result, Check(h))
}

// TestAnyHistoryIsJudged changes single values of a good history at random, as no fuzzer without knowledge of them would.
func TestAnyHistoryIsJudged(t *testing.T) {
	for seed := range uint64(2000) {
		chance := rand.New(rand.NewPCG(seed, 2))
		h := rich().h
		for range 1 + chance.IntN(8) {
			spoil(chance, h)
		}
		require.NotPanics(t, func() { requireJudged(t, h) }, "seed %d", seed)
	}
}

// spoil changes something in a history: it puts a wrong value somewhere, leaves something out, or says it twice.
func spoil(chance *rand.Rand, h *history.History) {
	number := []int64{-1, 0, 1, 2, 3, 1 << 62, -1 << 62}[chance.IntN(7)]
	when := time.Duration(number)
	if chance.IntN(2) == 0 {
		when = time.Duration(chance.Int64N(int64(20 * time.Second)))
	}
	word := []string{"", "p", "q", "ann", "OK", "NOT_FOUND", approved, "DeletePost", "CreateComment", "é"}[chance.IntN(10)]
	o := pick(chance, h.Operations)
	switch chance.IntN(20) {
	case 0:
		o.Version = number
	case 1:
		o.Sent = when
	case 2:
		o.Completed = when
	case 3:
		o.Op = word
	case 4:
		o.ID = word
	case 5:
		o.Outcome = pick(chance, []history.Outcome{history.OK, history.Fail, history.Unknown, ""})
	case 6:
		o.Aggregate = pick(chance, []history.Aggregate{history.Post, history.Comment, history.Author, ""})
	case 7:
		o.Code, o.Status = word, word
	case 8:
		o.PostID, o.Author, o.Ref = word, word, word
	case 9:
		h.Operations = slices.Delete(h.Operations, 0, chance.IntN(len(h.Operations)))
	case 10:
		h.Operations = append(h.Operations, o)
	case 11:
		pick(chance, pointers(h.Finals)).ID = word
	case 12:
		pick(chance, pointers(h.Finals)).Aggregate = pick(chance, []history.Aggregate{history.Post, history.Comment, history.Author, ""})
	case 13:
		f := pick(chance, pointers(h.Finals))
		f.Version, f.Count, f.Status, f.Present = number, number, word, !f.Present
	case 14:
		e := pick(chance, pointers(h.Effects))
		e.Version, e.At, e.ID = number, when, word
	case 15:
		r := pick(chance, pointers(h.Records))
		r.Version, r.ID, r.Topic, r.EventType, r.EventID, r.Key = number, word, word, word, word, word
	case 16:
		l := pick(chance, pointers(h.Looks))
		l.Write, l.Sent, l.Code = number, when, word
	case 17:
		f := pick(chance, pointers(h.Faults))
		f.Name, f.Victim, f.Asked, f.Lifted, f.InEffect = rebuild, word, when, time.Duration(number), when
	case 18:
		h.Generator = &history.Generator{CPU: when, Wall: time.Duration(number), Cores: int(number % 8), Stolen: when}
	default:
		h.Header.Stack, h.Header.Length, h.Header.Deadline, h.Header.OfferedRate = word, when, time.Duration(number), float64(number)
	}
	if len(h.Operations) == 0 {
		h.Operations = append(h.Operations, &history.Operation{Phase: history.PhaseLoad, Op: fmt.Sprint("Op", word)})
	}
}

func pick[T any](chance *rand.Rand, from []T) T { return from[chance.IntN(len(from))] }

func pointers[T any](list []T) []*T {
	all := make([]*T, len(list))
	for i := range list {
		all[i] = &list[i]
	}
	return all
}
