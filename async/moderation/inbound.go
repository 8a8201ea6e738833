package main

import (
	"context"

	"tandem/async/internal/bus"
	eventv1 "tandem/proto/event/v1"
	"tandem/shared/store"
)

func (s *server) listen() {
	bus.On(s.bus, bus.Comments, s.onCommentCreated)
}

// onCommentCreated says the verdict also if there was one before: whoever asked for it knew the comment's id before comments told
// of it, and comments had no use for the verdict then.
func (s *server) onCommentCreated(ctx context.Context, tx *store.Tx, event *eventv1.CommentCreated) error {
	verdict, _, err := store.InsertVerdict(tx, s.policy.Review(event.GetCommentId(), event.GetBody()))
	if err != nil {
		return err
	}
	return s.commentModerated(ctx, tx, verdict)
}
