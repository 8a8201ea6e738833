package main

import (
	"context"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/rules"
	"tandem/shared/store"
)

type server struct {
	blogv1.UnimplementedModerationServiceServer

	db     *store.DB
	policy rules.Policy
}

func (s *server) ReviewComment(ctx context.Context, req *blogv1.ReviewCommentRequest) (*blogv1.ReviewCommentResponse, error) {
	if err := rules.CheckReviewComment(req); err != nil {
		return nil, err
	}
	return store.Once(ctx, s.db, req.GetRequestId(), func(tx *store.Tx) (*blogv1.ReviewCommentResponse, error) {
		verdict, _, err := store.InsertVerdict(tx, s.policy.Review(req.GetCommentId(), req.GetBody()))
		return &blogv1.ReviewCommentResponse{Verdict: verdict}, err
	})
}

func (s *server) GetVerdict(ctx context.Context, req *blogv1.GetVerdictRequest) (*blogv1.GetVerdictResponse, error) {
	if err := rules.CheckGetVerdict(req); err != nil {
		return nil, err
	}
	verdict, err := store.GetVerdict(ctx, s.db, req.GetCommentId())
	return &blogv1.GetVerdictResponse{Verdict: verdict}, err
}
