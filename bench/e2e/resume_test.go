package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"tandem/bench/cluster"
	"tandem/bench/load"
	blogv1 "tandem/proto/blog/v1"
)

// resumeBound is generous, for the machine may be busy. What is hoped for is 1 s; the log tells what it was.
const resumeBound = 5 * time.Second

// TestResume: a comment written once a killed part is SERVING again goes its whole way (comments, moderation, comments, query)
// in no time, though there is a backlog. A consumer that waited for somebody's session to end would need many seconds.
func TestResume(t *testing.T) {
	c := start(t, cluster.Config{Stack: cluster.Async})
	writing := &traffic{blog: connect(t, c), clock: load.NewClock(), seed: seed(t), gap: 50 * time.Millisecond}
	stop := writing.inBackground(t, 3)
	writing.awaitAcknowledged(t, 10)
	for _, victim := range []string{"query", "comments", "moderation", cluster.Broker} {
		t.Run(victim, func(t *testing.T) {
			post := createPost(t, connect(t, c))
			kill(t, c, victim)
			acked := len(writing.operations())
			if victim != "comments" { // while it is down every writer soon waits to comment
				writing.awaitAcknowledged(t, acked+10)
			}
			restart(t, c, victim)
			serving := time.Now()
			showsComment(t, connect(t, c), post, serving.Add(resumeBound))
			t.Logf("a comment written after the restart of %s showed %v after SERVING", victim,
				time.Since(serving).Round(time.Millisecond))
		})
	}
	stop()
}

// createPost creates a post that query shows.
func createPost(t *testing.T, b blog) (id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	reply, err := b.posts.CreatePost(ctx, &blogv1.CreatePostRequest{
		RequestId: uuid.NewString(), Author: "ada", Title: "A title", Body: "A body.",
	})
	require.NoError(t, err)
	id = reply.GetPost().GetId()
	require.Eventually(t, func() bool {
		_, err := b.query.GetPostPage(ctx, &blogv1.GetPostPageRequest{PostId: id})
		return err == nil
	}, bound, lookAgain)
	return id
}

// showsComment writes a comment, and demands that it shows before a deadline.
func showsComment(t *testing.T, b blog, postID string, deadline time.Time) {
	t.Helper()
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	reply, err := b.comments.CreateComment(ctx, &blogv1.CreateCommentRequest{
		RequestId: uuid.NewString(), PostId: postID, Author: "bob", Body: "A comment.",
	})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		page, err := b.query.GetPostPage(ctx, &blogv1.GetPostPageRequest{PostId: postID})
		comments := page.GetComments()
		return err == nil && len(comments) > 0 && comments[0].GetId() == reply.GetComment().GetId()
	}, time.Until(deadline), lookAgain, "the comment does not show")
}
