package main

import (
	"context"

	blogv1 "tandem/proto/blog/v1"
	eventv1 "tandem/proto/event/v1"
	"tandem/shared/store"
)

func (s *server) authorFollowed(ctx context.Context, tx *store.Tx, req *blogv1.SubscribeRequest, version int64) error {
	return s.bus.Publish(ctx, tx, req.GetAuthor(), &eventv1.AuthorFollowed{
		Author: req.GetAuthor(), Follower: req.GetFollower(), Version: version,
	})
}

func (s *server) authorUnfollowed(ctx context.Context, tx *store.Tx, req *blogv1.UnsubscribeRequest, version int64) error {
	return s.bus.Publish(ctx, tx, req.GetAuthor(), &eventv1.AuthorUnfollowed{
		Author: req.GetAuthor(), Follower: req.GetFollower(), Version: version,
	})
}
