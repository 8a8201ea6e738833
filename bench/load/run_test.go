package load

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tandem/bench/history"
)

func TestOutcomes(t *testing.T) {
	tests := map[codes.Code]struct {
		write history.Outcome
		name  string
	}{
		codes.OK:                 {history.OK, "OK"},
		codes.InvalidArgument:    {history.Fail, "INVALID_ARGUMENT"},
		codes.NotFound:           {history.Fail, "NOT_FOUND"},
		codes.AlreadyExists:      {history.Fail, "ALREADY_EXISTS"},
		codes.FailedPrecondition: {history.Fail, "FAILED_PRECONDITION"},
		codes.ResourceExhausted:  {history.Fail, "RESOURCE_EXHAUSTED"},
		codes.Unimplemented:      {history.Fail, "UNIMPLEMENTED"},
		codes.Unavailable:        {history.Unknown, "UNAVAILABLE"},
		codes.DeadlineExceeded:   {history.Unknown, "DEADLINE_EXCEEDED"},
		codes.Canceled:           {history.Unknown, "CANCELLED"},
		codes.Internal:           {history.Unknown, "INTERNAL"},
		codes.Unknown:            {history.Unknown, "UNKNOWN"},
		codes.Aborted:            {history.Unknown, "ABORTED"},
		codes.OutOfRange:         {history.Unknown, "OUT_OF_RANGE"},
		codes.DataLoss:           {history.Unknown, "DATA_LOSS"},
		codes.PermissionDenied:   {history.Unknown, "PERMISSION_DENIED"},
		codes.Unauthenticated:    {history.Unknown, "UNAUTHENTICATED"},
	}
	require.Len(t, tests, 17, "every status code of gRPC")
	for code, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := status.Error(code, "text")
			require.Equal(t, test.name, codeOf(err))
			require.Equal(t, test.write, outcomeOf(CreatePost, err))
			read := history.Fail
			if code == codes.OK {
				read = history.OK
			}
			require.Equal(t, read, outcomeOf(GetPost, err))
		})
	}
	require.Equal(t, history.Unknown, outcomeOf(CreatePost, errors.New("no status")))
}

func TestClientNeedsEveryAddress(t *testing.T) {
	_, err := NewClient(ClientConfig{World: newTestWorld(t, smallSize()), Addresses: map[string]string{"posts": "127.0.0.1:1"}})
	require.ErrorContains(t, err, "no address of comments")
}

// preloaded returns a fake that holds the client's world, and the operations that made it.
func preloaded(t testing.TB, deadline time.Duration) (*fake, *Client, []*history.Operation) {
	f := startFake(t)
	c := newTestClient(t, f, deadline)
	ops, err := Preload(t.Context(), c, PreloadConfig{})
	require.NoError(t, err)
	return f, c, ops
}

func TestPreloadStoresTheWorld(t *testing.T) {
	f, c, ops := preloaded(t, time.Second)
	require.Len(t, f.posts, c.cfg.World.Size.Posts)
	require.Len(t, f.comments, c.cfg.World.Size.Comments)
	require.Len(t, ops, 150+300+100)
	for i, o := range ops {
		require.EqualValues(t, i, o.Index)
		require.Equal(t, history.PhasePreload, o.Phase)
		require.Equal(t, history.OK, o.Outcome)
		require.NotEmpty(t, o.ID)
		require.Positive(t, o.Version)
	}
	require.NotContains(t, c.postIDs, "")
	require.NotContains(t, c.commentIDs, "")
}

func TestPreloadTriesAgainWithTheSameRequest(t *testing.T) {
	tests := map[string]func(f *fake, fail func(string) error){
		"not done":                 func(f *fake, fail func(string) error) { f.before = fail },
		"done, but the reply lost": func(f *fake, fail func(string) error) { f.after = fail },
	}
	for name, breakIt := range tests {
		t.Run(name, func(t *testing.T) {
			f := startFake(t)
			var calls atomic.Int64
			breakIt(f, func(string) error {
				if calls.Add(1)%5 == 0 {
					return status.Error(codes.Unavailable, "gone")
				}
				return nil
			})
			c := newTestClient(t, f, time.Second)
			ops, err := Preload(t.Context(), c, PreloadConfig{})
			require.NoError(t, err)
			require.Len(t, f.posts, 150)
			require.Len(t, f.comments, 300)
			require.True(t, slices.ContainsFunc(ops, func(o *history.Operation) bool { return o.Attempts > 1 }))
		})
	}
}

func TestPreloadSaysWhatWasRefused(t *testing.T) {
	f := startFake(t)
	f.before = func(rpc string) error {
		if rpc == CreateComment {
			return status.Error(codes.ResourceExhausted, "disk full")
		}
		return nil
	}
	ops, err := Preload(t.Context(), newTestClient(t, f, time.Second), PreloadConfig{})
	require.ErrorContains(t, err, "CreateComment")
	require.ErrorContains(t, err, "disk full")
	require.GreaterOrEqual(t, len(ops), 150)
}

func TestPreloadTellsItsProgress(t *testing.T) {
	var mu sync.Mutex
	last := 0
	f := startFake(t)
	_, err := Preload(t.Context(), newTestClient(t, f, time.Second), PreloadConfig{Progress: func(done, total int) {
		mu.Lock()
		defer mu.Unlock()
		last = max(last, done)
		require.Equal(t, 550, total)
	}})
	require.NoError(t, err)
	require.Equal(t, 550, last)
}

// runSchedule runs a schedule against the client and returns what became of it.
func runSchedule(t testing.TB, c *Client, s *Schedule, maxInFlight int) []*history.Operation {
	ops, err := Run(t.Context(), RunConfig{
		Schedule: s, Client: c, Clock: c.cfg.Clock, Start: c.cfg.Clock.Now() + 20*time.Millisecond, MaxInFlight: maxInFlight,
	})
	require.NoError(t, err)
	return ops
}

func newSchedule(t testing.TB, cfg ScheduleConfig) *Schedule {
	s, err := NewSchedule(cfg)
	require.NoError(t, err)
	return s
}

func TestRunPerformsEveryOperation(t *testing.T) {
	f, c, _ := preloaded(t, 5*time.Second)
	s := newSchedule(t, ScheduleConfig{World: c.cfg.World, Seed: 1, Rate: 2000, Length: time.Second})
	ops := runSchedule(t, c, s, 0)
	require.Len(t, ops, len(s.Ops))
	seen := map[string]bool{}
	for i, o := range ops {
		seen[o.Op] = true
		require.Equal(t, history.OK, o.Outcome, "%+v", o)
		require.Equal(t, "OK", o.Code)
		require.Equal(t, s.Ops[i].Op, o.Op)
		require.EqualValues(t, i, o.Index)
		require.Equal(t, history.PhaseLoad, o.Phase)
		require.Equal(t, 1, o.Attempts)
		require.GreaterOrEqual(t, o.Sent, o.Intended)
		require.Greater(t, o.Completed, o.Sent)
		require.Equal(t, tellsVersion(o.Op), o.Version > 0, "%+v", o)
		require.Equal(t, s.Ops[i].Client, o.Client)
		require.GreaterOrEqual(t, o.Woken, o.Intended)
		require.GreaterOrEqual(t, o.Sent, o.Woken)
		require.Equal(t, o.Op != ListFeed && o.Op != ListPosts, o.ID != "", "%+v", o)
		if o.Op == CreateComment {
			require.NotEmpty(t, o.PostID)
			require.Equal(t, map[bool]string{true: "REJECTED", false: "APPROVED"}[o.Blocked], o.Status)
		}
		if o.Op == GetComment {
			require.Contains(t, []string{"APPROVED", "REJECTED"}, o.Status)
		}
	}
	require.Len(t, seen, len(DefaultMix()))
	require.Len(t, f.posts, 150+count(ops, CreatePost)-count(ops, DeletePost))
}

// tellsVersion tells whether the reply to an operation holds the version of what it is about.
func tellsVersion(op string) bool {
	switch op {
	case GetPost, GetPostPage, GetComment:
		return true
	}
	return isWrite(op) && op != DeletePost
}

func TestDegradedAnswersAreMarked(t *testing.T) {
	f, c, _ := preloaded(t, 5*time.Second)
	f.set(func() { f.degraded = true })
	s := newSchedule(t, ScheduleConfig{World: c.cfg.World, Seed: 1, Rate: 2000, Length: 300 * time.Millisecond})
	marked := map[string]bool{}
	for _, o := range runSchedule(t, c, s, 0) {
		require.Equal(t, history.OK, o.Outcome, "less is an answer: %+v", o)
		marked[o.Op] = o.Degraded
	}
	for op, degraded := range marked {
		canBeLess := op == CreateComment || op == GetPostPage || op == ListFeed || op == GetAuthorPage
		require.Equal(t, canBeLess, degraded, op)
	}
	require.Len(t, marked, len(DefaultMix()))
}

func count(ops []*history.Operation, op string) (n int) {
	for _, o := range ops {
		if o.Op == op {
			n++
		}
	}
	return n
}

func reads(t testing.TB, c *Client, rate float64, length time.Duration) *Schedule {
	return newSchedule(t, ScheduleConfig{
		World: c.cfg.World, Seed: 1, Rate: rate, Length: length, Arrivals: Constant, Mix: []Share{{GetPost, 1}},
	})
}

// TestStallShowsInLaterOperations is the test against coordinated omission: operations that were due during a stall count it.
func TestStallShowsInLaterOperations(t *testing.T) {
	const stall = 200 * time.Millisecond
	f, c, _ := preloaded(t, 5*time.Second)
	s := reads(t, c, 500, 600*time.Millisecond)
	begin := c.cfg.Clock.Now() + 20*time.Millisecond
	from, until := begin+200*time.Millisecond, begin+200*time.Millisecond+stall
	f.set(func() {
		f.before = func(string) error {
			if now := c.cfg.Clock.Now(); now >= from && now < until {
				time.Sleep(until - now)
			}
			return nil
		}
	})
	ops, err := Run(t.Context(), RunConfig{Schedule: s, Client: c, Clock: c.cfg.Clock, Start: begin})
	require.NoError(t, err)
	for _, o := range ops {
		// Operations near the edges of the stall may reach the server before or after it.
		if o.Intended > from && o.Intended < until-20*time.Millisecond {
			require.GreaterOrEqual(t, o.Completed-o.Intended, until-o.Intended, "%+v", o)
			require.Less(t, o.Sent-o.Intended, stall/2, "sent without waiting for those before")
		}
	}
}

func TestDeadlineCountsFromTheIntendedTime(t *testing.T) {
	const deadline = 100 * time.Millisecond
	f, c, _ := preloaded(t, deadline)
	f.set(func() {
		f.before = func(string) error { time.Sleep(5 * deadline); return nil }
	})
	p := &Planned{Op: UpdatePost, RequestID: requestID(newRand(1, 1)), Title: "t", Body: "b", Comment: -1}
	intended := c.cfg.Clock.Now() - 60*time.Millisecond // sent 60 ms late
	o := c.Do(t.Context(), p, Due{Intended: intended})
	require.Equal(t, "DEADLINE_EXCEEDED", o.Code)
	require.Equal(t, history.Unknown, o.Outcome)
	require.Equal(t, 1, o.Attempts)
	require.InDelta(t, deadline.Seconds(), (o.Completed - intended).Seconds(), 0.05)

	late := c.Do(t.Context(), p, Due{Intended: c.cfg.Clock.Now() - deadline})
	require.Equal(t, "DEADLINE_EXCEEDED", late.Code)
	require.Equal(t, history.Fail, late.Outcome, "what was never sent has certainly not happened")
	require.Zero(t, late.Attempts)
	require.Zero(t, late.Sent)
}

func TestRunDropsWhatIsTooMuch(t *testing.T) {
	f, c, _ := preloaded(t, 10*time.Second)
	release := make(chan struct{})
	f.set(func() {
		f.before = func(string) error { <-release; return nil }
	})
	s := reads(t, c, 1000, 100*time.Millisecond)
	var dropped atomic.Int64
	ops, err := Run(t.Context(), RunConfig{
		Schedule: s, Client: c, Clock: c.cfg.Clock, Start: c.cfg.Clock.Now(), MaxInFlight: 10,
		OnDone: func(o *history.Operation) {
			if o.Code == CodeDropped && dropped.Add(1) == int64(len(s.Ops)-10) {
				close(release)
			}
		},
	})
	require.NoError(t, err)
	for i, o := range ops {
		if i < 10 {
			require.Equal(t, history.OK, o.Outcome)
			continue
		}
		require.Equal(t, CodeDropped, o.Code)
		require.Equal(t, history.Fail, o.Outcome)
		require.Zero(t, o.Attempts)
		require.Zero(t, o.Sent)
		require.NotEmpty(t, o.ID)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	_, c, _ := preloaded(t, time.Second)
	s := reads(t, c, 100, time.Hour)
	ctx, cancel := context.WithCancelCause(t.Context())
	var once sync.Once
	ops, err := Run(ctx, RunConfig{
		Schedule: s, Client: c, Clock: c.cfg.Clock, Start: c.cfg.Clock.Now(),
		OnDone: func(*history.Operation) { once.Do(func() { cancel(errors.New("the user said so")) }) },
	})
	require.ErrorContains(t, err, "the user said so")
	require.NotEmpty(t, ops)
	require.Less(t, len(ops), 1000)
	require.NotContains(t, ops, (*history.Operation)(nil))
}

// nothing is a Doer that costs nothing.
type nothing struct{ clock Clock }

func (n nothing) Do(_ context.Context, p *Planned, due Due) *history.Operation {
	return &history.Operation{Index: p.Index, Op: p.Op, Intended: due.Intended, Woken: due.Woken, Sent: n.clock.Now()}
}

func (n nothing) Drop(p *Planned, due Due) *history.Operation {
	return n.Do(context.Background(), p, due)
}

func TestPacerIsNeverEarlyAndHardlyLate(t *testing.T) {
	world := newTestWorld(t, smallSize())
	s := newSchedule(t, ScheduleConfig{World: world, Seed: 1, Rate: 1000, Length: 500 * time.Millisecond})
	clock := NewClock()
	ops, err := Run(t.Context(), RunConfig{Schedule: s, Client: nothing{clock}, Clock: clock, Start: clock.Now()})
	require.NoError(t, err)
	late := lateness(ops)
	require.GreaterOrEqual(t, late[0], time.Duration(0))
	// Loose: the machine may be busy with other tests. BenchmarkFloorTimer tells the real figures.
	require.Less(t, late[len(late)/2], 5*time.Millisecond)
}

// lateness is how late operations were sent, in ascending order.
func lateness(ops []*history.Operation) []time.Duration {
	late := make([]time.Duration, len(ops))
	for i, o := range ops {
		late[i] = o.Sent - o.Intended
	}
	slices.Sort(late)
	return late
}
