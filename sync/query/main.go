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
	posts, err := peers.Dial("posts")
	if err != nil {
		return err
	}
	defer service.Close(log, "connection to posts", posts)
	comments, err := peers.Dial("comments")
	if err != nil {
		return err
	}
	defer service.Close(log, "connection to comments", comments)
	subscriptions, err := peers.Dial("subscriptions")
	if err != nil {
		return err
	}
	defer service.Close(log, "connection to subscriptions", subscriptions)
	srv, err := service.NewServer(flags, log)
	if err != nil {
		return err
	}
	blogv1.RegisterQueryServiceServer(srv, &server{
		posts:         blogv1.NewPostsServiceClient(posts),
		comments:      blogv1.NewCommentsServiceClient(comments),
		subscriptions: blogv1.NewSubscriptionsServiceClient(subscriptions),
	})
	return srv.Serve(ctx)
}
