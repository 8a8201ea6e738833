package main

import (
	"context"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/rules"
	"tandem/shared/store"
)

type server struct {
	blogv1.UnimplementedSubscriptionsServiceServer

	db *store.DB
}

func (s *server) Subscribe(ctx context.Context, req *blogv1.SubscribeRequest) (*blogv1.SubscribeResponse, error) {
	if err := rules.CheckSubscribe(req); err != nil {
		return nil, err
	}
	return store.Once(ctx, s.db, req.GetRequestId(), func(tx *store.Tx) (*blogv1.SubscribeResponse, error) {
		standing, _, err := store.Subscribe(tx, req.GetAuthor(), req.GetFollower())
		return &blogv1.SubscribeResponse{SubscriberCount: standing.Subscribers, Version: standing.Version}, err
	})
}

func (s *server) Unsubscribe(ctx context.Context, req *blogv1.UnsubscribeRequest) (*blogv1.UnsubscribeResponse, error) {
	if err := rules.CheckUnsubscribe(req); err != nil {
		return nil, err
	}
	return store.Once(ctx, s.db, req.GetRequestId(), func(tx *store.Tx) (*blogv1.UnsubscribeResponse, error) {
		standing, _, err := store.Unsubscribe(tx, req.GetAuthor(), req.GetFollower())
		return &blogv1.UnsubscribeResponse{SubscriberCount: standing.Subscribers, Version: standing.Version}, err
	})
}

func (s *server) GetSubscriberCount(
	ctx context.Context, req *blogv1.GetSubscriberCountRequest,
) (*blogv1.GetSubscriberCountResponse, error) {
	if err := rules.CheckGetSubscriberCount(req); err != nil {
		return nil, err
	}
	standing, err := store.GetStanding(ctx, s.db, req.GetAuthor())
	return &blogv1.GetSubscriberCountResponse{SubscriberCount: standing.Subscribers}, err
}
