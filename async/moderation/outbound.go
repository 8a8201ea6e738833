package main

import (
	"context"

	blogv1 "tandem/proto/blog/v1"
	eventv1 "tandem/proto/event/v1"
	"tandem/shared/store"
)

func (s *server) commentModerated(ctx context.Context, tx *store.Tx, v *blogv1.Verdict) error {
	return s.bus.Publish(ctx, tx, v.GetCommentId(), &eventv1.CommentModerated{
		CommentId: v.GetCommentId(), Approved: v.GetApproved(), Reason: v.GetReason(), CreateTime: v.GetCreateTime(),
	})
}
