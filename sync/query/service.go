package main

import (
	"context"

	"golang.org/x/sync/errgroup"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/rules"
	"tandem/shared/store"
)

type server struct {
	blogv1.UnimplementedQueryServiceServer

	posts         blogv1.PostsServiceClient
	comments      blogv1.CommentsServiceClient
	subscriptions blogv1.SubscriptionsServiceClient
}

func (s *server) GetPostPage(ctx context.Context, req *blogv1.GetPostPageRequest) (*blogv1.GetPostPageResponse, error) {
	if err := rules.CheckGetPostPage(req); err != nil {
		return nil, err
	}
	page := &blogv1.GetPostPageResponse{}
	calls, ctx := errgroup.WithContext(ctx)
	calls.Go(func() (err error) {
		if page.Post, err = s.post(ctx, req.GetPostId()); err != nil {
			return err
		}
		page.SubscriberCount, err = s.subscriberCount(ctx, page.GetPost().GetAuthor())
		return err
	})
	calls.Go(func() error {
		list, err := s.approvedComments(ctx, req.GetPostId(), store.Page{Size: req.GetPageSize(), Token: req.GetPageToken()})
		page.Comments, page.NextPageToken, page.CommentCount = list.GetComments(), list.GetNextPageToken(), list.GetTotalSize()
		return err
	})
	return page, calls.Wait()
}

func (s *server) ListFeed(ctx context.Context, req *blogv1.ListFeedRequest) (*blogv1.ListFeedResponse, error) {
	if err := rules.CheckListFeed(req); err != nil {
		return nil, err
	}
	posts, next, err := s.listPosts(ctx, "", store.Page{Size: req.GetPageSize(), Token: req.GetPageToken()})
	if err != nil {
		return nil, err
	}
	feed := &blogv1.ListFeedResponse{NextPageToken: next}
	calls, ctx := errgroup.WithContext(ctx)
	for _, post := range posts {
		entry := &blogv1.FeedEntry{Post: post}
		feed.Entries = append(feed.Entries, entry)
		calls.Go(func() (err error) {
			entry.CommentCount, err = s.commentCount(ctx, post.GetId())
			return err
		})
		calls.Go(func() (err error) {
			entry.SubscriberCount, err = s.subscriberCount(ctx, post.GetAuthor())
			return err
		})
	}
	return feed, calls.Wait()
}

func (s *server) GetAuthorPage(ctx context.Context, req *blogv1.GetAuthorPageRequest) (*blogv1.GetAuthorPageResponse, error) {
	if err := rules.CheckGetAuthorPage(req); err != nil {
		return nil, err
	}
	page := &blogv1.GetAuthorPageResponse{}
	calls, ctx := errgroup.WithContext(ctx)
	calls.Go(func() (err error) {
		page.Posts, page.NextPageToken, err = s.listPosts(ctx, req.GetAuthor(),
			store.Page{Size: req.GetPageSize(), Token: req.GetPageToken()})
		return err
	})
	calls.Go(func() (err error) {
		page.SubscriberCount, err = s.subscriberCount(ctx, req.GetAuthor())
		return err
	})
	return page, calls.Wait()
}
