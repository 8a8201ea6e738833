package main

import (
	"context"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/problem"
	"tandem/shared/store"
)

func (s *server) post(ctx context.Context, id string) (*blogv1.Post, error) {
	reply, err := s.posts.GetPost(ctx, &blogv1.GetPostRequest{Id: id})
	return reply.GetPost(), problem.FromStatus("get the post", err)
}

func (s *server) listPosts(ctx context.Context, author string, page store.Page) (posts []*blogv1.Post, next string, err error) {
	reply, err := s.posts.ListPosts(ctx, &blogv1.ListPostsRequest{Author: author, PageSize: page.Size, PageToken: page.Token})
	return reply.GetPosts(), reply.GetNextPageToken(), problem.FromStatus("list posts", err)
}

func (s *server) approvedComments(ctx context.Context, postID string, page store.Page) (*blogv1.ListCommentsResponse, error) {
	reply, err := s.comments.ListComments(ctx, &blogv1.ListCommentsRequest{
		PostId: postID, Status: blogv1.CommentStatus_COMMENT_STATUS_APPROVED, PageSize: page.Size, PageToken: page.Token,
	})
	return reply, problem.FromStatus("list the comments", err)
}

// commentCount reads one comment to learn how many there are: the contract has no cheaper question.
func (s *server) commentCount(ctx context.Context, postID string) (int64, error) {
	reply, err := s.approvedComments(ctx, postID, store.Page{Size: 1})
	return reply.GetTotalSize(), err
}

func (s *server) subscriberCount(ctx context.Context, author string) (int64, error) {
	reply, err := s.subscriptions.GetSubscriberCount(ctx, &blogv1.GetSubscriberCountRequest{Author: author})
	return reply.GetSubscriberCount(), problem.FromStatus("count the subscribers", err)
}
