package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// whole is a history in which every field of every type is set once.
func whole() *History {
	return &History{
		Header: Header{
			Schema: Schema, Stack: "sync", Level: "fallback", Seed: 7, Schedule: "ab", Start: time.Date(2026, 11, 1, 2, 3, 4, 5, time.UTC),
			OfferedRate: 200.5, Length: 10 * time.Second, Deadline: time.Second, Clients: 3,
		},
		Operations: []*Operation{
			{Index: 0, Phase: PhasePreload, Op: "CreatePost", RequestID: "r0", Ref: "ref0", Sent: 1, Completed: 2, Attempts: 1,
				Outcome: OK, Code: "OK", Aggregate: Post, ID: "p0", Version: 1, Author: "ann"},
			{Index: 0, Phase: PhaseLoad, Op: "CreateComment", RequestID: "r1", Ref: "ref1", Client: 2, Intended: 10, Woken: 10, Sent: 11, Completed: 12,
				Attempts: 2, Outcome: OK, Code: "OK", Aggregate: Comment, ID: "c1", Version: 1, PostID: "p0", Author: "bob",
				Status: "PENDING", Blocked: true, Degraded: true, Text: "cd"},
			{Index: 1, Phase: PhaseLoad, Op: "Subscribe", RequestID: "r2", Intended: 20, Sent: 21, Completed: 22, Attempts: 1,
				Outcome: Unknown, Code: "UNAVAILABLE", Aggregate: Author, ID: "ann", Author: "ann", Follower: "bob"},
			{Index: 2, Phase: PhaseLoad, Op: "GetPostPage", Intended: 30, Outcome: Fail, Aggregate: Post, ID: "p0"},
		},
		Looks: []Look{{Write: 0, Sent: 13, Completed: 14, Code: "NOT_FOUND", GaveUp: true}, {Write: 0, Sent: 15, Completed: 16, Code: "OK", Shown: true}},
		Records: []Record{{Topic: "blog.posts", Partition: 1, Offset: 2, Key: "p0", EventID: "e", Source: "/posts",
			EventType: "event.v1.PostCreated", Aggregate: Post, ID: "p0", Version: 1, Reason: "because", Problem: "none"}},
		Generator: &Generator{CPU: 1, Wall: 2, Cores: 3, Stolen: 4},
		Effects:   []Effect{{Post, "p0", 1, 5}, {Comment, "c1", 2, 15}},
		Faults: []Fault{{Name: "kill", Victim: "posts", Absent: true, Asked: 100, InEffect: 101, LiftAsked: 102, Lifted: 103,
			End: 104, Problem: "none"}},
		Finals: []Final{{View: ViewStore, Aggregate: Comment, ID: "c1", Present: true, Version: 2, Ref: "ref1", PostID: "p0",
			Status: "REJECTED", Author: "bob", Text: "cd", Count: 3, Subscribers: 4, InFeed: true, FeedComments: 5, FeedSubscribers: 6,
			Posts: 7, List: "ef"}},
		Drained: 200, Unsettled: true,
		Complete: true,
	}
}

// write writes a history the way a run does: what was sent is invoked, and completed if it has an answer.
func write(t *testing.T, path string, h *History) *Writer {
	t.Helper()
	w, err := Create(path, h.Header)
	require.NoError(t, err)
	for _, o := range h.Operations {
		if o.Phase == PhaseLoad && o.Sent > 0 {
			w.Invoke(o)
		}
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
	if h.Generator != nil {
		w.Generator(*h.Generator)
	}
	for _, f := range h.Faults {
		w.Fault(Fault{Name: f.Name, Victim: f.Victim, Asked: f.Asked})
		w.Fault(f)
	}
	for _, f := range h.Finals {
		w.Final(f)
	}
	w.Drained(h.Drained)
	if h.Unsettled {
		w.Unsettled()
	}
	return w
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "history.jsonl") }

func TestReadReturnsWhatWasWritten(t *testing.T) {
	path := newPath(t)
	require.NoError(t, write(t, path, whole()).Finish())
	got, err := Read(path)
	require.NoError(t, err)
	require.Equal(t, whole(), got)
}

// TestAnInvokedOperationIsNotWrittenTwice: what was asked stands in one line, and its answer in another.
func TestAnInvokedOperationIsNotWrittenTwice(t *testing.T) {
	path := newPath(t)
	require.NoError(t, write(t, path, whole()).Finish())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, once := range []string{`"request_id":"r0"`, `"request_id":"r1"`, `"outcome":"unknown"`} {
		require.Equal(t, 1, strings.Count(string(text), once), once)
	}
}

func TestAbortedHistoryIsNotComplete(t *testing.T) {
	path := newPath(t)
	require.NoError(t, write(t, path, whole()).Abort())
	got, err := Read(path)
	require.NoError(t, err)
	want := whole()
	want.Complete = false
	require.Equal(t, want, got)
}

func TestOperationWithoutAnswer(t *testing.T) {
	path := newPath(t)
	w, err := Create(path, Header{})
	require.NoError(t, err)
	w.Invoke(&Operation{Phase: PhaseLoad, Index: 1, Op: "GetPost", Sent: 5, Outcome: OK})
	w.Invoke(&Operation{Phase: PhaseLoad, Index: 0, Op: "CreatePost", Sent: 4, Ref: "r"})
	require.NoError(t, w.Abort())
	got, err := Read(path)
	require.NoError(t, err)
	require.Equal(t, []*Operation{
		{Phase: PhaseLoad, Index: 0, Op: "CreatePost", Sent: 4, Ref: "r", Outcome: Unknown},
		{Phase: PhaseLoad, Index: 1, Op: "GetPost", Sent: 5, Outcome: Fail},
	}, got.Operations)
}

func TestReadSorts(t *testing.T) {
	path := newPath(t)
	w, err := Create(path, Header{})
	require.NoError(t, err)
	for _, o := range []*Operation{
		{Phase: PhaseLoad, Index: 1, Op: "B", Outcome: OK}, {Phase: PhaseLoad, Index: 0, Op: "A", Outcome: OK},
		{Phase: PhasePreload, Index: 5, Op: "P", Outcome: OK},
	} {
		w.Complete(o)
	}
	w.Effect(Effect{At: 2})
	w.Effect(Effect{At: 1})
	w.Fault(Fault{Asked: 2})
	w.Fault(Fault{Asked: 1})
	require.NoError(t, w.Finish())
	got, err := Read(path)
	require.NoError(t, err)
	require.Equal(t, "P A B", fmt.Sprint(got.Operations[0].Op, " ", got.Operations[1].Op, " ", got.Operations[2].Op))
	require.Equal(t, []Effect{{At: 1}, {At: 2}}, got.Effects)
	require.Equal(t, []Fault{{Asked: 1}, {Asked: 2}}, got.Faults)
}

// TestCutAnywhere cuts a good file at every byte: it must read as an incomplete history, or say that it holds no header.
func TestCutAnywhere(t *testing.T) {
	path := newPath(t)
	require.NoError(t, write(t, path, whole()).Finish())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	headerEnd := strings.Index(string(text), "\n") + 1
	for n := range text {
		h, err := read("cut", strings.NewReader(string(text[:n])))
		if n < headerEnd {
			require.ErrorContains(t, err, "no header", "cut at %d", n)
			continue
		}
		require.NoError(t, err, "cut at %d", n)
		require.False(t, h.Complete, "cut at %d", n)
	}
}

func TestDamagedFiles(t *testing.T) {
	const header = `{"type":"header","schema":2}` + "\n"
	const complete = `{"type":"complete","phase":"load","index":0,"op":"GetPost","outcome":"ok"}` + "\n"
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "no header"},
		{"no_header", complete, "line 1: the header must be the first line"},
		{"two_headers", header + header, "line 2: the header must be the first line"},
		{"newer_schema", `{"type":"header","schema":3}` + "\n", "line 1: schema 3 is not 2"},
		{"not_json", header + "{\"type\":\n", "line 2: unexpected end"},
		{"blank_line", header + "\n" + complete, "line 2: unexpected end"},
		{"unknown_type", header + `{"type":"poem"}` + "\n", `line 2: unknown type "poem"`},
		{"wrong_field", header + `{"type":"effect","version":"one"}` + "\n", "line 2: json"},
		{"after_the_end", header + `{"type":"end"}` + "\n" + complete, "line 3: a line after the end"},
		{"completed_twice", header + complete + complete, "line 3: operation 0 of load is completed twice"},
		{"invoked_late", header + complete + strings.Replace(complete, "complete", "invoke", 1), "line 3: operation 0 of load is invoked after"},
		{"unknown_outcome", header + strings.Replace(complete, "ok", "maybe", 1), `line 2: unknown outcome "maybe"`},
		{"unknown_phase", header + strings.Replace(complete, "load", "lunch", 1), `line 2: unknown phase "lunch"`},
		{"no_rpc", header + strings.Replace(complete, "GetPost", "", 1), "line 2: operation 0 of load does not say which RPC"},
		{"unknown_view", header + `{"type":"final","view":"sea"}` + "\n", `line 2: unknown view "sea"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := read("some.jsonl", strings.NewReader(tt.text))
			require.ErrorContains(t, err, "some.jsonl")
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestCreateNeverOverwrites(t *testing.T) {
	path := newPath(t)
	require.NoError(t, write(t, path, whole()).Finish())
	_, err := Create(path, Header{})
	require.ErrorIs(t, err, os.ErrExist)
}

func TestReadOfAMissingFile(t *testing.T) {
	_, err := Read(newPath(t))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestConcurrentWriters(t *testing.T) {
	const writers, each = 8, 200
	path := newPath(t)
	w, err := Create(path, Header{})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			for i := range each {
				o := &Operation{Phase: PhaseLoad, Index: int64(n*each + i), Op: "CreatePost", Sent: 1}
				w.Invoke(o)
				o.Outcome, o.ID = OK, fmt.Sprint(o.Index)
				w.Complete(o)
			}
		})
	}
	wg.Wait()
	require.NoError(t, w.Finish())
	h, err := Read(path)
	require.NoError(t, err)
	require.Len(t, h.Operations, writers*each)
	for i, o := range h.Operations {
		require.Equal(t, int64(i), o.Index)
		require.Equal(t, fmt.Sprint(i), o.ID)
	}
}

// fullDisk takes some bytes and no more.
type fullDisk struct{ room int }

var errFull = errors.New("no space left on device")

func (d *fullDisk) Write(p []byte) (int, error) {
	n := min(len(p), d.room)
	d.room -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}
func (d *fullDisk) Sync() error  { return nil }
func (d *fullDisk) Close() error { return nil }

func TestFullDiskIsReported(t *testing.T) {
	t.Run("while_the_run_goes_on", func(t *testing.T) {
		w := newWriter("h", &fullDisk{room: 100}, Header{})
		for i := range 2 * bufferSize / 100 {
			w.Complete(&Operation{Phase: PhaseLoad, Index: int64(i), Op: "CreatePost"})
		}
		require.ErrorIs(t, w.Err(), errFull)
		require.ErrorIs(t, w.Finish(), errFull)
	})
	t.Run("at_the_end", func(t *testing.T) {
		w := newWriter("h", &fullDisk{room: 100}, Header{})
		require.NoError(t, w.Err())
		require.ErrorIs(t, w.Finish(), errFull)
	})
	t.Run("after_an_abort", func(t *testing.T) {
		w := newWriter("h", &fullDisk{room: 100}, Header{})
		require.ErrorIs(t, w.Abort(), errFull)
	})
}

func TestClosedWriter(t *testing.T) {
	path := newPath(t)
	w := write(t, path, whole())
	require.NoError(t, w.Finish())
	require.NoError(t, w.Abort(), "an abort after Finish does nothing")
	require.NoError(t, w.Finish())
	w.Effect(Effect{})
	require.ErrorIs(t, w.Err(), ErrClosed)
	h, err := Read(path)
	require.NoError(t, err)
	require.True(t, h.Complete)
}

func TestWindows(t *testing.T) {
	h := &History{Header: Header{Length: 100}}
	require.Zero(t, h.LoadStart())
	h.Operations = []*Operation{{Phase: PhasePreload}, {Phase: PhaseLoad, Intended: 20}, {Phase: PhaseLoad, Intended: 10}}
	require.Len(t, h.Load(), 2)
	require.Equal(t, time.Duration(10), h.LoadStart())
	require.Equal(t, time.Duration(110), h.LoadEnd())
	require.Equal(t, time.Duration(110), h.FirstFault())
	h.Faults = []Fault{{Asked: 50}}
	require.Equal(t, time.Duration(50), h.FirstFault())
	h.Faults[0].Asked = 120
	require.Equal(t, time.Duration(110), h.FirstFault())
}

func TestSteadyEnd(t *testing.T) {
	for name, tc := range map[string]struct{ fault, deadline, want time.Duration }{
		"no_fault": {0, 5, 110}, "a_deadline_before_the_fault": {50, 5, 45}, "half_of_a_short_time": {16, 5, 13},
		"two_deadlines": {20, 5, 15}, "fault_at_the_start": {10, 5, 10}, "fault_before_the_load": {5, 5, 10}, "fault_after_the_load": {110, 5, 110},
	} {
		t.Run(name, func(t *testing.T) {
			h := &History{Header: Header{Length: 100, Deadline: tc.deadline}, Operations: []*Operation{{Phase: PhaseLoad, Intended: 10}}}
			if tc.fault > 0 {
				h.Faults = []Fault{{Asked: tc.fault, Absent: true}}
			}
			require.Equal(t, tc.want, h.SteadyEnd())
		})
	}
}

// FuzzRead: whatever the file, Read does not panic, and what it understood survives being written and read again.
func FuzzRead(f *testing.F) {
	path := filepath.Join(f.TempDir(), "seed.jsonl")
	w, err := Create(path, whole().Header)
	require.NoError(f, err)
	w.Invoke(whole().Operations[1])
	w.Complete(whole().Operations[1])
	w.Fault(whole().Faults[0])
	w.Final(whole().Finals[0])
	require.NoError(f, w.Finish())
	text, err := os.ReadFile(path)
	require.NoError(f, err)
	f.Add(text)
	f.Add(text[:len(text)/2])
	f.Add([]byte(`{"type":"header","schema":2}` + "\n" + `{"type":"drained","drained_ns":1}` + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		first, err := read("fuzzed", strings.NewReader(string(text)))
		if err != nil {
			return
		}
		again, err := read("again", strings.NewReader(rewrite(first)))
		require.NoError(t, err)
		require.Equal(t, asJSON(t, first), asJSON(t, again))
	})
}

// memory is a file in memory.
type memory struct{ strings.Builder }

func (*memory) Sync() error  { return nil }
func (*memory) Close() error { return nil }

// rewrite writes a history again and returns the file's text.
func rewrite(h *History) string {
	m := &memory{}
	w := newWriter("memory", m, h.Header)
	for _, o := range h.Operations {
		w.Complete(o)
	}
	for _, e := range h.Effects {
		w.Effect(e)
	}
	for _, f := range h.Faults {
		w.Fault(f)
	}
	for _, f := range h.Finals {
		w.Final(f)
	}
	w.Drained(h.Drained)
	if h.Complete {
		_ = w.Finish()
	} else {
		_ = w.Abort()
	}
	return m.String()
}

func asJSON(t *testing.T, h *History) string {
	text, err := json.Marshal(h)
	require.NoError(t, err)
	return string(text)
}
