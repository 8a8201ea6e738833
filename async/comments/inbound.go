package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tandem/async/internal/bus"
	eventv1 "tandem/proto/event/v1"
	"tandem/shared/problem"
	"tandem/shared/rules"
	"tandem/shared/store"
)

// inboundSchema is what comments needs to know of others: which posts exist, and the verdicts that wait for word of a post.
const inboundSchema = `
CREATE TABLE IF NOT EXISTS known_posts (post_id TEXT PRIMARY KEY) WITHOUT ROWID; -- deleted ones too
CREATE TABLE IF NOT EXISTS held_verdicts (
  comment_id TEXT PRIMARY KEY,
  post_id TEXT NOT NULL,
  approved INTEGER NOT NULL,
  reason TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS held_verdicts_of_post ON held_verdicts (post_id);
CREATE INDEX IF NOT EXISTS comments_pending ON comments (create_us) WHERE status = 1; -- PENDING`

func (s *server) listen() {
	bus.On(s.bus, bus.Posts, s.onPostCreated)
	bus.On(s.bus, bus.Posts, s.onPostDeleted)
	bus.On(s.bus, bus.Verdicts, s.onCommentModerated)
}

// onPostCreated decides the comments that came before word of their post, and were moderated meanwhile.
func (s *server) onPostCreated(ctx context.Context, tx *store.Tx, event *eventv1.PostCreated) error {
	if _, err := tx.Exec(`INSERT INTO known_posts (post_id) VALUES (?) ON CONFLICT DO NOTHING`, event.GetPostId()); err != nil {
		return fmt.Errorf("note post: %w", err)
	}
	held, err := heldVerdicts(ctx, tx, event.GetPostId())
	if err != nil || len(held) == 0 {
		return err
	}
	for _, v := range held {
		if err := s.decide(ctx, tx, v); err != nil {
			return err
		}
	}
	_, err = tx.Exec(`DELETE FROM held_verdicts WHERE post_id = ?`, event.GetPostId())
	return err
}

func (s *server) onPostDeleted(_ context.Context, tx *store.Tx, event *eventv1.PostDeleted) error {
	return store.CloseComments(tx, event.GetPostId())
}

// onCommentModerated decides a comment, if its post is known; else the verdict waits for word of the post.
func (s *server) onCommentModerated(ctx context.Context, tx *store.Tx, event *eventv1.CommentModerated) error {
	var postID string
	var known bool
	err := store.QueryRow(ctx, tx, `SELECT post_id, EXISTS (SELECT 1 FROM known_posts k WHERE k.post_id = c.post_id)
		FROM comments c WHERE id = ?`, event.GetCommentId()).Scan(&postID, &known)
	if errors.Is(err, sql.ErrNoRows) {
		// Each comment is stored before moderation can hear of it, so this one will not come.
		return bus.Poison("a verdict on comment %s, which does not exist", event.GetCommentId())
	}
	if err != nil {
		return fmt.Errorf("look up comment: %w", err)
	}
	if known {
		return s.decide(ctx, tx, event)
	}
	_, err = tx.Exec(`INSERT INTO held_verdicts (comment_id, post_id, approved, reason) VALUES (?, ?, ?, ?)
		ON CONFLICT DO NOTHING`, event.GetCommentId(), postID, event.GetApproved(), event.GetReason())
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

func heldVerdicts(ctx context.Context, tx *store.Tx, postID string) ([]*eventv1.CommentModerated, error) {
	rows, err := store.Query(ctx, tx, `SELECT comment_id, approved, reason FROM held_verdicts WHERE post_id = ?`, postID)
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
	return s.db.Write(ctx, func(tx *store.Tx) error {
		strays, err := findStrays(ctx, tx, before)
		if err != nil {
			return err
		}
		for _, id := range strays {
			verdict := &eventv1.CommentModerated{CommentId: id, Reason: rules.ReasonUnknownPost}
			if err := s.decide(ctx, tx, verdict); err != nil {
				return err
			}
			if _, err := tx.Exec(`DELETE FROM held_verdicts WHERE comment_id = ?`, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// findStrays returns some comments that were PENDING before a time, on posts that nobody has told of.
func findStrays(ctx context.Context, tx *store.Tx, before time.Time) (ids []string, err error) {
	rows, err := store.Query(ctx, tx, `SELECT id FROM comments c WHERE status = 1 AND create_us < ?
		AND NOT EXISTS (SELECT 1 FROM known_posts k WHERE k.post_id = c.post_id) ORDER BY create_us LIMIT 100`, before.UnixMicro())
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		ids = append(ids, "")
		return rows.Scan(&ids[len(ids)-1])
	})
	if err != nil {
		return nil, fmt.Errorf("find comments on unknown posts: %w", err)
	}
	return ids, nil
}
