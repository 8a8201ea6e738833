package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tandem/async/internal/bus"
	blogv1 "tandem/proto/blog/v1"
	eventv1 "tandem/proto/event/v1"
	"tandem/shared/problem"
	"tandem/shared/service"
	"tandem/shared/store"
)

// bound is how long a test waits for what has to happen; nothing takes that long unless it is broken.
const bound = 10 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// replying is a comments service that no broker reaches, which answers once a verdict has come.
func replying(t *testing.T) *server {
	s := &server{log: slog.New(slog.DiscardHandler), replies: newReplies()}
	var err error
	s.db, err = store.Open(t.Context(), store.Options{
		Path: filepath.Join(t.TempDir(), "comments.db"), Sync: "normal", OnCommit: s.replies.wake,
		Schema: []string{store.CommentsSchema, inboundSchema, bus.Schema},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.db.Close()) })
	s.bus = bus.AddFlags(service.NewFlags("comments", "127.0.0.1:0").Set).New(bus.Config{Service: "comments", Topic: bus.Comments, DB: s.db, Log: s.log})
	post := &eventv1.PostCreated{PostId: uuid.NewString()}
	require.NoError(t, s.bus.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return s.onPostCreated(ctx, tx, post) }))
	return s
}

func newRequest() *blogv1.CreateCommentRequest {
	return &blogv1.CreateCommentRequest{RequestId: uuid.NewString(), PostId: uuid.NewString(), Author: "bob", Body: "Apples."}
}

// answer is how a call of CreateComment ended.
type answer struct {
	comment *blogv1.Comment
	err     error
}

func create(ctx context.Context, s *server, req *blogv1.CreateCommentRequest) <-chan answer {
	ended := make(chan answer, 1)
	go func() {
		reply, err := s.CreateComment(ctx, req)
		ended <- answer{reply.GetComment(), err}
	}()
	return ended
}

// waits returns on which comment callers wait, once that many do.
func (r *replies) waits(t *testing.T, callers int) (id string) {
	require.Eventually(t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for comment, all := range r.waiting {
			id = comment
			return len(all) == callers
		}
		return false
	}, bound, time.Millisecond)
	return id
}

// verdict is moderation's, which also says that there is such a post.
func verdict(t *testing.T, s *server, postID, id string, approved bool) {
	require.NoError(t, s.bus.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		if err := s.onPostCreated(ctx, tx, &eventv1.PostCreated{PostId: postID}); err != nil {
			return err
		}
		return s.onCommentModerated(ctx, tx, &eventv1.CommentModerated{CommentId: id, Approved: approved, Reason: "so"})
	}))
}

func TestAnswersOnceDecided(t *testing.T) {
	for name, want := range map[string]blogv1.CommentStatus{
		"approved": blogv1.CommentStatus_COMMENT_STATUS_APPROVED, "rejected": blogv1.CommentStatus_COMMENT_STATUS_REJECTED,
	} {
		t.Run(name, func(t *testing.T) {
			s, req := replying(t), newRequest()
			ctx, cancel := context.WithTimeout(t.Context(), bound)
			defer cancel()
			first, again := create(ctx, s, req), create(ctx, s, req) // a caller and its retry
			id := s.replies.waits(t, 2)
			verdict(t, s, req.GetPostId(), id, name == "approved")
			for _, ended := range []<-chan answer{first, again} {
				a := <-ended
				require.NoError(t, a.err)
				require.Equal(t, want, a.comment.GetStatus())
			}
			require.Empty(t, s.replies.waiting)
			a := <-create(ctx, s, req)
			require.NoError(t, a.err)
			require.Equal(t, want, a.comment.GetStatus(), "a retry after the verdict need not wait")
		})
	}
}

// TestVerdictTooLate: the answer says that the comment is stored, and it is.
func TestVerdictTooLate(t *testing.T) {
	s, req := replying(t), newRequest()
	ctx, cancel := context.WithTimeout(t.Context(), 5*keptBack)
	defer cancel()
	a := <-create(ctx, s, req)
	require.Equal(t, problem.DeadlineExceeded, problem.KindOf(a.err))
	require.ErrorContains(t, a.err, "is stored, and no verdict on it came in time")
	require.Empty(t, s.replies.waiting)
	stored, err := store.Replay[blogv1.CreateCommentResponse](t.Context(), s.db, req.GetRequestId())
	require.NoError(t, err)
	require.Equal(t, blogv1.CommentStatus_COMMENT_STATUS_PENDING, stored.GetComment().GetStatus())
}

func TestCallerGivesUp(t *testing.T) {
	s := replying(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := create(ctx, s, newRequest())
	s.replies.waits(t, 1)
	cancel()
	a := <-ended
	require.Equal(t, problem.Canceled, problem.KindOf(a.err))
	require.Empty(t, s.replies.waiting)
}

// TestAcceptsAtOnceUnlessToldOtherwise: nobody waits for moderation by default.
func TestAcceptsAtOnceUnlessToldOtherwise(t *testing.T) {
	s := replying(t)
	s.replies = nil
	a := <-create(t.Context(), s, newRequest())
	require.NoError(t, a.err)
	require.Equal(t, blogv1.CommentStatus_COMMENT_STATUS_PENDING, a.comment.GetStatus())
}

// TestPatience: within the deadline, and bounded without one.
func TestPatience(t *testing.T) {
	require.Equal(t, longestWait, patienceOf(context.Background()))
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	require.LessOrEqual(t, patienceOf(ctx), time.Hour-keptBack)
}

func TestReplyAfterVerdictNeedsTheOutbox(t *testing.T) {
	args := []string{"--level", "direct", "--reply-after-verdict", "--data", t.TempDir()}
	require.ErrorContains(t, run(t.Context(), args, t.Output()), "use level outbox or above")
}
