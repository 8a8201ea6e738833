// Command comments is the async stack's comments service. It owns comments, and hears of posts and of verdicts by their events.
package main

import (
	"context"
	"io"
	"time"

	"google.golang.org/grpc"

	"tandem/async/internal/bus"
	"tandem/async/internal/position"
	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/service"
	"tandem/shared/store"
)

func main() { service.Main(run) }

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := service.NewFlags("comments", "127.0.0.1:7202")
	events := bus.AddFlags(flags.Set)
	patience := flags.Set.Duration("unknown-post-after", 30*time.Second,
		"how long a comment waits for word of its post before it is rejected")
	log, err := flags.Parse(args, stdout)
	if err != nil {
		return err
	}
	db, err := flags.OpenStore(ctx, nil, store.CommentsSchema, inboundSchema, bus.Schema)
	if err != nil {
		return err
	}
	defer service.Close(log, "database", db)
	comments := &server{
		db: db, bus: events.New(bus.Config{Service: "comments", Topic: bus.Comments, DB: db, Log: log, Trouble: flags.Trouble()}),
		log: log, patience: *patience,
	}
	comments.listen()
	srv, err := service.NewServer(flags, log, grpc.ChainUnaryInterceptor(position.Tell, comments.bus.Interceptor()))
	if err != nil {
		return err
	}
	blogv1.RegisterCommentsServiceServer(srv, comments)
	srv.Go(comments.bus.Run)
	srv.Go(comments.rejectStrays)
	return srv.Serve(ctx)
}
