// Command moderation is the async stack's moderation service. It owns verdicts, and hears of comments by their events.
package main

import (
	"context"
	"io"

	"google.golang.org/grpc"

	"tandem/async/internal/bus"
	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/rules"
	"tandem/shared/service"
	"tandem/shared/store"
)

func main() { service.Main(run) }

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := service.NewFlags("moderation", "127.0.0.1:7203")
	blocked := flags.Set.String("blocked-words", rules.DefaultBlockedWords, "comma-separated words that no comment may hold")
	events := bus.AddFlags(flags.Set)
	log, err := flags.Parse(args, stdout)
	if err != nil {
		return err
	}
	db, err := flags.OpenStore(ctx, nil, store.VerdictsSchema, bus.Schema)
	if err != nil {
		return err
	}
	defer service.Close(log, "database", db)
	moderation := &server{
		db: db, bus: events.New(bus.Config{
			Service: "moderation", Topic: bus.Verdicts, DB: db, Log: log, Trouble: flags.Trouble(), Narrow: flags.Narrow(),
		}),
		policy: rules.NewPolicy(*blocked),
	}
	moderation.listen()
	srv, err := service.NewServer(flags, log, grpc.ChainUnaryInterceptor(moderation.bus.Interceptor()))
	if err != nil {
		return err
	}
	blogv1.RegisterModerationServiceServer(srv, moderation)
	srv.Go(moderation.bus.Run)
	return srv.Serve(ctx)
}
