// Command subscriptions is the async stack's subscriptions service. It owns who follows whom, says so, and listens to nobody.
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
	flags := service.NewFlags("subscriptions", "127.0.0.1:7204")
	events := bus.AddFlags(flags.Set)
	log, err := flags.Parse(args, stdout)
	if err != nil {
		return err
	}
	db, err := flags.OpenStore(ctx, nil, store.SubscriptionsSchema, bus.Schema)
	if err != nil {
		return err
	}
	defer service.Close(log, "database", db)
	subscriptions := &server{
		db: db, bus: events.New(bus.Config{Service: "subscriptions", Topic: bus.Subscriptions, DB: db, Log: log, Trouble: flags.Trouble()}),
	}
	srv, err := service.NewServer(flags, log, grpc.ChainUnaryInterceptor(position.Tell, subscriptions.bus.Interceptor()))
	if err != nil {
		return err
	}
	blogv1.RegisterSubscriptionsServiceServer(srv, subscriptions)
	srv.Go(subscriptions.bus.Run)
	return srv.Serve(ctx)
}
