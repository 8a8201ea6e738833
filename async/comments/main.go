// Command comments is the async stack's comments service. It owns comments, and hears of posts and of verdicts by their events.
package main

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"

	"tandem/async/internal/bus"
	"tandem/async/internal/position"
	blogv1 "tandem/proto/blog/v1"
	labv1 "tandem/proto/lab/v1"
	"tandem/shared/service"
	"tandem/shared/store"
)

func main() { service.Main(run) }

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := service.NewFlags("comments", "127.0.0.1:7202")
	events := bus.AddFlags(flags.Set)
	patience := flags.Set.Duration("unknown-post-after", 30*time.Second,
		"how long a comment waits for word of its post before it is rejected")
	afterVerdict := flags.Set.Bool("reply-after-verdict", false,
		"answer CreateComment only when moderation's verdict has come back through the broker, within the caller's deadline (2s without one)")
	log, err := flags.Parse(args, stdout)
	if err != nil {
		return err
	}
	var onCommit func([]*labv1.Effect)
	comments := &server{log: log, patience: *patience}
	if *afterVerdict {
		if events.Level == bus.Direct { // the event would be published after the answer, which waits for what it brings about
			return errors.New("reply-after-verdict: use level outbox or above")
		}
		comments.replies = newReplies()
		onCommit = comments.replies.wake
	}
	db, err := flags.OpenStore(ctx, onCommit, store.CommentsSchema, inboundSchema, bus.Schema)
	if err != nil {
		return err
	}
	defer service.Close(log, "database", db)
	comments.db = db
	comments.bus = events.New(bus.Config{Service: "comments", Topic: bus.Comments, DB: db, Log: log, Trouble: flags.Trouble()})
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
