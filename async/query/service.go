package main

import (
	"context"

	"tandem/async/internal/bus"
	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/rules"
	"tandem/shared/store"
)

type server struct {
	blogv1.UnimplementedQueryServiceServer

	db  *store.DB // the read model
	bus *bus.Bus
}

func (s *server) GetPostPage(ctx context.Context, req *blogv1.GetPostPageRequest) (*blogv1.GetPostPageResponse, error) {
	if err := rules.CheckGetPostPage(req); err != nil {
		return nil, err
	}
	post, err := store.GetPost(ctx, s.db, req.GetPostId())
	if err != nil {
		return nil, err
	}
	list, err := store.ListComments(ctx, s.db, req.GetPostId(), blogv1.CommentStatus_COMMENT_STATUS_APPROVED,
		store.Page{Size: req.GetPageSize(), Token: req.GetPageToken()})
	if err != nil {
		return nil, err
	}
	standing, err := store.GetStanding(ctx, s.db, post.GetAuthor())
	return &blogv1.GetPostPageResponse{
		Post: post, Comments: list.Comments, NextPageToken: list.Next, CommentCount: list.Total,
		SubscriberCount: standing.Subscribers,
	}, err
}

func (s *server) ListFeed(ctx context.Context, req *blogv1.ListFeedRequest) (*blogv1.ListFeedResponse, error) {
	if err := rules.CheckListFeed(req); err != nil {
		return nil, err
	}
	posts, next, err := store.ListPosts(ctx, s.db, "", store.Page{Size: req.GetPageSize(), Token: req.GetPageToken()})
	if err != nil {
		return nil, err
	}
	feed := &blogv1.ListFeedResponse{NextPageToken: next}
	for _, post := range posts {
		comments, err := store.CountApproved(ctx, s.db, post.GetId())
		if err != nil {
			return nil, err
		}
		standing, err := store.GetStanding(ctx, s.db, post.GetAuthor())
		if err != nil {
			return nil, err
		}
		feed.Entries = append(feed.Entries, &blogv1.FeedEntry{
			Post: post, CommentCount: comments, SubscriberCount: standing.Subscribers,
		})
	}
	return feed, nil
}

func (s *server) GetAuthorPage(ctx context.Context, req *blogv1.GetAuthorPageRequest) (*blogv1.GetAuthorPageResponse, error) {
	if err := rules.CheckGetAuthorPage(req); err != nil {
		return nil, err
	}
	posts, next, err := store.ListPosts(ctx, s.db, req.GetAuthor(), store.Page{Size: req.GetPageSize(), Token: req.GetPageToken()})
	if err != nil {
		return nil, err
	}
	standing, err := store.GetStanding(ctx, s.db, req.GetAuthor())
	return &blogv1.GetAuthorPageResponse{Posts: posts, NextPageToken: next, SubscriberCount: standing.Subscribers}, err
}
