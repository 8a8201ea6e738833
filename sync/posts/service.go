package main

import (
	"context"

	blogv1 "tandem/proto/blog/v1"
	peerv1 "tandem/proto/peer/v1"
	"tandem/shared/rules"
	"tandem/shared/store"
	"tandem/sync/internal/peer"
)

type server struct {
	blogv1.UnimplementedPostsServiceServer

	db       *store.DB
	comments *peer.Callee[peerv1.CommentsPeerServiceClient]
}

func (s *server) CreatePost(ctx context.Context, req *blogv1.CreatePostRequest) (*blogv1.CreatePostResponse, error) {
	if err := rules.CheckCreatePost(req); err != nil {
		return nil, err
	}
	return store.Once(ctx, s.db, req.GetRequestId(), func(tx *store.Tx) (*blogv1.CreatePostResponse, error) {
		post := rules.NewPost(req)
		return &blogv1.CreatePostResponse{Post: post}, store.InsertPost(tx, post)
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
		return &blogv1.UpdatePostResponse{Post: post}, err
	})
}

// DeletePost closes the comments first: if that fails, nothing has happened to the post, and the caller can try again.
func (s *server) DeletePost(ctx context.Context, req *blogv1.DeletePostRequest) (*blogv1.DeletePostResponse, error) {
	if err := rules.CheckDeletePost(req); err != nil {
		return nil, err
	}
	// In this order: a post that the same request has deleted meanwhile is missing, and the request's result is there by then.
	_, missing := store.GetPost(ctx, s.db, req.GetId())
	if first, err := store.Replay[blogv1.DeletePostResponse](ctx, s.db, req.GetRequestId()); first != nil || err != nil {
		return first, err
	}
	if missing != nil {
		return nil, missing
	}
	if err := s.closeComments(ctx, req.GetId()); err != nil {
		return nil, err
	}
	return store.Once(ctx, s.db, req.GetRequestId(), func(tx *store.Tx) (*blogv1.DeletePostResponse, error) {
		_, err := store.DeletePost(tx, req.GetId())
		return &blogv1.DeletePostResponse{}, err
	})
}

func (s *server) ListPosts(ctx context.Context, req *blogv1.ListPostsRequest) (*blogv1.ListPostsResponse, error) {
	if err := rules.CheckListPosts(req); err != nil {
		return nil, err
	}
	posts, next, err := store.ListPosts(ctx, s.db, req.GetAuthor(), store.Page{Size: req.GetPageSize(), Token: req.GetPageToken()})
	return &blogv1.ListPostsResponse{Posts: posts, NextPageToken: next}, err
}
