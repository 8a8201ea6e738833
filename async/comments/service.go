package main

import (
	"context"
	"log/slog"
	"time"

	"tandem/async/internal/bus"
	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/rules"
	"tandem/shared/store"
)

type server struct {
	blogv1.UnimplementedCommentsServiceServer

	db       *store.DB
	bus      *bus.Bus
	log      *slog.Logger
	patience time.Duration // how long a comment waits for word of its post
	replies  *replies      // nil: a comment is answered for as soon as it is stored
}

func (s *server) CreateComment(ctx context.Context, req *blogv1.CreateCommentRequest) (*blogv1.CreateCommentResponse, error) {
	if err := rules.CheckCreateComment(req); err != nil {
		return nil, err
	}
	reply, err := store.Once(ctx, s.db, req.GetRequestId(), func(tx *store.Tx) (*blogv1.CreateCommentResponse, error) {
		comment := rules.NewComment(req)
		if err := store.InsertComment(tx, comment); err != nil {
			return nil, err
		}
		if err := noteStray(tx, comment); err != nil {
			return nil, err
		}
		return &blogv1.CreateCommentResponse{Comment: comment}, s.commentCreated(ctx, tx, comment)
	})
	if err != nil || s.replies == nil {
		return reply, err
	}
	return s.onceDecided(ctx, reply)
}

func (s *server) GetComment(ctx context.Context, req *blogv1.GetCommentRequest) (*blogv1.GetCommentResponse, error) {
	if err := rules.CheckGetComment(req); err != nil {
		return nil, err
	}
	comment, err := store.GetComment(ctx, s.db, req.GetId())
	return &blogv1.GetCommentResponse{Comment: comment}, err
}

func (s *server) ListComments(ctx context.Context, req *blogv1.ListCommentsRequest) (*blogv1.ListCommentsResponse, error) {
	if err := rules.CheckListComments(req); err != nil {
		return nil, err
	}
	page := store.Page{Size: req.GetPageSize(), Token: req.GetPageToken()}
	list, err := store.ListComments(ctx, s.db, req.GetPostId(), req.GetStatus(), page)
	return &blogv1.ListCommentsResponse{Comments: list.Comments, NextPageToken: list.Next, TotalSize: list.Total}, err
}
