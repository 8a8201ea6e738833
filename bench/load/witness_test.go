package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tandem/bench/history"
)

// looks collects what a witness says.
type looks struct {
	mu  sync.Mutex
	all []history.Look
}

func (l *looks) add(look history.Look) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, look)
}

func (l *looks) list() []history.Look {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]history.Look(nil), l.all...)
}

// witnessing is a fake with one post, which the client's world has as number 3, and a witness of every write of a schedule that exists only for its sample.
type witnessing struct {
	f *fake
	c *Client
	w *Witness
	*looks
}

func witnessed(t testing.TB, cfg WitnessConfig) *witnessing {
	f := startFake(t)
	c := newTestClient(t, f, time.Second)
	x := &witnessing{f: f, c: c, looks: &looks{}}
	cfg.Client, cfg.Sink = c, x.add
	cfg.Schedule = &Schedule{Ops: make([]Planned, 100)}
	for i := range cfg.Schedule.Ops {
		cfg.Schedule.Ops[i].Witness = true
	}
	x.w = NewWitness(t.Context(), cfg)
	t.Cleanup(x.w.Stop)
	c.postIDs[3] = x.do(t, 99, newPost()).ID
	return x
}

// do performs a write, as number index of the schedule.
func (x *witnessing) do(t testing.TB, index int64, p Planned) *history.Operation {
	p.Index, p.RequestID = index, requestID(newRand(99, uint64(index)))
	o := x.c.Do(t.Context(), &p, Due{Intended: x.c.cfg.Clock.Now()})
	require.Equal(t, history.OK, o.Outcome, "%+v", o)
	return o
}

func newPost() Planned {
	return Planned{Op: CreatePost, Post: -1, Comment: -1, Author: "ann", Title: "title", Body: "body"}
}

func newComment() Planned {
	return Planned{Op: CreateComment, Post: 3, Comment: -1, Author: "ann", Body: "a remark"}
}

func TestWitnessSeesEachKindOfWriteAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		plan Planned
		code string
	}{
		"create_post":    {newPost(), "OK"},
		"update_post":    {Planned{Op: UpdatePost, Post: 3, Comment: -1, Title: "title", Body: "body"}, "OK"},
		"delete_post":    {Planned{Op: DeletePost, Post: 3, Comment: -1}, "NOT_FOUND"},
		"create_comment": {newComment(), "OK"},
	} {
		t.Run(name, func(t *testing.T) {
			x := witnessed(t, WitnessConfig{})
			o := x.do(t, 7, c.plan)
			x.w.Watch(o)
			require.Zero(t, x.w.Wait())
			require.Len(t, x.all, 1)
			look := x.all[0]
			require.EqualValues(t, 7, look.Write)
			require.Equal(t, c.code, look.Code)
			require.True(t, look.Shown)
			require.False(t, look.GaveUp)
			require.GreaterOrEqual(t, look.Sent, o.Completed)
			require.Greater(t, look.Completed, look.Sent)
		})
	}
}

// unseen makes a write that does not show, the change that lets it show, and what the page answers before.
func unseen() map[string]func(t *testing.T, x *witnessing) (o *history.Operation, reveal func(), code string) {
	hide := func(plan Planned, code string) func(*testing.T, *witnessing) (*history.Operation, func(), string) {
		return func(t *testing.T, x *witnessing) (*history.Operation, func(), string) {
			o := x.do(t, 0, plan)
			x.f.set(func() { x.f.hidden[o.ID] = true })
			return o, func() { delete(x.f.hidden, o.ID) }, code
		}
	}
	failing := func(plan Planned) func(*testing.T, *witnessing) (*history.Operation, func(), string) {
		return func(t *testing.T, x *witnessing) (*history.Operation, func(), string) {
			o := x.do(t, 0, plan)
			x.f.set(func() { x.f.before = func(string) error { return status.Error(codes.Unavailable, "down") } })
			return o, func() { x.f.before = nil }, "UNAVAILABLE"
		}
	}
	return map[string]func(*testing.T, *witnessing) (*history.Operation, func(), string){
		"post_not_there":    hide(newPost(), "NOT_FOUND"),
		"comment_not_there": hide(newComment(), "OK"),
		"old_version": func(t *testing.T, x *witnessing) (*history.Operation, func(), string) {
			o := x.do(t, 0, Planned{Op: UpdatePost, Post: 3, Comment: -1, Title: "title", Body: "body"})
			x.f.set(func() { x.f.stale[o.ID] = true })
			return o, func() { delete(x.f.stale, o.ID) }, "OK"
		},
		"deleted_still_there": func(t *testing.T, x *witnessing) (*history.Operation, func(), string) {
			gone := x.f.find(x.c.postIDs[3])
			o := x.do(t, 0, Planned{Op: DeletePost, Post: 3, Comment: -1})
			x.f.set(func() { x.f.posts = append(x.f.posts, gone) })
			return o, func() { x.f.posts = x.f.posts[:len(x.f.posts)-1] }, "OK"
		},
		"page_fails":                failing(newPost()),
		"page_fails_for_a_deletion": failing(Planned{Op: DeletePost, Post: 3, Comment: -1}),
		"page_lacks_comments": func(t *testing.T, x *witnessing) (*history.Operation, func(), string) {
			o := x.do(t, 0, newComment())
			x.f.set(func() { x.f.hidden[o.ID], x.f.degraded = true, true })
			return o, func() { delete(x.f.hidden, o.ID) }, "UNAVAILABLE"
		},
	}
}

func TestWitnessLooksUntilItSees(t *testing.T) {
	for name, prepare := range unseen() {
		t.Run(name, func(t *testing.T) {
			x := witnessed(t, WitnessConfig{})
			o, reveal, code := prepare(t, x)
			x.w.Watch(o)
			require.Eventually(t, func() bool { return len(x.list()) >= 4 }, patient, time.Millisecond)
			x.f.set(reveal)
			x.w.Wait()
			for i, look := range x.all {
				last := i == len(x.all)-1
				require.Equal(t, last, look.Shown, "%+v", look)
				require.False(t, look.GaveUp)
				if !last {
					require.Equal(t, code, look.Code)
				}
				if i > 0 {
					require.GreaterOrEqual(t, look.Sent-x.all[i-1].Completed, witnessPause)
				}
			}
		})
	}
}

func TestWitnessGivesUp(t *testing.T) {
	const little = 50 * time.Millisecond
	for name, prepare := range unseen() {
		t.Run(name, func(t *testing.T) {
			x := witnessed(t, WitnessConfig{Patience: little})
			o, _, _ := prepare(t, x)
			o.Completed = x.c.cfg.Clock.Now()
			x.w.Watch(o)
			x.w.Wait()
			require.NotEmpty(t, x.all)
			for i, look := range x.all {
				require.False(t, look.Shown)
				require.Equal(t, i == len(x.all)-1, look.GaveUp)
			}
		})
	}
}

func TestWitnessGivesUpOnAPageThatHangs(t *testing.T) {
	x := witnessed(t, WitnessConfig{Patience: 50 * time.Millisecond})
	o := x.do(t, 0, newPost())
	release := make(chan struct{})
	x.f.set(func() { x.f.before = func(string) error { <-release; return nil } })
	defer close(release)
	o.Completed = x.c.cfg.Clock.Now()
	x.w.Watch(o)
	x.w.Wait()
	require.Len(t, x.all, 1)
	require.Equal(t, "DEADLINE_EXCEEDED", x.all[0].Code)
	require.True(t, x.all[0].GaveUp)
}

func TestWitnessLeavesAlone(t *testing.T) {
	x := witnessed(t, WitnessConfig{})
	x.w.cfg.Schedule.Ops[8].Witness = false
	for name, o := range map[string]*history.Operation{
		"not_in_the_sample": {Index: 8, Op: CreatePost, Outcome: history.OK},
		"failed":            {Index: 1, Op: CreatePost, Outcome: history.Fail},
		"unknown":           {Index: 1, Op: CreatePost, Outcome: history.Unknown},
		"to_be_rejected":    {Index: 1, Op: CreateComment, Outcome: history.OK, Blocked: true, Status: "PENDING"},
		"rejected":          {Index: 1, Op: CreateComment, Outcome: history.OK, Status: "REJECTED"},
	} {
		t.Run(name, func(t *testing.T) {
			x.w.Watch(o)
			require.Zero(t, x.w.Wait())
			require.Empty(t, x.all)
		})
	}
}

func TestWitnessTakesALaterVersion(t *testing.T) {
	x := witnessed(t, WitnessConfig{})
	update := Planned{Op: UpdatePost, Post: 3, Comment: -1, Title: "title", Body: "body"}
	first := x.do(t, 0, update)
	x.do(t, 1, update)
	x.w.Watch(first)
	x.w.Wait()
	require.Len(t, x.all, 1)
	require.True(t, x.all[0].Shown)
}

func TestWitnessFindsACommentUnderNewerOnes(t *testing.T) {
	x := witnessed(t, WitnessConfig{})
	o := x.do(t, 0, newComment())
	for i := range 2 * commentsPerPage {
		x.do(t, int64(i+1), newComment())
	}
	x.w.Watch(o)
	x.w.Wait()
	require.Len(t, x.all, 1)
	require.True(t, x.all[0].Shown)
}

// TestWitnessReadsNoFurtherThanItMust: below the first comment that is older, ours cannot stand.
func TestWitnessReadsNoFurtherThanItMust(t *testing.T) {
	x := witnessed(t, WitnessConfig{Patience: 50 * time.Millisecond})
	for i := range 2 * commentsPerPage {
		x.do(t, int64(i+1), newComment())
	}
	o := x.do(t, 0, newComment())
	o.Sent += 2 * clockSlack // all that is there is older now
	o.Completed = x.c.cfg.Clock.Now()
	var reads atomic.Int64
	x.f.set(func() {
		x.f.hidden[o.ID] = true
		x.f.before = func(string) error { reads.Add(1); return nil }
	})
	x.w.Watch(o)
	x.w.Wait()
	require.LessOrEqual(t, reads.Load(), int64(len(x.all)), "one page for each look")
}

func TestWitnessBoundsItsLooks(t *testing.T) {
	x := witnessed(t, WitnessConfig{AtOnce: 2})
	release := make(chan struct{})
	ops := []*history.Operation{x.do(t, 0, newPost()), x.do(t, 1, newPost()), x.do(t, 2, newPost()), x.do(t, 3, newPost())}
	x.f.set(func() { x.f.before = func(string) error { <-release; return nil } })
	for _, o := range ops {
		x.w.Watch(o)
	}
	close(release)
	require.Equal(t, 2, x.w.Wait())
	require.Len(t, x.all, 2)
}

// TestWitnessStops: that no goroutine is left is TestMain's to see.
func TestWitnessStops(t *testing.T) {
	for name, stop := range map[string]func(*Witness, context.CancelFunc){
		"stop":    func(w *Witness, _ context.CancelFunc) { w.Stop() },
		"context": func(w *Witness, cancel context.CancelFunc) { cancel(); w.Wait() },
	} {
		t.Run(name, func(t *testing.T) {
			x := witnessed(t, WitnessConfig{})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w := NewWitness(ctx, x.w.cfg)
			defer w.Stop()
			o := x.do(t, 0, newPost())
			x.f.set(func() { x.f.hidden[o.ID] = true })
			w.Watch(o)
			require.Eventually(t, func() bool { return len(x.list()) >= 2 }, patient, time.Millisecond)
			stop(w, cancel)
			for _, look := range x.all {
				require.False(t, look.GaveUp, "an interruption says nothing of the write")
			}
		})
	}
}

// TestWitnessBesideALoad: what the load does is what it would do without.
func TestWitnessBesideALoad(t *testing.T) {
	_, c, _ := preloaded(t, 5*time.Second)
	s := newSchedule(t, ScheduleConfig{World: c.cfg.World, Seed: 1, Rate: 1000, Length: time.Second, Witness: 1})
	seen := &looks{}
	w := NewWitness(t.Context(), WitnessConfig{Schedule: s, Client: c, Sink: seen.add})
	defer w.Stop()
	ops, err := Run(t.Context(), RunConfig{Schedule: s, Client: c, Clock: c.cfg.Clock, Start: c.cfg.Clock.Now(), OnDone: w.Watch})
	require.NoError(t, err)
	require.Zero(t, w.Wait())
	shown := map[int64]bool{}
	for _, look := range seen.all {
		require.True(t, look.Shown, "%+v", look)
		require.False(t, shown[look.Write], "looked for after it was seen")
		shown[look.Write] = true
	}
	for _, o := range ops {
		require.Equal(t, s.Ops[o.Index].Witness && !o.Blocked, shown[o.Index], fmt.Sprintf("%+v", o))
	}
	require.NotEmpty(t, shown)
}
