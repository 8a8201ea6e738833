// Command query is the async stack's query service. It owns a read model that follows the events of posts, comments and
// subscriptions, and can be deleted and rebuilt from the log at any time.
package main

import (
	"context"
	"io"

	"google.golang.org/grpc"

	"tandem/async/internal/bus"
	"tandem/async/internal/position"
	blogv1 "tandem/proto/blog/v1"
	labv1 "tandem/proto/lab/v1"
	"tandem/shared/effect"
	"tandem/shared/service"
	"tandem/shared/store"
)

func main() { service.Main(run) }

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := service.NewFlags("query", "127.0.0.1:7205")
	events := bus.AddFlags(flags.Set)
	log, err := flags.Parse(args, stdout)
	if err != nil {
		return err
	}
	effects, readers := effect.NewLog(), position.NewReaders()
	onCommit := func(changed []*labv1.Effect) {
		effects.Append(changed)
		readers.Wake(changed)
	}
	db, err := flags.OpenStore(ctx, onCommit, store.PostsSchema, store.ShownCommentsSchema, store.AuthorsSchema, bus.Schema)
	if err != nil {
		return err
	}
	defer service.Close(log, "database", db)
	query := &server{db: db, bus: events.New(bus.Config{Service: "query", DB: db, Log: log, Trouble: flags.Trouble()})}
	query.listen()
	srv, err := service.NewServer(flags, log, grpc.ChainUnaryInterceptor(readers.Wait(query.applied)))
	if err != nil {
		return err
	}
	blogv1.RegisterQueryServiceServer(srv, query)
	effects.Register(srv)
	srv.Go(query.bus.Run)
	return srv.Serve(ctx)
}
