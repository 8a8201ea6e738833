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

func (s *server) onCommentCreated(ctx context.Context, tx *store.Tx, event *eventv1.CommentCreated) error {
	_, err := s.review(ctx, tx, event.GetCommentId(), event.GetBody())
	return err
}
