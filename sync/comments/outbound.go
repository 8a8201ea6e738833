package main

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/problem"
	"tandem/shared/rules"
	"tandem/shared/store"
	"tandem/sync/internal/peer"
)

// pendingSchema finds the comments that wait for their verdict: those that are PENDING, which is 1. Only the level fallback makes
// some.
const pendingSchema = `CREATE INDEX IF NOT EXISTS comments_pending ON comments (create_us) WHERE status = 1;`

// postExists asks posts whether a post is there: NotFound if it is not.
func (s *server) postExists(ctx context.Context, postID string) error {
	_, err := peer.Call(ctx, s.posts, blogv1.PostsServiceClient.GetPost, &blogv1.GetPostRequest{Id: postID})
	return problem.FromStatus("look up the post", err)
}

// review asks moderation for the verdict on a comment. Its request id follows from the comment's, as that does from the user's: a
// comment that is sent again after a lost answer gets the verdict that it got before.
func (s *server) review(ctx context.Context, c *blogv1.Comment) (*blogv1.Verdict, error) {
	reply, err := peer.Call(ctx, s.moderation, blogv1.ModerationServiceClient.ReviewComment, &blogv1.ReviewCommentRequest{
		RequestId: rules.NewID("review", c.GetId()), CommentId: c.GetId(), Body: c.GetBody(),
	})
	return reply.GetVerdict(), problem.FromStatus("have the comment reviewed", err)
}

const (
	// reviewAgain is the pause before a verdict that could not be had is asked for again.
	reviewAgain = 250 * time.Millisecond
	// reviewTimeout bounds one question: nobody waits for it who has a deadline.
	reviewTimeout = time.Second
	// reviewBatch is how many comments are looked up at once.
	reviewBatch = 100
)

// reviewPending has the comments reviewed that were accepted without a verdict, oldest first and one at a time, until ctx ends.
// While there are none it sleeps. It runs below the level fallback too, for what a run at that level has left; not at naive,
// where it would wait for moderation even while the service stops.
func (s *server) reviewPending(ctx context.Context) error {
	for s.level > peer.Naive {
		wait := s.pending
		var again <-chan time.Time
		if err := s.reviewAll(ctx); err != nil {
			s.log.Debug("comments wait for moderation", "err", err.Error())
			wait, again = nil, time.After(reviewAgain)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wait:
		case <-again:
		}
	}
	return nil
}

func (s *server) wakeReviewer() {
	select {
	case s.pending <- struct{}{}:
	default: // it is awake already
	}
}

// reviewAll decides every comment that waits, up to the first that moderation has no verdict on just now.
func (s *server) reviewAll(ctx context.Context) error {
	for {
		comments, err := oldestPending(ctx, s.db)
		if err != nil || len(comments) == 0 {
			return err
		}
		for _, c := range comments {
			if err := s.reviewLate(ctx, c); err != nil {
				return err
			}
		}
	}
}

func (s *server) reviewLate(ctx context.Context, c *blogv1.Comment) error {
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	verdict, err := s.review(ctx, c)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *store.Tx) error {
		_, _, err := store.DecideComment(tx, c.GetId(), verdict.GetApproved(), verdict.GetReason())
		return err
	})
}

// oldestPending returns some of the comments that wait for their verdict: their ids and texts.
func oldestPending(ctx context.Context, r store.Reader) (comments []*blogv1.Comment, err error) {
	rows, err := store.Query(ctx, r, `SELECT id, body FROM comments WHERE status = 1 ORDER BY create_us LIMIT ?`, reviewBatch)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		c := &blogv1.Comment{}
		comments = append(comments, c)
		return rows.Scan(&c.Id, &c.Body)
	})
	if err != nil {
		return nil, fmt.Errorf("find comments without a verdict: %w", err)
	}
	return comments, nil
}
