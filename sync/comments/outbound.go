package main

import (
	"context"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/problem"
	"tandem/shared/rules"
)

// postExists asks posts whether a post is there: NotFound if it is not.
func (s *server) postExists(ctx context.Context, postID string) error {
	_, err := s.posts.GetPost(ctx, &blogv1.GetPostRequest{Id: postID})
	return problem.FromStatus("look up the post", err)
}

// review asks moderation for the verdict on a comment. Its request id follows from the comment's: a comment that is sent again
// after a lost answer gets the verdict that it got before. It is not the same id, which the user may have used there already.
func (s *server) review(ctx context.Context, requestID string, c *blogv1.Comment) (*blogv1.Verdict, error) {
	reply, err := s.moderation.ReviewComment(ctx, &blogv1.ReviewCommentRequest{
		RequestId: rules.NewID("review", requestID), CommentId: c.GetId(), Body: c.GetBody(),
	})
	return reply.GetVerdict(), problem.FromStatus("have the comment reviewed", err)
}
