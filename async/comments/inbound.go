package main

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"tandem/async/internal/bus"
	blogv1 "tandem/proto/blog/v1"
	eventv1 "tandem/proto/event/v1"
	"tandem/shared/problem"
	"tandem/shared/rules"
	"tandem/shared/store"
)

// inboundSchema is what comments needs to know of others: which posts exist; which comments wait for word of their post; and the
// verdicts on these.
const inboundSchema = `
CREATE TABLE IF NOT EXISTS known_posts (post_id TEXT PRIMARY KEY) WITHOUT ROWID; -- deleted ones too
CREATE TABLE IF NOT EXISTS strays (
  comment_id TEXT PRIMARY KEY,
  post_id TEXT NOT NULL,
  create_us INTEGER NOT NULL, -- Unix time in microseconds
  approved INTEGER,           -- the verdict; NULL until there is one
  reason TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS strays_of_post ON strays (post_id);
CREATE INDEX IF NOT EXISTS strays_oldest ON strays (create_us);`

func (s *server) listen() {
	bus.On(s.bus, bus.Posts, s.onPostCreated)
	bus.On(s.bus, bus.Posts, s.onPostDeleted)
	bus.On(s.bus, bus.Verdicts, s.onCommentModerated)
}

// onPostCreated decides the comments that came before word of their post, and were moderated meanwhile. The others are
// decided when their verdict comes.
func (s *server) onPostCreated(ctx context.Context, tx *store.Tx, event *eventv1.PostCreated) error {
	if _, err := tx.Exec(`INSERT INTO known_posts (post_id) VALUES (?) ON CONFLICT DO NOTHING`, event.GetPostId()); err != nil {
		return fmt.Errorf("note post: %w", err)
	}
	held, err := heldVerdicts(ctx, tx, event.GetPostId())
	if err != nil {
		return err
	}
	for _, v := range held {
		if err := s.decide(ctx, tx, v); err != nil {
			return err
		}
	}
	_, err = tx.Exec(`DELETE FROM strays WHERE post_id = ?`, event.GetPostId())
	return err
}

func (s *server) onPostDeleted(_ context.Context, tx *store.Tx, event *eventv1.PostDeleted) error {
	return store.CloseComments(tx, event.GetPostId())
}

// onCommentModerated decides a comment, unless it waits for word of its post: then the verdict waits with it.
func (s *server) onCommentModerated(ctx context.Context, tx *store.Tx, event *eventv1.CommentModerated) error {
	held, err := tx.Exec(`UPDATE strays SET approved = ?, reason = ? WHERE comment_id = ?`,
		event.GetApproved(), event.GetReason(), event.GetCommentId())
	if err != nil {
		return fmt.Errorf("hold verdict: %w", err)
	}
	if held > 0 {
		return nil
	}
	err = s.decide(ctx, tx, event)
	if problem.KindOf(err) == problem.NotFound {
		// Somebody asked for a verdict before there was such a comment. If it comes, moderation says the verdict again.
		return bus.Poison("a verdict on comment %s, which does not exist", event.GetCommentId())
	}
	return err
}

// decide gives a comment its final status, and says so if it was not decided before.
func (s *server) decide(ctx context.Context, tx *store.Tx, verdict *eventv1.CommentModerated) error {
	comment, decided, err := store.DecideComment(tx, verdict.GetCommentId(), verdict.GetApproved(), verdict.GetReason())
	if err != nil || !decided {
		return err
	}
	return s.commentUpdated(ctx, tx, comment)
}

// noteStray has a new comment wait for word of its post, if there has been none.
func noteStray(tx *store.Tx, c *blogv1.Comment) error {
	_, err := tx.Exec(`INSERT INTO strays (comment_id, post_id, create_us) SELECT ?1, ?2, ?3
		WHERE NOT EXISTS (SELECT 1 FROM known_posts WHERE post_id = ?2)`,
		c.GetId(), c.GetPostId(), c.GetCreateTime().AsTime().UnixMicro())
	if err != nil {
		return fmt.Errorf("note that the post is unknown: %w", err)
	}
	return nil
}

func heldVerdicts(ctx context.Context, tx *store.Tx, postID string) ([]*eventv1.CommentModerated, error) {
	rows, err := store.Query(ctx, tx,
		`SELECT comment_id, approved, reason FROM strays WHERE post_id = ? AND approved IS NOT NULL`, postID)
	var held []*eventv1.CommentModerated
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		v := &eventv1.CommentModerated{}
		held = append(held, v)
		return rows.Scan(&v.CommentId, &v.Approved, &v.Reason)
	})
	if err != nil {
		return nil, fmt.Errorf("look up held verdicts: %w", err)
	}
	return held, nil
}

// rejectStrays rejects, now and then, the comments whose post stays unknown, until ctx ends.
func (s *server) rejectStrays(ctx context.Context) error {
	every := time.NewTicker(min(max(s.patience/4, 50*time.Millisecond), time.Second))
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		if err := s.rejectOnce(ctx); err != nil && problem.KindOf(err) != problem.Canceled {
			s.log.Error("strays not rejected; trying again", "err", err.Error())
		}
	}
}

// rejectOnce never counts time in which this service may not have heard of new posts: a broker that was away must not cost
// anybody a comment.
func (s *server) rejectOnce(ctx context.Context) error {
	heard := s.bus.InTouchSince(bus.Posts)
	before := time.Now().Add(-s.patience)
	if heard.IsZero() || heard.After(before) {
		return nil
	}
	return s.bus.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		strays, err := oldStrays(ctx, tx, before)
		if err != nil {
			return err
		}
		for _, id := range strays {
			verdict := &eventv1.CommentModerated{CommentId: id, Reason: rules.ReasonUnknownPost}
			if err := s.decide(ctx, tx, verdict); err != nil {
				return err
			}
			if _, err := tx.Exec(`DELETE FROM strays WHERE comment_id = ?`, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// oldStrays returns some of the comments that have waited since before a time.
func oldStrays(ctx context.Context, tx *store.Tx, before time.Time) (ids []string, err error) {
	rows, err := store.Query(ctx, tx, `SELECT comment_id FROM strays WHERE create_us < ? ORDER BY create_us LIMIT 100`,
		before.UnixMicro())
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		ids = append(ids, "")
		return rows.Scan(&ids[len(ids)-1])
	})
	if err != nil {
		return nil, fmt.Errorf("find comments on unknown posts: %w", err)
	}
	return ids, nil
}
