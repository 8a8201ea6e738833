package main

import (
	"context"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/problem"
)

// postExists asks posts whether a post is there: NotFound if it is not.
func (s *server) postExists(ctx context.Context, postID string) error {
	_, err := s.posts.GetPost(ctx, &blogv1.GetPostRequest{Id: postID})
	return problem.FromStatus("look up the post", err)
}

// review asks moderation for the verdict on a comment. The comment's own request id goes along: a comment that is sent again
// after a lost answer gets the verdict that it got before.
func (s *server) review(ctx context.Context, requestID string, c *blogv1.Comment) (*blogv1.Verdict, error) {
	reply, err := s.moderation.ReviewComment(ctx, &blogv1.ReviewCommentRequest{
		RequestId: requestID, CommentId: c.GetId(), Body: c.GetBody(),
	})
	return reply.GetVerdict(), problem.FromStatus("have the comment reviewed", err)
}
