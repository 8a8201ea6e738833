// Command posts is the sync stack's posts service. It owns posts, and calls comments when one is deleted.
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
	flags := service.NewFlags("posts", "127.0.0.1:7101")
	peers := peer.AddFlags(flags.Set)
	log, err := flags.Parse(args, stdout)
	if err != nil {
		return err
	}
	effects := effect.NewLog()
	db, err := flags.OpenStore(ctx, effects.Append, store.PostsSchema)
	if err != nil {
		return err
	}
	defer service.Close(log, "database", db)
	comments, err := peer.Dial(peers, log, "comments", peerv1.NewCommentsPeerServiceClient)
	if err != nil {
		return err
	}
	defer service.Close(log, "connection to comments", comments)
	srv, err := service.NewServer(flags, log)
	if err != nil {
		return err
	}
	blogv1.RegisterPostsServiceServer(srv, &server{db: db, comments: comments})
	effects.Register(srv)
	return srv.Serve(ctx)
}
