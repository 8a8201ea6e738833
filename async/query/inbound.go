package main

import (
	"context"
	"fmt"
	"math"

	"tandem/async/internal/bus"
	"tandem/async/internal/position"
	blogv1 "tandem/proto/blog/v1"
	eventv1 "tandem/proto/event/v1"
	labv1 "tandem/proto/lab/v1"
	"tandem/shared/mutant"
	"tandem/shared/store"
)

func (s *server) listen() {
	bus.On(s.bus, bus.Posts, s.onPostCreated)
	bus.On(s.bus, bus.Posts, s.onPostUpdated)
	bus.On(s.bus, bus.Posts, s.onPostDeleted)
	bus.On(s.bus, bus.Comments, s.onCommentCreated)
	bus.On(s.bus, bus.Comments, s.onCommentUpdated)
	bus.On(s.bus, bus.Subscriptions, s.onAuthorFollowed)
	bus.On(s.bus, bus.Subscriptions, s.onAuthorUnfollowed)
}

// What comes twice is kept out by the inbox, not here: the counters below simply count. At a level without inbox they drift,
// which is what that level is there to show.

func (s *server) onPostCreated(_ context.Context, tx *store.Tx, event *eventv1.PostCreated) error {
	created := event.GetCreateTime().AsTime().UnixMicro()
	changed, err := tx.Exec(`INSERT INTO posts (id, author, title, body, create_us, update_us, version)
		VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		event.GetPostId(), event.GetAuthor(), event.GetTitle(), event.GetBody(), created, created, event.GetVersion())
	if err != nil {
		return fmt.Errorf("apply PostCreated: %w", err)
	}
	shows(tx, changed, &labv1.Effect{Aggregate: labv1.Aggregate_AGGREGATE_POST, Id: event.GetPostId(), Version: event.GetVersion()})
	return nil
}

// shows notes an effect if anything has changed.
func shows(tx *store.Tx, changed int64, e *labv1.Effect) {
	if changed > 0 {
		tx.Effect(e.GetAggregate(), e.GetId(), e.GetVersion())
	}
}

func (s *server) onPostUpdated(_ context.Context, tx *store.Tx, event *eventv1.PostUpdated) error {
	below := event.GetVersion()
	if mutant.On(mutant.VersionIgnored) {
		below = math.MaxInt64
	}
	changed, err := tx.Exec(`UPDATE posts SET title = ?, body = ?, update_us = ?, version = ? WHERE id = ? AND version < ?`,
		event.GetTitle(), event.GetBody(), event.GetUpdateTime().AsTime().UnixMicro(), event.GetVersion(),
		event.GetPostId(), below)
	if err != nil {
		return fmt.Errorf("apply PostUpdated: %w", err)
	}
	shows(tx, changed, &labv1.Effect{Aggregate: labv1.Aggregate_AGGREGATE_POST, Id: event.GetPostId(), Version: event.GetVersion()})
	return nil
}

func (s *server) onPostDeleted(_ context.Context, tx *store.Tx, event *eventv1.PostDeleted) error {
	changed, err := tx.Exec(`DELETE FROM posts WHERE id = ?`, event.GetPostId())
	if err != nil {
		return fmt.Errorf("apply PostDeleted: %w", err)
	}
	shows(tx, changed, &labv1.Effect{Aggregate: labv1.Aggregate_AGGREGATE_POST, Id: event.GetPostId(), Version: event.GetVersion()})
	return store.CloseComments(tx, event.GetPostId())
}

func (s *server) onCommentCreated(_ context.Context, tx *store.Tx, event *eventv1.CommentCreated) error {
	created := event.GetCreateTime().AsTime().UnixMicro()
	if _, err := tx.Exec(`INSERT INTO comments (id, post_id, author, body, status, reason, create_us, update_us, version)
		VALUES (?, ?, ?, ?, ?, '', ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		event.GetCommentId(), event.GetPostId(), event.GetAuthor(), event.GetBody(),
		blogv1.CommentStatus_COMMENT_STATUS_PENDING, created, created, event.GetVersion()); err != nil {
		return fmt.Errorf("apply CommentCreated: %w", err)
	}
	return nil
}

func (s *server) onCommentUpdated(_ context.Context, tx *store.Tx, event *eventv1.CommentUpdated) error {
	status := store.Decision(event.GetApproved())
	changed, err := tx.Exec(`UPDATE comments SET status = ?, reason = ?, update_us = ?, version = ? WHERE id = ?`,
		status, event.GetReason(), event.GetUpdateTime().AsTime().UnixMicro(), event.GetVersion(), event.GetCommentId())
	if err != nil {
		return fmt.Errorf("apply CommentUpdated: %w", err)
	}
	shows(tx, changed, &labv1.Effect{
		Aggregate: labv1.Aggregate_AGGREGATE_COMMENT, Id: event.GetCommentId(), Version: event.GetVersion(),
	})
	return store.CountComment(tx, event.GetPostId(), status, 1)
}

func (s *server) onAuthorFollowed(_ context.Context, tx *store.Tx, event *eventv1.AuthorFollowed) error {
	return countSubscriber(tx, event.GetAuthor(), event.GetVersion(), 1)
}

func (s *server) onAuthorUnfollowed(_ context.Context, tx *store.Tx, event *eventv1.AuthorUnfollowed) error {
	return countSubscriber(tx, event.GetAuthor(), event.GetVersion(), -1)
}

func countSubscriber(tx *store.Tx, author string, version, n int64) error {
	if _, err := store.CountSubscribers(tx, author, n); err != nil {
		return fmt.Errorf("count subscribers: %w", err)
	}
	tx.Effect(labv1.Aggregate_AGGREGATE_AUTHOR, author, version)
	return nil
}

// applied tells whether the read model has come to a position. A post that is deleted has left every version of it behind.
func (s *server) applied(ctx context.Context, p position.Position) (there bool, err error) {
	look := map[labv1.Aggregate]string{
		labv1.Aggregate_AGGREGATE_POST: `SELECT EXISTS (SELECT 1 FROM posts WHERE id = ?1 AND version >= ?2)
			OR EXISTS (SELECT 1 FROM comment_counts WHERE post_id = ?1 AND closed = 1)`,
		labv1.Aggregate_AGGREGATE_COMMENT: `SELECT EXISTS (SELECT 1 FROM comments WHERE id = ?1 AND version >= ?2)`,
		labv1.Aggregate_AGGREGATE_AUTHOR:  `SELECT EXISTS (SELECT 1 FROM authors WHERE author = ?1 AND version >= ?2)`,
	}[p.Aggregate]
	if err := store.QueryRow(ctx, s.db, look, p.ID, p.Version).Scan(&there); err != nil {
		return false, fmt.Errorf("look for %s: %w", p, err)
	}
	return there, nil
}
