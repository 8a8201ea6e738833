package main

import (
	"context"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/problem"
	"tandem/shared/store"
	"tandem/sync/internal/peer"
)

func (s *server) post(ctx context.Context, id string) (*blogv1.Post, error) {
	reply, err := peer.Call(ctx, s.posts, blogv1.PostsServiceClient.GetPost, &blogv1.GetPostRequest{Id: id})
	return reply.GetPost(), problem.FromStatus("get the post", err)
}

func (s *server) listPosts(ctx context.Context, author string, page store.Page) (posts []*blogv1.Post, next string, err error) {
	reply, err := peer.Call(ctx, s.posts, blogv1.PostsServiceClient.ListPosts,
		&blogv1.ListPostsRequest{Author: author, PageSize: page.Size, PageToken: page.Token})
	return reply.GetPosts(), reply.GetNextPageToken(), problem.FromStatus("list posts", err)
}

func (s *server) approvedComments(ctx context.Context, postID string, page store.Page) (*blogv1.ListCommentsResponse, error) {
	reply, err := peer.Call(ctx, s.comments, blogv1.CommentsServiceClient.ListComments, &blogv1.ListCommentsRequest{
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
	reply, err := peer.Call(ctx, s.subscriptions, blogv1.SubscriptionsServiceClient.GetSubscriberCount,
		&blogv1.GetSubscriberCountRequest{Author: author})
	return reply.GetSubscriberCount(), problem.FromStatus("count the subscribers", err)
}
