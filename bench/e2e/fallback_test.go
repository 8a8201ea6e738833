package e2e

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tandem/bench/check"
	"tandem/bench/cluster"
	"tandem/bench/load"
	"tandem/bench/measure"
	"tandem/bench/scenario"
	blogv1 "tandem/proto/blog/v1"
)

const fallback = "fallback"

// withDeadline is the deadline of a user.
func withDeadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	t.Cleanup(cancel)
	return ctx
}

func comment(t *testing.T, b blog, post, body string) (*blogv1.CreateCommentResponse, error) {
	t.Helper()
	return b.comments.CreateComment(withDeadline(t), &blogv1.CreateCommentRequest{
		RequestId: uuid.NewString(), PostId: post, Author: "bob", Body: body,
	})
}

// TestFallbackWithoutModeration: comments are accepted while moderation is down, at once and at the level fallback only; they
// outlive their own service, and are decided once moderation is back.
func TestFallbackWithoutModeration(t *testing.T) {
	c := start(t, cluster.Config{Stack: cluster.Sync, SyncLevel: fallback})
	b := connect(t, c)
	post := createPost(t, b)
	kill(t, c, "moderation")
	statuses := map[string]blogv1.CommentStatus{}
	for range 15 {
		for body, want := range map[string]blogv1.CommentStatus{
			"Apples.": blogv1.CommentStatus_COMMENT_STATUS_APPROVED, "An orange.": blogv1.CommentStatus_COMMENT_STATUS_REJECTED,
		} {
			reply, err := comment(t, b, post, body)
			require.NoError(t, err)
			require.True(t, reply.GetDegraded())
			require.Equal(t, blogv1.CommentStatus_COMMENT_STATUS_PENDING, reply.GetComment().GetStatus())
			statuses[reply.GetComment().GetId()] = want
		}
	}
	kill(t, c, "comments")
	restart(t, c, "comments")
	restart(t, c, "moderation")
	b = connect(t, c)
	for id, want := range statuses {
		require.Eventually(t, func() bool {
			got, err := b.comments.GetComment(withDeadline(t), &blogv1.GetCommentRequest{Id: id})
			return err == nil && got.GetComment().GetStatus() == want
		}, bound, lookAgain)
	}
	page, err := b.query.GetPostPage(withDeadline(t), &blogv1.GetPostPageRequest{PostId: post})
	require.NoError(t, err)
	require.EqualValues(t, len(statuses)/2, page.GetCommentCount())
	require.Eventually(t, func() bool {
		reply, err := comment(t, b, post, "Pears.")
		return err == nil && !reply.GetDegraded()
	}, bound, lookAgain)
}

// TestFallbackPages: while a service that a page can do without is down, the page is there and says what it lacks; once it is back,
// the page is whole. Without posts there is no page.
func TestFallbackPages(t *testing.T) {
	c := start(t, cluster.Config{Stack: cluster.Sync, SyncLevel: fallback})
	b := connect(t, c)
	post := createPost(t, b)
	gaps := func(t *testing.T) (all []string, err error) {
		page, err := b.query.GetPostPage(withDeadline(t), &blogv1.GetPostPageRequest{PostId: post})
		if err != nil {
			return nil, err
		}
		require.Equal(t, post, page.GetPost().GetId())
		feed, err := b.query.ListFeed(withDeadline(t), &blogv1.ListFeedRequest{})
		if err != nil {
			return nil, err
		}
		require.Len(t, feed.GetEntries(), 1)
		author, err := b.query.GetAuthorPage(withDeadline(t), &blogv1.GetAuthorPageRequest{Author: "ada"})
		require.Equal(t, err == nil, len(author.GetPosts()) == 1)
		return append(append(page.GetDegradedFields(), feed.GetDegradedFields()...), author.GetDegradedFields()...), err
	}
	for victim, lacks := range map[string][]string{
		"subscriptions": {"subscriber_count", "entries.subscriber_count", "subscriber_count"},
		"comments":      {"comment_count", "comments", "next_page_token", "entries.comment_count"},
		"moderation":    nil,
	} {
		t.Run(victim, func(t *testing.T) {
			kill(t, c, victim)
			got, err := gaps(t)
			require.NoError(t, err)
			require.ElementsMatch(t, lacks, got)
			restart(t, c, victim)
			require.Eventually(t, func() bool {
				got, err := gaps(t)
				return err == nil && len(got) == 0
			}, bound, lookAgain)
		})
	}
	t.Run("posts", func(t *testing.T) {
		kill(t, c, "posts")
		_, err := gaps(t)
		require.Equal(t, codes.Unavailable, status.Code(err), "%v", err)
		restart(t, c, "posts")
	})
}

// TestFallbackIsJudged runs the whole laboratory at the level fallback, while what can be done without is killed: nothing is lost,
// no comment stays without a verdict, and what is available is what the dependency graph predicts.
func TestFallbackIsJudged(t *testing.T) {
	plan := scenario.DefaultPlan()
	plan.Seed, plan.World = seed(t), load.WorldSize{Posts: 300, Comments: 300, Authors: 20, Subscriptions: 300}
	plan.Steady, plan.Sample = 2*time.Second, 50
	slot := scenario.Slot{Before: 500 * time.Millisecond, For: 3 * time.Second, After: 1300 * time.Millisecond}
	plan.Steps = scenario.Kills(slot, "moderation", "subscriptions", "comments")
	plan.Rate = 100 // services that look for races are slow, and a breaker that opens for that degrades what nothing was done to
	config := complete(t, cluster.Config{Stack: cluster.Sync, SyncLevel: fallback})
	config.Dir = t.ArtifactDir()
	h := carryOut(t, plan, scenario.Lab{Cluster: config})
	result := check.Check(h)
	require.True(t, result.Verdict == check.Valid || result.OnlyDisturbed(), "%q", result.Reasons)
	require.Equal(t, fallback, h.Header.Level)
	for i, f := range measure.Measure(h).Faults {
		for _, op := range f.Ops {
			t.Logf("%s down: %s %d of %d, %d of them degraded", f.Victim, op.Op, op.During.OK, op.During.Intended, op.During.Degraded)
			degradable := map[string][]string{
				"moderation": {load.CreateComment}, "subscriptions": {load.GetPostPage, load.ListFeed, load.GetAuthorPage},
				"comments": {load.GetPostPage, load.ListFeed},
			}[plan.Steps[i].Victim]
			switch {
			case !slices.Contains(degradable, op.Op):
				require.Zero(t, op.During.Degraded, "%s without %s", op.Op, f.Victim)
			case op.During.Intended >= 5:
				require.Positive(t, op.During.Degraded, "%s without %s", op.Op, f.Victim)
			}
		}
	}
}
