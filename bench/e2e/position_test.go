package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"tandem/bench/cluster"
	blogv1 "tandem/proto/blog/v1"
)

// waitingFor asks the async stack's query to wait until its pages show a write, given the header of that write's reply.
func waitingFor(t *testing.T, header metadata.MD) context.Context {
	t.Helper()
	require.Len(t, header.Get("tandem-position"), 1)
	return metadata.AppendToOutgoingContext(withDeadline(t), "tandem-wait-for", header.Get("tandem-position")[0])
}

// TestReadYourWritesOnRequest: the async stack promises nobody to read their own writes at once, and does it for those who hand
// back the position that a write answered with.
func TestReadYourWritesOnRequest(t *testing.T) {
	c := start(t, cluster.Config{Stack: cluster.Async})
	b := connect(t, c)
	author := "ada"
	for n := range 30 {
		header := metadata.MD{}
		created, err := b.posts.CreatePost(withDeadline(t), &blogv1.CreatePostRequest{
			RequestId: uuid.NewString(), Author: author, Title: "A title", Body: "A body.",
		}, grpc.Header(&header))
		require.NoError(t, err)
		id := created.GetPost().GetId()
		page := &blogv1.GetPostPageRequest{PostId: id}
		_, err = b.query.GetPostPage(waitingFor(t, header), page)
		require.NoError(t, err)

		_, err = b.posts.UpdatePost(withDeadline(t), &blogv1.UpdatePostRequest{
			RequestId: uuid.NewString(), Id: id, Title: "A new title", Body: "A body.",
		}, grpc.Header(&header))
		require.NoError(t, err)
		got, err := b.query.GetPostPage(waitingFor(t, header), page)
		require.NoError(t, err)
		require.Equal(t, "A new title", got.GetPost().GetTitle())

		request := &blogv1.CreateCommentRequest{RequestId: uuid.NewString(), PostId: id, Author: "bob", Body: "Apples."}
		for range 2 { // the second reply is the first one once more, and so is its position
			_, err = b.comments.CreateComment(withDeadline(t), request, grpc.Header(&header))
			require.NoError(t, err)
			got, err = b.query.GetPostPage(waitingFor(t, header), page)
			require.NoError(t, err)
			require.Len(t, got.GetComments(), 1)
		}

		_, err = b.subscriptions.Subscribe(withDeadline(t), &blogv1.SubscribeRequest{
			RequestId: uuid.NewString(), Author: author, Follower: fmt.Sprintf("reader%d", n),
		}, grpc.Header(&header))
		require.NoError(t, err)
		standing, err := b.query.GetAuthorPage(waitingFor(t, header), &blogv1.GetAuthorPageRequest{Author: author})
		require.NoError(t, err)
		require.EqualValues(t, n+1, standing.GetSubscriberCount())

		_, err = b.posts.DeletePost(withDeadline(t), &blogv1.DeletePostRequest{RequestId: uuid.NewString(), Id: id}, grpc.Header(&header))
		require.NoError(t, err)
		_, err = b.query.GetPostPage(waitingFor(t, header), page)
		require.Equal(t, codes.NotFound, status.Code(err), "%v", err)
	}
}

// TestReadYourWritesIsBounded: while the broker is down the page says that it cannot show the write, within the deadline; and shows
// what it has to those who do not ask.
func TestReadYourWritesIsBounded(t *testing.T) {
	c := start(t, cluster.Config{Stack: cluster.Async})
	b := connect(t, c)
	before := createPost(t, b)
	kill(t, c, cluster.Broker)
	header := metadata.MD{}
	_, err := b.posts.UpdatePost(withDeadline(t), &blogv1.UpdatePostRequest{
		RequestId: uuid.NewString(), Id: before, Title: "A new title", Body: "A body.",
	}, grpc.Header(&header))
	require.NoError(t, err)
	page := &blogv1.GetPostPageRequest{PostId: before}
	require.Eventually(t, func() bool { // a busy machine may not have the answer ready within the deadline
		ctx, cancel := context.WithTimeout(waitingFor(t, header), 500*time.Millisecond)
		defer cancel()
		_, err := b.query.GetPostPage(ctx, page)
		require.Contains(t, []codes.Code{codes.Unavailable, codes.DeadlineExceeded}, status.Code(err))
		return strings.Contains(err.Error(), "the read model has not come to post:"+before+"@2 yet")
	}, bound, lookAgain)
	got, err := b.query.GetPostPage(withDeadline(t), page)
	require.NoError(t, err)
	require.Equal(t, "A title", got.GetPost().GetTitle())
	restart(t, c, cluster.Broker)
	require.Eventually(t, func() bool { // without a deadline of its own a page waits for 2 s
		got, err = b.query.GetPostPage(waitingFor(t, header), page)
		return err == nil
	}, bound, lookAgain)
	require.Equal(t, "A new title", got.GetPost().GetTitle())
	_, err = b.query.GetPostPage(metadata.AppendToOutgoingContext(withDeadline(t), "tandem-wait-for", "yesterday"), page)
	require.Equal(t, codes.InvalidArgument, status.Code(err))
	require.ErrorContains(t, err, "tandem-wait-for must be what a write answered in tandem-position")
}
