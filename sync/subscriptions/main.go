// Command subscriptions is the sync stack's subscriptions service. It owns who follows whom, and calls nobody.
package main

import (
	"context"
	"io"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/effect"
	"tandem/shared/service"
	"tandem/shared/store"
	"tandem/sync/internal/peer"
)

func main() { service.Main(run) }

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := service.NewFlags("subscriptions", "127.0.0.1:7104")
	peer.AddFlags(flags.Set) // calls nobody, and takes the stack's flags all the same
	log, err := flags.Parse(args, stdout)
	if err != nil {
		return err
	}
	effects := effect.NewLog()
	db, err := flags.OpenStore(ctx, effects.Append, store.SubscriptionsSchema)
	if err != nil {
		return err
	}
	defer service.Close(log, "database", db)
	srv, err := service.NewServer(flags, log)
	if err != nil {
		return err
	}
	blogv1.RegisterSubscriptionsServiceServer(srv, &server{db: db})
	effects.Register(srv)
	return srv.Serve(ctx)
}
