package main

import (
	"context"
	"log/slog"

	blogv1 "tandem/proto/blog/v1"
	peerv1 "tandem/proto/peer/v1"
	"tandem/shared/rules"
	"tandem/shared/store"
	"tandem/sync/internal/peer"
)

type server struct {
	blogv1.UnimplementedCommentsServiceServer
	peerv1.UnimplementedCommentsPeerServiceServer

	db         *store.DB
	log        *slog.Logger
	level      peer.Level
	posts      *peer.Callee[blogv1.PostsServiceClient]
	moderation *peer.Callee[blogv1.ModerationServiceClient]
	pending    chan struct{} // has one element when a comment may wait for its verdict
}

// CreateComment needs to know that the post exists. At the level fallback it does without the verdict: the comment is stored as
// PENDING, the reply is marked as degraded, and the verdict follows.
func (s *server) CreateComment(ctx context.Context, req *blogv1.CreateCommentRequest) (*blogv1.CreateCommentResponse, error) {
	if err := rules.CheckCreateComment(req); err != nil {
		return nil, err
	}
	if first, err := store.Replay[blogv1.CreateCommentResponse](ctx, s.db, req.GetRequestId()); first != nil || err != nil {
		return first, err
	}
	comment := rules.NewComment(req)
	if err := s.postExists(ctx, comment.GetPostId()); err != nil {
		return nil, err
	}
	verdict, err := s.review(ctx, comment)
	degraded := s.level.DoesWithout(err)
	switch {
	case degraded:
		defer s.wakeReviewer()
	case err != nil:
		return nil, err
	default:
		comment.Status, comment.Reason = store.Decision(verdict.GetApproved()), verdict.GetReason()
	}
	return store.Once(ctx, s.db, req.GetRequestId(), func(tx *store.Tx) (*blogv1.CreateCommentResponse, error) {
		return &blogv1.CreateCommentResponse{Comment: comment, Degraded: degraded}, store.InsertComment(tx, comment)
	})
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

// CloseComments is called by posts when a post is deleted.
func (s *server) CloseComments(ctx context.Context, req *peerv1.CloseCommentsRequest) (*peerv1.CloseCommentsResponse, error) {
	if err := rules.CheckGetPost(&blogv1.GetPostRequest{Id: req.GetPostId()}); err != nil {
		return nil, err
	}
	err := s.db.Write(ctx, func(tx *store.Tx) error { return store.CloseComments(tx, req.GetPostId()) })
	return &peerv1.CloseCommentsResponse{}, err
}
