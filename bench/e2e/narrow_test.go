package e2e

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"tandem/bench/cluster"
	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/trouble"
)

// TestNarrowModeration: a bottleneck is there for calls and for events, and after a restart too.
func TestNarrowModeration(t *testing.T) {
	size := trouble.Bottleneck{AtOnce: 1, Takes: 300 * time.Millisecond, Queue: 10}
	for _, stack := range []string{cluster.Sync, cluster.Async} {
		t.Run(stack, func(t *testing.T) {
			c := start(t, cluster.Config{Stack: stack, Narrow: map[string]string{"moderation": size.String()}})
			b := connect(t, c)
			requireNarrow(t, b, size.Takes)
			require.NoError(t, c.Kill(t.Context(), "moderation"))
			_, err := c.Restart(t.Context(), "moderation")
			require.NoError(t, err)
			requireNarrow(t, b, size.Takes)
		})
	}
}

// requireNarrow has a comment decided, which takes the bottleneck's time at least.
func requireNarrow(t *testing.T, b blog, takes time.Duration) {
	t.Helper()
	post, err := b.posts.CreatePost(t.Context(), &blogv1.CreatePostRequest{RequestId: uuid.NewString(), Author: "ann", Title: "t", Body: "b"})
	require.NoError(t, err)
	var begin time.Time
	require.Eventually(t, func() bool { // connections come back first
		begin = time.Now()
		_, err := b.comments.CreateComment(t.Context(), &blogv1.CreateCommentRequest{
			RequestId: uuid.NewString(), PostId: post.GetPost().GetId(), Author: "bob", Body: "fine",
		})
		return err == nil
	}, patience, 10*time.Millisecond)
	require.Eventually(t, func() bool {
		page, err := b.query.GetPostPage(t.Context(), &blogv1.GetPostPageRequest{PostId: post.GetPost().GetId()})
		return err == nil && len(page.GetComments()) > 0
	}, patience, 10*time.Millisecond)
	require.GreaterOrEqual(t, time.Since(begin), takes)
}
