package load

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"tandem/bench/history"
	blogv1 "tandem/proto/blog/v1"
	labv1 "tandem/proto/lab/v1"
	"tandem/shared/effect"
	"tandem/shared/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patient = 10 * time.Second

// watching starts a watcher that ends with the test.
func watching(t testing.TB, clock Clock, addresses ...string) *Effects {
	effects := NewEffects()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- WatchEffects(ctx, WatchConfig{
			Addresses: addresses, Clock: clock, Sink: effects.Add, Log: slog.New(slog.DiscardHandler),
		})
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return effects
}

func heard(t testing.TB, effects *Effects, n int) {
	require.Eventually(t, func() bool { return effects.Count() == n }, patient, time.Millisecond, "effects")
}

// effectServer serves an effect log at an address, or, without one, no EffectsService.
func effectServer(t testing.TB, address string, log *effect.Log) (where string, kill func()) {
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	server := grpc.NewServer()
	if log != nil {
		log.Register(server)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String(), server.Stop
}

func effectOf(id string, version int64, at time.Time) []*labv1.Effect {
	return []*labv1.Effect{{
		Aggregate: labv1.Aggregate_AGGREGATE_POST, Id: id, Version: version, EffectTime: timestamppb.New(at),
	}}
}

func TestWatcherReconnectsAndHearsEachEffectOnce(t *testing.T) {
	clock, log := NewClock(), effect.NewLog()
	moment := clock.Start().Add(3 * time.Second)
	address, kill := effectServer(t, "127.0.0.1:0", log)
	effects := watching(t, clock, address)
	log.Append(effectOf("a", 1, moment))
	log.Append(effectOf("a", 1, moment))                       // applied twice in one commit: two effects
	log.Append(effectOf("a", 1, moment.Add(time.Millisecond))) // and once more
	heard(t, effects, 3)
	kill()
	log.Append(effectOf("a", 2, moment.Add(time.Second)))
	effectServer(t, address, log) // tells all four
	heard(t, effects, 4)
	require.Equal(t, []history.Effect{
		{Aggregate: history.Post, ID: "a", Version: 1, At: 3 * time.Second},
		{Aggregate: history.Post, ID: "a", Version: 1, At: 3 * time.Second},
		{Aggregate: history.Post, ID: "a", Version: 1, At: 3001 * time.Millisecond},
		{Aggregate: history.Post, ID: "a", Version: 2, At: 4 * time.Second},
	}, effects.List())
}

func TestWatcherComesBackSoon(t *testing.T) {
	log := effect.NewLog()
	address, kill := effectServer(t, "127.0.0.1:0", log)
	effects := watching(t, NewClock(), address)
	log.Append(effectOf("a", 1, time.Now()))
	heard(t, effects, 1)
	kill()
	// Long enough down that a growing pause between attempts would be far above 50 ms.
	<-time.After(time.Second)
	log.Append(effectOf("a", 2, time.Now()))
	back := time.Now()
	effectServer(t, address, log)
	heard(t, effects, 2)
	require.Less(t, time.Since(back), 4*rewatch)
}

func TestWatcherLeavesAloneWhoHasNoEffects(t *testing.T) {
	address, _ := effectServer(t, "127.0.0.1:0", nil)
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	require.NoError(t, WatchEffects(ctx, WatchConfig{
		Addresses: []string{address}, Clock: NewClock(), Sink: func(history.Effect) {}, Log: slog.New(slog.DiscardHandler),
	}))
	require.NoError(t, ctx.Err(), "it ended by itself")
}

func TestEffectOfAWrite(t *testing.T) {
	effects := NewEffects()
	for _, e := range []history.Effect{
		{Aggregate: history.Post, ID: "p", Version: 3, At: 30}, {Aggregate: history.Post, ID: "p", Version: 1, At: 10},
		{Aggregate: history.Post, ID: "p", Version: 2, At: 40},
	} {
		effects.Add(e)
	}
	tests := map[string]struct {
		op    history.Operation
		at    time.Duration
		found bool
	}{
		"its own":               {history.Operation{Op: CreatePost, Version: 1}, 10, true},
		"overtaken":             {history.Operation{Op: UpdatePost, Version: 2}, 30, true},
		"the last":              {history.Operation{Op: UpdatePost, Version: 3}, 30, true},
		"not yet":               {history.Operation{Op: UpdatePost, Version: 4}, 0, false},
		"deletion":              {history.Operation{Op: DeletePost, Sent: 35}, 40, true},
		"deletion not yet":      {history.Operation{Op: DeletePost, Sent: 41}, 0, false},
		"another post":          {history.Operation{Op: CreatePost, Version: 1, ID: "q"}, 0, false},
		"another kind of thing": {history.Operation{Op: CreateComment, Version: 1, Aggregate: history.Comment}, 0, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.op.ID == "" {
				test.op.ID = "p"
			}
			if test.op.Aggregate == "" {
				test.op.Aggregate = history.Post
			}
			at, found := effects.ofWrite(&test.op)
			require.Equal(t, test.found, found)
			require.Equal(t, test.at, at)
		})
	}
}

// loaded returns a fake on which a load has run, its client, and all operations. prepare runs before the load.
func loaded(t testing.TB, prepare func(*fake)) (*fake, *Client, []*history.Operation) {
	f, c, ops := preloaded(t, 5*time.Second)
	f.set(func() { prepare(f) })
	s := newSchedule(t, ScheduleConfig{
		World: c.cfg.World, Seed: 1, Rate: 1000, Length: 200 * time.Millisecond,
		Mix: []Share{{CreatePost, 3}, {UpdatePost, 2}, {DeletePost, 1}, {CreateComment, 6}, {Subscribe, 2}, {Unsubscribe, 1}, {GetPost, 1}},
	})
	return f, c, append(ops, runSchedule(t, c, s, 0)...)
}

func TestDrainEndsWithTheLastEffect(t *testing.T) {
	f, c, ops := loaded(t, func(*fake) {})
	effects := watching(t, c.cfg.Clock, f.address)
	var last atomic.Int64
	last.Store(-1)
	d := AwaitDrain(t.Context(), DrainConfig{
		Client: c, Effects: effects, Operations: ops, Progress: func(n int) { last.Store(int64(n)) },
	})
	require.Empty(t, d.Pending)
	list := effects.List()
	require.Equal(t, list[len(list)-1].At, d.At)
	require.Zero(t, last.Load())
}

func TestDrainReadsPagesWhereNoEffectWasHeardOf(t *testing.T) {
	f, c, ops := loaded(t, func(f *fake) { f.mute = true })
	d := AwaitDrain(t.Context(), DrainConfig{Client: c, Effects: watching(t, c.cfg.Clock, f.address), Operations: ops})
	require.Empty(t, d.Pending)
	require.Positive(t, d.At)
}

// TestDrainIsGivenUp hides from the pages what one acknowledged write of each kind did.
func TestDrainIsGivenUp(t *testing.T) {
	for _, op := range []string{CreatePost, UpdatePost, CreateComment, Subscribe} {
		t.Run(op, func(t *testing.T) {
			f, c, ops := loaded(t, func(f *fake) { f.mute = true })
			missing := lastOf(ops, op)
			f.set(func() {
				f.hidden[missing.ID] = op != UpdatePost
				f.stale[missing.ID] = op == UpdatePost
			})
			d := AwaitDrain(t.Context(), DrainConfig{
				Client: c, Effects: watching(t, c.cfg.Clock, f.address), Operations: ops, Timeout: time.Second,
			})
			require.Zero(t, d.At)
			require.Contains(t, d.Pending, missing)
			for _, o := range d.Pending {
				require.True(t, o.ID == missing.ID || o.PostID == missing.ID, "%+v", o)
			}
		})
	}
}

// TestDrainOfWhatIsDeletedAgain: nothing shows any more of a post that was written to and then deleted, and none of its effects
// was heard of.
func TestDrainOfWhatIsDeletedAgain(t *testing.T) {
	f, c, _ := preloaded(t, time.Second)
	f.set(func() { f.mute = true })
	var ops []*history.Operation
	ids := newRand(1, streamRequestIDs)
	for i, op := range []string{UpdatePost, CreateComment, DeletePost} {
		p := Planned{Index: int64(i), Op: op, RequestID: requestID(ids), Author: "ada", Title: "A title", Body: "A body."}
		ops = append(ops, c.Do(t.Context(), &p, Due{Intended: c.cfg.Clock.Now()}))
		require.Equal(t, history.OK, ops[i].Outcome)
	}
	cfg := DrainConfig{Client: c, Effects: NewEffects(), Operations: ops, Timeout: patient}
	d := AwaitDrain(t.Context(), cfg)
	require.Empty(t, d.Pending)
	require.Positive(t, d.At)

	cfg.Operations, cfg.Timeout = ops[:2], time.Second // nobody asked for the deletion: then what is missing is missing
	require.Len(t, AwaitDrain(t.Context(), cfg).Pending, 2)
}

// lastOf returns the last operation of a kind; of comments one that is shown.
func lastOf(ops []*history.Operation, op string) *history.Operation {
	for _, o := range slices.Backward(ops) {
		if o.Op == op && !o.Blocked {
			return o
		}
	}
	return nil
}

func TestDrainOfNothingIsDone(t *testing.T) {
	_, c, _ := preloaded(t, time.Second)
	d := AwaitDrain(t.Context(), DrainConfig{Client: c, Effects: NewEffects(), Operations: []*history.Operation{
		{Op: GetPost, Outcome: history.OK}, {Op: CreatePost, Outcome: history.Unknown}, {Op: CreatePost, Outcome: history.Fail},
		{Op: Unsubscribe, Outcome: history.OK, Aggregate: history.Author, ID: "nobody"},
	}})
	require.Empty(t, d.Pending)
	require.Positive(t, d.At)
}

// finals indexes finals and requires that there is one at most of each thing in each view.
func finals(t testing.TB, list []history.Final) map[history.View]map[string]history.Final {
	by := map[history.View]map[string]history.Final{history.ViewStore: {}, history.ViewPage: {}}
	for _, f := range list {
		_, twice := by[f.View][f.ID]
		require.False(t, twice, "%+v", f)
		by[f.View][f.ID] = f
	}
	require.Len(t, by[history.ViewPage], len(by[history.ViewStore]), "each thing is looked at in both views")
	return by
}

func TestObserveSeesWhatWasWritten(t *testing.T) {
	_, c, ops := loaded(t, func(*fake) {})
	list, err := Observe(t.Context(), c, ops, 20)
	require.NoError(t, err)
	by := finals(t, list)
	deleted := map[string]bool{}
	for _, o := range ops {
		if o.Op == DeletePost {
			deleted[o.ID] = true
		}
	}
	require.NotEmpty(t, deleted)
	for _, o := range ops {
		if o.Phase != history.PhaseLoad || !o.IsWrite() {
			continue
		}
		store, page := by[history.ViewStore][o.ID], by[history.ViewPage][o.ID]
		require.Equal(t, !deleted[o.ID], store.Present, "%+v", o)
		require.Equal(t, !deleted[o.ID] && !o.Blocked, page.Present, "%+v", o)
		if o.Op == CreateComment {
			require.Equal(t, o.Status, store.Status)
			require.Equal(t, o.PostID, store.PostID)
		}
		if o.Ref != "" {
			require.Equal(t, o.Ref, store.Ref)
			require.True(t, o.Blocked || o.Ref == page.Ref)
		}
		if o.Aggregate == history.Post && !deleted[o.ID] {
			require.GreaterOrEqual(t, store.Version, o.Version)
			if o.Version == store.Version {
				require.Equal(t, []string{o.Text, o.Text}, []string{store.Text, page.Text}, "%+v", o)
			}
			author := by[history.ViewPage][page.Author]
			require.Equal(t, author.Count, page.Subscribers)
			require.True(t, !page.InFeed || page.FeedComments == page.Count && page.FeedSubscribers == author.Count, "%+v", page)
			require.True(t, o.Op != CreatePost || page.InFeed, "%+v", page)
			require.Equal(t, by[history.ViewStore][page.Author].List, author.List)
			require.Positive(t, author.Posts)
		}
		require.True(t, o.Aggregate != history.Comment || deleted[o.PostID] || o.Text == store.Text)
		require.Equal(t, store.Count, page.Count)
	}
}

// TestObserveReadsAnAuthorsList: a post is missing from one author's page, and from no other list.
func TestObserveReadsAnAuthorsList(t *testing.T) {
	f, c, ops := loaded(t, func(*fake) {})
	created := lastOf(ops, CreatePost)
	f.set(func() { f.hidden[created.ID] = true })
	list, err := Observe(t.Context(), c, ops, 0)
	require.NoError(t, err)
	by := finals(t, list)
	store, page := by[history.ViewStore][created.Author], by[history.ViewPage][created.Author]
	require.Equal(t, store.Posts, page.Posts+1)
	require.NotEqual(t, store.List, page.List)
}

// TestObserveReadsAllPages: the most commented post has more comments than one page holds.
func TestObserveReadsAllPages(t *testing.T) {
	f, c, ops := preloaded(t, time.Second)
	id := c.postIDs[c.cfg.World.byRank[0]]
	for i := range 150 {
		p := &Planned{
			Op: CreateComment, Post: c.cfg.World.byRank[0], Comment: -1, RequestID: requestID(newRand(1, uint64(i))),
			Author: "a", Body: "text" + mark(newRef(1, uint64(1<<20+i))),
		}
		ops = append(ops, c.Do(t.Context(), p, Due{Intended: c.cfg.Clock.Now()}))
	}
	list, err := Observe(t.Context(), c, ops, 0)
	require.NoError(t, err)
	by := finals(t, list)
	want := len(f.commentsOf(id, false, 0))
	require.Greater(t, want, 150)
	require.Len(t, by[history.ViewStore], want+1)
	for _, f := range by[history.ViewStore] {
		require.True(t, f.Present, "%+v", f)
		require.Equal(t, f.Status != "REJECTED", by[history.ViewPage][f.ID].Present, "%+v", f)
	}
	require.Equal(t, by[history.ViewStore][id].Count, by[history.ViewPage][id].Count)
}

// TestObserveFindsReviewsForNobody: of two comments without an answer one was stored, and of the other only the review was done.
func TestObserveFindsReviewsForNobody(t *testing.T) {
	_, c, ops := loaded(t, func(*fake) {})
	stored := lastOf(ops, CreateComment)
	stored.Outcome = history.Unknown
	lost := &history.Operation{
		Phase: history.PhaseLoad, Op: CreateComment, Outcome: history.Unknown, RequestID: requestID(newRand(9, 9)), Ref: "r", PostID: stored.PostID,
	}
	list, err := Observe(t.Context(), c, append(ops, lost), 0)
	require.NoError(t, err)
	reviewed := slices.DeleteFunc(list, func(f history.Final) bool { return f.View != history.ViewReview })
	require.Equal(t, []history.Final{{
		View: history.ViewReview, Aggregate: history.Comment, ID: rules.NewID("comment", lost.RequestID), Ref: "r", PostID: stored.PostID, Present: true,
	}}, reviewed)
}

func TestObserveNotices(t *testing.T) {
	tests := map[string]func(t *testing.T, f *fake, ops []*history.Operation) (view history.View, id string, present bool){
		"a post that the store lost": func(_ *testing.T, f *fake, ops []*history.Operation) (history.View, string, bool) {
			lost := lastOf(ops, CreatePost)
			p := f.find(lost.ID)
			f.posts = slices.DeleteFunc(f.posts, func(q *blogv1.Post) bool { return q == p })
			return history.ViewStore, lost.ID, false
		},
		"a post that the pages lack": func(_ *testing.T, f *fake, ops []*history.Operation) (history.View, string, bool) {
			lost := lastOf(ops, CreatePost)
			f.hidden[lost.ID] = true
			return history.ViewPage, lost.ID, false
		},
		"a post that the feed lacks": func(_ *testing.T, f *fake, ops []*history.Operation) (history.View, string, bool) {
			lost := lastOf(ops, CreatePost)
			f.unlisted[lost.ID] = true
			return history.ViewPage, lost.ID, false
		},
		"a comment that the pages lack": func(_ *testing.T, f *fake, ops []*history.Operation) (history.View, string, bool) {
			lost := lastOf(ops, CreateComment)
			f.hidden[lost.ID] = true
			return history.ViewPage, lost.ID, false
		},
		"a comment that the store lost": func(_ *testing.T, f *fake, ops []*history.Operation) (history.View, string, bool) {
			lost := lastOf(ops, CreateComment)
			f.comments = slices.DeleteFunc(f.comments, func(c *blogv1.Comment) bool { return c.GetId() == lost.ID })
			return history.ViewStore, lost.ID, false
		},
		"a doubled post": func(t *testing.T, f *fake, ops []*history.Operation) (history.View, string, bool) {
			first := f.find(lastOf(ops, CreatePost).ID)
			double := &blogv1.Post{Id: "double", Author: first.GetAuthor(), Title: first.GetTitle(), Version: 1}
			f.posts = append(f.posts, double)
			require.NotEmpty(t, RefIn(double.GetTitle()))
			return history.ViewStore, "double", true
		},
		"a doubled comment": func(_ *testing.T, f *fake, ops []*history.Operation) (history.View, string, bool) {
			last := f.comments[len(f.comments)-1]
			f.comments = append(f.comments, &blogv1.Comment{
				Id: "double", PostId: lastOf(ops, CreateComment).PostID, Body: last.GetBody(), Status: 2,
			})
			return history.ViewPage, "double", true
		},
		"a deletion that was undone": func(_ *testing.T, f *fake, ops []*history.Operation) (history.View, string, bool) {
			back := lastOf(ops, DeletePost)
			f.posts = append([]*blogv1.Post{{Id: back.ID, Title: "back"}}, f.posts...)
			return history.ViewPage, back.ID, true
		},
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			f, c, ops := loaded(t, func(*fake) {})
			var view history.View
			var id string
			var present bool
			f.set(func() { view, id, present = spoil(t, f, ops) })
			list, err := Observe(t.Context(), c, ops, 0)
			require.NoError(t, err)
			final, seen := finals(t, list)[view][id]
			require.True(t, seen)
			require.Equal(t, present, final.Present)
		})
	}
}

// TestObserveFindsWhatHadNoAnswer: the reply to a post's creation was lost, and the feed shows it.
func TestObserveFindsWhatHadNoAnswer(t *testing.T) {
	var once sync.Once
	_, c, ops := loaded(t, func(f *fake) {
		f.after = func(rpc string) (err error) {
			if rpc == CreatePost {
				once.Do(func() { err = status.Error(codes.Unavailable, "gone") })
			}
			return err
		}
	})
	i := slices.IndexFunc(ops, func(o *history.Operation) bool { return o.Outcome == history.Unknown })
	require.Empty(t, ops[i].ID)
	list, err := Observe(t.Context(), c, ops, 0)
	require.NoError(t, err)
	for _, view := range []history.View{history.ViewStore, history.ViewPage} {
		require.True(t, slices.ContainsFunc(list, func(f history.Final) bool {
			return f.View == view && f.Ref == ops[i].Ref && f.Present
		}), view)
	}
}

func TestObserveTriesAgain(t *testing.T) {
	var calls atomic.Int64
	f, c, ops := loaded(t, func(*fake) {})
	f.set(func() {
		f.before = func(string) error {
			if calls.Add(1)%7 == 0 {
				return status.Error(codes.Unavailable, "gone")
			}
			return nil
		}
	})
	list, err := Observe(t.Context(), c, ops, 10)
	require.NoError(t, err)
	finals(t, list)
}

func TestObserveSaysWhoDoesNotAnswer(t *testing.T) {
	f, c, ops := preloaded(t, time.Second)
	f.set(func() {
		f.before = func(string) error { return status.Error(codes.PermissionDenied, "no entry") }
	})
	_, err := read(t.Context(), patience(100*time.Millisecond), c.listFeed, nil)
	require.ErrorContains(t, err, "see the log of the service")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = Observe(ctx, c, ops, 1)
	require.ErrorContains(t, err, "list posts")
}

func TestReadTakesNoPageWithPartsMissing(t *testing.T) {
	calls := 0
	page := func(context.Context, int) (*blogv1.GetAuthorPageResponse, error) {
		calls++
		if calls < 3 {
			return &blogv1.GetAuthorPageResponse{DegradedFields: []string{"posts"}}, nil
		}
		return &blogv1.GetAuthorPageResponse{SubscriberCount: 4}, nil
	}
	got, err := read(t.Context(), patience(patient), page, 0)
	require.NoError(t, err)
	require.EqualValues(t, 4, got.GetSubscriberCount())
	calls = 0
	_, err = read(t.Context(), once, page, 0)
	require.True(t, strings.Contains(err.Error(), "lacks posts"), err)
}
