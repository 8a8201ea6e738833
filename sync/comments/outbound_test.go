package main

import (
	"context"
	"flag"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	blogv1 "tandem/proto/blog/v1"
	labv1 "tandem/proto/lab/v1"
	"tandem/shared/problem"
	"tandem/shared/rules"
	"tandem/shared/store"
	"tandem/sync/internal/peer"
)

// bound is how long a test waits for what has to happen; nothing takes that long unless it is broken.
const bound = 10 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// callees are posts and moderation, on one loopback server. Every post exists but the one called "gone".
type callees struct {
	blogv1.UnimplementedPostsServiceServer
	blogv1.UnimplementedModerationServiceServer
	address string

	mu        sync.Mutex
	postsAway bool
	review    fault
	verdicts  map[string]bool // by comment id
	requests  map[string]int  // how often each request_id came
}

// fault is what becomes of a review.
type fault string

const (
	none      fault = "none"
	notDone   fault = "not_done"
	replyLost fault = "done_but_reply_lost"
)

const gone = "11111111-1111-4111-8111-111111111111"

func startCallees(t *testing.T) *callees {
	t.Helper()
	c := &callees{review: none, verdicts: map[string]bool{}, requests: map[string]int{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c.address = listener.Addr().String()
	server := grpc.NewServer()
	blogv1.RegisterPostsServiceServer(server, c)
	blogv1.RegisterModerationServiceServer(server, c)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		require.NoError(t, <-served)
	})
	return c
}

func (c *callees) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

func (c *callees) GetPost(_ context.Context, req *blogv1.GetPostRequest) (*blogv1.GetPostResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.postsAway:
		return nil, status.Error(codes.Unavailable, "posts is away")
	case req.GetId() == gone:
		return nil, status.Error(codes.NotFound, "no such post")
	}
	return &blogv1.GetPostResponse{Post: &blogv1.Post{Id: req.GetId()}}, nil
}

func (c *callees) ReviewComment(_ context.Context, req *blogv1.ReviewCommentRequest) (*blogv1.ReviewCommentResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests[req.GetRequestId()]++
	if c.review == notDone {
		return nil, status.Error(codes.Unavailable, "moderation is away")
	}
	verdict := rules.NewPolicy(rules.DefaultBlockedWords).Review(req.GetCommentId(), req.GetBody())
	c.verdicts[req.GetCommentId()] = verdict.GetApproved()
	if c.review == replyLost {
		return nil, status.Error(codes.Unavailable, "the reply is lost")
	}
	return &blogv1.ReviewCommentResponse{Verdict: verdict}, nil
}

// running is a comments service under test, without its process.
type running struct {
	*server
	effects *effects
	stop    func()
}

// effects are what the service says has become visible.
type effects struct {
	mu   sync.Mutex
	told []*labv1.Effect
}

func (e *effects) add(more []*labv1.Effect) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.told = append(e.told, more...)
}

func (e *effects) of(id string) (versions []int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, told := range e.told {
		if told.GetId() == id {
			versions = append(versions, told.GetVersion())
		}
	}
	return versions
}

// start runs the service at a level, on the database in dir, until stop or the end of the test.
func start(t *testing.T, c *callees, level, dir string) running {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	set := flag.NewFlagSet("comments", flag.ContinueOnError)
	peers := peer.AddFlags(set)
	require.NoError(t, set.Parse([]string{"--level", level, "--peers", "posts=" + c.address + ",moderation=" + c.address}))
	seen := &effects{}
	db, err := store.Open(t.Context(), store.Options{
		Path: filepath.Join(dir, "comments.db"), Sync: "normal", Schema: []string{store.CommentsSchema, pendingSchema}, OnCommit: seen.add,
	})
	require.NoError(t, err)
	posts, err := peer.Dial(peers, log, "posts", blogv1.NewPostsServiceClient)
	require.NoError(t, err)
	moderation, err := peer.Dial(peers, log, "moderation", blogv1.NewModerationServiceClient)
	require.NoError(t, err)
	s := &server{db: db, log: log, level: peers.Level, posts: posts, moderation: moderation, pending: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.reviewPending(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-ended)
		require.NoError(t, posts.Close())
		require.NoError(t, moderation.Close())
		require.NoError(t, db.Close())
	})
	t.Cleanup(stop)
	return running{s, seen, stop}
}

func newComment(postID, body string) *blogv1.CreateCommentRequest {
	return &blogv1.CreateCommentRequest{RequestId: uuid.NewString(), PostId: postID, Author: "bob", Body: body}
}

func (r running) create(t *testing.T, req *blogv1.CreateCommentRequest) (*blogv1.CreateCommentResponse, error) {
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	return r.CreateComment(ctx, req)
}

func (r running) stored(t *testing.T, postID string) []*blogv1.Comment {
	t.Helper()
	list, err := r.ListComments(t.Context(), &blogv1.ListCommentsRequest{PostId: postID, PageSize: rules.MaxPage})
	require.NoError(t, err)
	return list.GetComments()
}

func (r running) waitDecided(t *testing.T, id string) *blogv1.Comment {
	t.Helper()
	var c *blogv1.Comment
	require.Eventually(t, func() bool {
		got, err := r.GetComment(t.Context(), &blogv1.GetCommentRequest{Id: id})
		require.NoError(t, err)
		c = got.GetComment()
		return c.GetStatus() != blogv1.CommentStatus_COMMENT_STATUS_PENDING
	}, bound, 10*time.Millisecond)
	return c
}

const (
	pending  = blogv1.CommentStatus_COMMENT_STATUS_PENDING
	approved = blogv1.CommentStatus_COMMENT_STATUS_APPROVED
	rejected = blogv1.CommentStatus_COMMENT_STATUS_REJECTED
)

// TestFallbackWithoutModeration: a comment without a verdict is stored before it is acknowledged, is marked, and gets the verdict
// that moderation has or will have, which is one more effect.
func TestFallbackWithoutModeration(t *testing.T) {
	for _, fault := range []fault{notDone, replyLost} {
		t.Run(string(fault), func(t *testing.T) {
			c := startCallees(t)
			r := start(t, c, "fallback", t.TempDir())
			c.set(func() { c.review = fault })
			for body, want := range map[string]blogv1.CommentStatus{"Apples.": approved, "An orange.": rejected} {
				c.set(func() { c.review = fault })
				req := newComment(uuid.NewString(), body)
				reply, err := r.create(t, req)
				require.NoError(t, err)
				require.True(t, reply.GetDegraded())
				require.Equal(t, pending, reply.GetComment().GetStatus())
				require.Equal(t, reply.GetComment().GetId(), r.stored(t, req.GetPostId())[0].GetId())
				id := reply.GetComment().GetId()
				require.Empty(t, r.effects.of(id))
				c.set(func() { c.review = none })
				decided := r.waitDecided(t, id)
				require.Equal(t, want, decided.GetStatus())
				require.Equal(t, want == rejected, decided.GetReason() != "")
				require.Equal(t, []int64{2}, r.effects.of(id))
				again, err := r.create(t, req)
				require.NoError(t, err)
				require.True(t, again.GetDegraded(), "the same request gets its first result")
			}
			require.Len(t, c.verdicts, 2)
			require.Len(t, c.requests, 2, "every review of a comment has one request_id")
		})
	}
}

// TestNothingIsStoredWithoutAnswers: what a level does not do without is an error, and leaves no trace.
func TestNothingIsStoredWithoutAnswers(t *testing.T) {
	for _, tt := range []struct {
		name, level, postID string
		postsAway           bool
		review              fault
		want                problem.Kind
	}{
		{"moderation_away_at_deadline", "deadline", uuid.NewString(), false, notDone, problem.Unavailable},
		{"reply_lost_at_naive", "naive", uuid.NewString(), false, replyLost, problem.Unavailable},
		{"moderation_away_at_breaker", "breaker", uuid.NewString(), false, notDone, problem.Unavailable},
		{"posts_away_at_fallback", "fallback", uuid.NewString(), true, none, problem.Unavailable},
		{"both_away_at_fallback", "fallback", uuid.NewString(), true, notDone, problem.Unavailable},
		{"unknown_post_and_moderation_away_at_fallback", "fallback", gone, false, notDone, problem.NotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := startCallees(t)
			c.set(func() { c.postsAway, c.review = tt.postsAway, tt.review })
			r := start(t, c, tt.level, t.TempDir())
			req := newComment(tt.postID, "Apples.")
			_, err := r.create(t, req)
			require.Equal(t, tt.want, problem.KindOf(err), "%v", err)
			require.Empty(t, r.stored(t, tt.postID))
			if tt.want != problem.Unavailable {
				return
			}
			c.set(func() { c.postsAway, c.review = false, none })
			require.Eventually(t, func() bool { // the same request may be sent again
				reply, err := r.create(t, req)
				return err == nil && reply.GetComment().GetStatus() == approved && !reply.GetDegraded()
			}, bound, 10*time.Millisecond)
			require.Len(t, r.stored(t, tt.postID), 1)
		})
	}
}

// TestNoAcknowledgementWithoutARow: if the row cannot be stored, being degraded is no excuse.
func TestNoAcknowledgementWithoutARow(t *testing.T) {
	c := startCallees(t)
	c.set(func() { c.review = notDone })
	r := start(t, c, "fallback", t.TempDir())
	require.NoError(t, r.db.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`ALTER TABLE comments RENAME TO elsewhere`)
		return err
	}))
	reply, err := r.create(t, newComment(uuid.NewString(), "Apples."))
	require.Error(t, err)
	require.Nil(t, reply)
}

// TestPendingSurvivesARestart: also one into a level that makes no pending comments.
func TestPendingSurvivesARestart(t *testing.T) {
	c, dir := startCallees(t), t.TempDir()
	c.set(func() { c.review = notDone })
	r := start(t, c, "fallback", dir)
	const comments = reviewBatch + 20
	postID := uuid.NewString()
	for range comments {
		reply, err := r.create(t, newComment(postID, "Apples."))
		require.NoError(t, err)
		require.True(t, reply.GetDegraded())
	}
	r.stop()
	c.set(func() { c.review = none })
	r = start(t, c, "deadline", dir)
	require.Eventually(t, func() bool {
		list, err := r.ListComments(t.Context(), &blogv1.ListCommentsRequest{PostId: postID, Status: approved})
		require.NoError(t, err)
		return list.GetTotalSize() == comments
	}, bound, 10*time.Millisecond)
	left, err := oldestPending(t.Context(), r.db)
	require.NoError(t, err)
	require.Empty(t, left)
}
