// Command posts is the async stack's posts service. It owns posts, says what happens to them, and listens to nobody.
package main

import (
	"context"
	"io"

	"google.golang.org/grpc"

	"tandem/async/internal/bus"
	"tandem/async/internal/position"
	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/service"
	"tandem/shared/store"
)

func main() { service.Main(run) }

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := service.NewFlags("posts", "127.0.0.1:7201")
	events := bus.AddFlags(flags.Set)
	log, err := flags.Parse(args, stdout)
	if err != nil {
		return err
	}
	db, err := flags.OpenStore(ctx, nil, store.PostsSchema, bus.Schema)
	if err != nil {
		return err
	}
	defer service.Close(log, "database", db)
	posts := &server{db: db, bus: events.New(bus.Config{Service: "posts", Topic: bus.Posts, DB: db, Log: log, Trouble: flags.Trouble()})}
	srv, err := service.NewServer(flags, log, grpc.ChainUnaryInterceptor(position.Tell, posts.bus.Interceptor()))
	if err != nil {
		return err
	}
	blogv1.RegisterPostsServiceServer(srv, posts)
	srv.Go(posts.bus.Run)
	return srv.Serve(ctx)
}
