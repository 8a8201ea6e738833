package main

import (
	"context"

	"tandem/async/internal/bus"
	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/rules"
	"tandem/shared/store"
)

type server struct {
	blogv1.UnimplementedPostsServiceServer

	db  *store.DB
	bus *bus.Bus
}

func (s *server) CreatePost(ctx context.Context, req *blogv1.CreatePostRequest) (*blogv1.CreatePostResponse, error) {
	if err := rules.CheckCreatePost(req); err != nil {
		return nil, err
	}
	return store.Once(ctx, s.db, req.GetRequestId(), func(tx *store.Tx) (*blogv1.CreatePostResponse, error) {
		post := rules.NewPost(req)
		if err := store.InsertPost(tx, post); err != nil {
			return nil, err
		}
		return &blogv1.CreatePostResponse{Post: post}, s.postCreated(ctx, tx, post)
	})
}

func (s *server) GetPost(ctx context.Context, req *blogv1.GetPostRequest) (*blogv1.GetPostResponse, error) {
	if err := rules.CheckGetPost(req); err != nil {
		return nil, err
	}
	post, err := store.GetPost(ctx, s.db, req.GetId())
	return &blogv1.GetPostResponse{Post: post}, err
}

func (s *server) UpdatePost(ctx context.Context, req *blogv1.UpdatePostRequest) (*blogv1.UpdatePostResponse, error) {
	if err := rules.CheckUpdatePost(req); err != nil {
		return nil, err
	}
	return store.Once(ctx, s.db, req.GetRequestId(), func(tx *store.Tx) (*blogv1.UpdatePostResponse, error) {
		post, err := store.UpdatePost(tx, req.GetId(), req.GetTitle(), req.GetBody())
		if err != nil {
			return nil, err
		}
		return &blogv1.UpdatePostResponse{Post: post}, s.postUpdated(ctx, tx, post)
	})
}

// DeletePost tells nobody but the log: comments and query hear of it from there.
func (s *server) DeletePost(ctx context.Context, req *blogv1.DeletePostRequest) (*blogv1.DeletePostResponse, error) {
	if err := rules.CheckDeletePost(req); err != nil {
		return nil, err
	}
	return store.Once(ctx, s.db, req.GetRequestId(), func(tx *store.Tx) (*blogv1.DeletePostResponse, error) {
		version, err := store.DeletePost(tx, req.GetId())
		if err != nil {
			return nil, err
		}
		return &blogv1.DeletePostResponse{}, s.postDeleted(ctx, tx, req.GetId(), version)
	})
}

func (s *server) ListPosts(ctx context.Context, req *blogv1.ListPostsRequest) (*blogv1.ListPostsResponse, error) {
	if err := rules.CheckListPosts(req); err != nil {
		return nil, err
	}
	posts, next, err := store.ListPosts(ctx, s.db, req.GetAuthor(), store.Page{Size: req.GetPageSize(), Token: req.GetPageToken()})
	return &blogv1.ListPostsResponse{Posts: posts, NextPageToken: next}, err
}
