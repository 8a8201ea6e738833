package main

import (
	"context"

	"tandem/async/internal/bus"
	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/rules"
	"tandem/shared/store"
)

type server struct {
	blogv1.UnimplementedModerationServiceServer

	db     *store.DB
	bus    *bus.Bus
	policy rules.Policy
}

func (s *server) ReviewComment(ctx context.Context, req *blogv1.ReviewCommentRequest) (*blogv1.ReviewCommentResponse, error) {
	if err := rules.CheckReviewComment(req); err != nil {
		return nil, err
	}
	return store.Once(ctx, s.db, req.GetRequestId(), func(tx *store.Tx) (*blogv1.ReviewCommentResponse, error) {
		verdict, err := s.review(ctx, tx, req.GetCommentId(), req.GetBody())
		return &blogv1.ReviewCommentResponse{Verdict: verdict}, err
	})
}

// review stores the verdict on a comment, and says so if there was none before.
func (s *server) review(ctx context.Context, tx *store.Tx, commentID, body string) (*blogv1.Verdict, error) {
	verdict, isNew, err := store.InsertVerdict(tx, s.policy.Review(commentID, body))
	if err != nil || !isNew {
		return verdict, err
	}
	return verdict, s.commentModerated(ctx, tx, verdict)
}

func (s *server) GetVerdict(ctx context.Context, req *blogv1.GetVerdictRequest) (*blogv1.GetVerdictResponse, error) {
	if err := rules.CheckGetVerdict(req); err != nil {
		return nil, err
	}
	verdict, err := store.GetVerdict(ctx, s.db, req.GetCommentId())
	return &blogv1.GetVerdictResponse{Verdict: verdict}, err
}
