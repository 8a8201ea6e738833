package main

import (
	"context"

	peerv1 "tandem/proto/peer/v1"
	"tandem/shared/problem"
	"tandem/sync/internal/peer"
)

// closeComments has comments take a deleted post's comments off every page.
func (s *server) closeComments(ctx context.Context, postID string) error {
	_, err := peer.Call(ctx, s.comments, peerv1.CommentsPeerServiceClient.CloseComments,
		&peerv1.CloseCommentsRequest{PostId: postID})
	return problem.FromStatus("close the comments of the post", err)
}
