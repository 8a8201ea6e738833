package main

import (
	"context"

	blogv1 "tandem/proto/blog/v1"
	eventv1 "tandem/proto/event/v1"
	"tandem/shared/store"
)

func (s *server) commentCreated(ctx context.Context, tx *store.Tx, c *blogv1.Comment) error {
	return s.bus.Publish(ctx, tx, c.GetId(), &eventv1.CommentCreated{
		CommentId: c.GetId(), PostId: c.GetPostId(), Author: c.GetAuthor(), Body: c.GetBody(),
		CreateTime: c.GetCreateTime(), Version: c.GetVersion(),
	})
}

func (s *server) commentUpdated(ctx context.Context, tx *store.Tx, c *blogv1.Comment) error {
	return s.bus.Publish(ctx, tx, c.GetId(), &eventv1.CommentUpdated{
		CommentId: c.GetId(), PostId: c.GetPostId(), Approved: c.GetStatus() == blogv1.CommentStatus_COMMENT_STATUS_APPROVED,
		Reason: c.GetReason(), UpdateTime: c.GetUpdateTime(), Version: c.GetVersion(),
	})
}
