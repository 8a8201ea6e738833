// Command comments is the sync stack's comments service. It owns comments, and calls posts and moderation before it stores one.
package main

import (
	"context"
	"io"

	blogv1 "tandem/proto/blog/v1"
	peerv1 "tandem/proto/peer/v1"
	"tandem/shared/effect"
	"tandem/shared/service"
	"tandem/shared/store"
	"tandem/sync/internal/peer"
)

func main() { service.Main(run) }

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := service.NewFlags("comments", "127.0.0.1:7102")
	peers := peer.AddFlags(flags.Set)
	log, err := flags.Parse(args, stdout)
	if err != nil {
		return err
	}
	effects := effect.NewLog()
	db, err := flags.OpenStore(ctx, effects.Append, store.CommentsSchema, pendingSchema)
	if err != nil {
		return err
	}
	defer service.Close(log, "database", db)
	posts, err := peer.Dial(peers, log, "posts", blogv1.NewPostsServiceClient)
	if err != nil {
		return err
	}
	defer service.Close(log, "connection to posts", posts)
	moderation, err := peer.Dial(peers, log, "moderation", blogv1.NewModerationServiceClient)
	if err != nil {
		return err
	}
	defer service.Close(log, "connection to moderation", moderation)
	comments := &server{
		db: db, log: log, level: peers.Level, posts: posts, moderation: moderation, pending: make(chan struct{}, 1),
	}
	srv, err := service.NewServer(flags, log)
	if err != nil {
		return err
	}
	blogv1.RegisterCommentsServiceServer(srv, comments)
	peerv1.RegisterCommentsPeerServiceServer(srv, comments)
	effects.Register(srv)
	srv.Go(comments.reviewPending)
	return srv.Serve(ctx)
}
