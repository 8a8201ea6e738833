package conformance

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/service"
)

const (
	// callTimeout is long: the suite tests what is answered, not how fast.
	callTimeout = 15 * time.Second
	// lookAgain is how often a condition is looked at that holds eventually.
	lookAgain = 10 * time.Millisecond
	// clockSkew is how far the clocks of the services may be from the suite's.
	clockSkew = 5 * time.Second
)

// suite is the connections to one stack.
type suite struct {
	features Features
	conns    map[string]*grpc.ClientConn

	posts         blogv1.PostsServiceClient
	comments      blogv1.CommentsServiceClient
	moderation    blogv1.ModerationServiceClient
	subscriptions blogv1.SubscriptionsServiceClient
	query         blogv1.QueryServiceClient
}

func connect(t *testing.T, target Target) *suite {
	s := &suite{features: target.Features, conns: map[string]*grpc.ClientConn{}}
	for _, svc := range services() {
		require.Contains(t, target.Addresses, svc.name, "Target.Addresses lacks a service")
		conn, err := grpc.NewClient(target.Addresses[svc.name], service.DialOptions()...)
		require.NoError(t, err)
		s.conns[svc.name] = conn
	}
	s.posts = blogv1.NewPostsServiceClient(s.conns["posts"])
	s.comments = blogv1.NewCommentsServiceClient(s.conns["comments"])
	s.moderation = blogv1.NewModerationServiceClient(s.conns["moderation"])
	s.subscriptions = blogv1.NewSubscriptionsServiceClient(s.conns["subscriptions"])
	s.query = blogv1.NewQueryServiceClient(s.conns["query"])
	return s
}

func (s *suite) close() {
	for _, conn := range s.conns {
		_ = conn.Close() // the checks are done with it
	}
}

// method is a method of a generated client.
type method[Q, R any] func(context.Context, Q, ...grpc.CallOption) (R, error)

// try calls an RPC.
func try[Q, R any](m method[Q, R], request Q) (R, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	return m(ctx, request)
}

// must calls an RPC that has to succeed.
func must[Q, R any](t require.TestingT, m method[Q, R], request Q) R {
	reply, err := try(m, request)
	require.NoError(t, err, "%T %v", request, request)
	return reply
}

// eventually demands that check holds: at once if the stack promises ReadYourWrites, otherwise within its bound.
func (s *suite) eventually(t *testing.T, check func(t require.TestingT)) {
	t.Helper()
	if s.features.ReadYourWrites {
		check(t)
		return
	}
	within(t, s.features.Eventually, check)
}

func within(t *testing.T, bound time.Duration, check func(t require.TestingT)) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) { check(c) }, bound, lookAgain)
}

// requireInvalid demands INVALID_ARGUMENT that names exactly these fields, each with a reason.
func requireInvalid(t require.TestingT, err error, fields ...string) {
	requireCode(t, codes.InvalidArgument, err)
	var named []string
	for _, d := range status.Convert(err).Details() {
		bad, ok := d.(*errdetails.BadRequest)
		require.True(t, ok, "unexpected detail %T", d)
		for _, v := range bad.GetFieldViolations() {
			named = append(named, v.GetField())
			require.NotEmpty(t, v.GetDescription(), "no reason is given for %s", v.GetField())
		}
	}
	require.ElementsMatch(t, fields, named, "the fields that BadRequest names; %v", err)
}

// requireCode demands an error of a code, in plain words.
func requireCode(t require.TestingT, want codes.Code, err error) {
	s := status.Convert(err)
	require.Equal(t, want.String(), s.Code().String(), "the error was: %v", err)
	require.Equal(t, want == codes.OK, s.Message() == "", "every error says something")
	require.NotContains(t, s.Message(), "rpc error:", "a peer's error must be told in plain words")
}

func requireSame(t require.TestingT, want, got proto.Message) {
	require.True(t, proto.Equal(want, got), "want %v\n got %v", want, got)
}

// requireTime demands a time in whole microseconds between two moments, give or take the clocks' skew.
func requireTime(t require.TestingT, at *timestamppb.Timestamp, from, to time.Time) {
	require.NoError(t, at.CheckValid())
	require.Zero(t, at.GetNanos()%1000, "times are in whole microseconds, this is %v", at)
	require.WithinRange(t, at.AsTime(), from.Add(-clockSkew), to.Add(clockSkew))
}

// requireAtOnce runs f n times at the same time and demands that each returns nil.
func requireAtOnce(t *testing.T, n int, f func(i int) error) {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

func newID() string { return uuid.NewString() }

// newName returns a name that no other check uses.
func newName() string { return "c-" + uuid.NewString() }

func newPostRequest() *blogv1.CreatePostRequest {
	return &blogv1.CreatePostRequest{RequestId: newID(), Author: newName(), Title: "A title", Body: "A body."}
}

func (s *suite) newPost(t require.TestingT) *blogv1.Post {
	return must(t, s.posts.CreatePost, newPostRequest()).GetPost()
}

// newPostOnPage returns a new post that query shows already.
func (s *suite) newPostOnPage(t *testing.T) *blogv1.Post {
	t.Helper()
	p := s.newPost(t)
	s.eventually(t, func(t require.TestingT) {
		must(t, s.query.GetPostPage, &blogv1.GetPostPageRequest{PostId: p.GetId()})
	})
	return p
}

func newCommentRequest(postID, body string) *blogv1.CreateCommentRequest {
	return &blogv1.CreateCommentRequest{RequestId: newID(), PostId: postID, Author: newName(), Body: body}
}

// newComment returns a new comment with its final status.
func (s *suite) newComment(t *testing.T, postID, body string) *blogv1.Comment {
	t.Helper()
	return s.decided(t, must(t, s.comments.CreateComment, newCommentRequest(postID, body)).GetComment().GetId())
}

// decided waits for the final status of a comment.
func (s *suite) decided(t *testing.T, id string) (c *blogv1.Comment) {
	t.Helper()
	s.eventually(t, func(t require.TestingT) {
		got := must(t, s.comments.GetComment, &blogv1.GetCommentRequest{Id: id}).GetComment()
		require.NotEqual(t, blogv1.CommentStatus_COMMENT_STATUS_PENDING, got.GetStatus())
		c = got
	})
	return c
}

func (s *suite) follow(t require.TestingT, author, follower string) *blogv1.SubscribeResponse {
	return must(t, s.subscriptions.Subscribe,
		&blogv1.SubscribeRequest{RequestId: newID(), Author: author, Follower: follower})
}

func (s *suite) unfollow(t require.TestingT, author, follower string) *blogv1.UnsubscribeResponse {
	return must(t, s.subscriptions.Unsubscribe,
		&blogv1.UnsubscribeRequest{RequestId: newID(), Author: author, Follower: follower})
}

func (s *suite) subscribers(t require.TestingT, author string) int64 {
	return must(t, s.subscriptions.GetSubscriberCount, &blogv1.GetSubscriberCountRequest{Author: author}).GetSubscriberCount()
}

func (s *suite) deletePost(t require.TestingT, id string) {
	must(t, s.posts.DeletePost, &blogv1.DeletePostRequest{RequestId: newID(), Id: id})
}
