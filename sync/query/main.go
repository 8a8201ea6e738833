// Command query is the sync stack's query service. It owns nothing, and calls posts, comments and subscriptions for each page.
package main

import (
	"context"
	"io"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/service"
	"tandem/sync/internal/peer"
)

func main() { service.Main(run) }

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := service.NewFlags("query", "127.0.0.1:7105")
	peers := peer.AddFlags(flags.Set)
	log, err := flags.Parse(args, stdout)
	if err != nil {
		return err
	}
	posts, err := peer.Dial(peers, log, "posts", blogv1.NewPostsServiceClient)
	if err != nil {
		return err
	}
	defer service.Close(log, "connection to posts", posts)
	comments, err := peer.Dial(peers, log, "comments", blogv1.NewCommentsServiceClient)
	if err != nil {
		return err
	}
	defer service.Close(log, "connection to comments", comments)
	subscriptions, err := peer.Dial(peers, log, "subscriptions", blogv1.NewSubscriptionsServiceClient)
	if err != nil {
		return err
	}
	defer service.Close(log, "connection to subscriptions", subscriptions)
	srv, err := service.NewServer(flags, log)
	if err != nil {
		return err
	}
	blogv1.RegisterQueryServiceServer(srv, &server{
		level: peers.Level, posts: posts, comments: comments, subscriptions: subscriptions,
	})
	return srv.Serve(ctx)
}
