// Command moderation is the sync stack's moderation service. It owns verdicts, and calls nobody.
package main

import (
	"context"
	"io"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/rules"
	"tandem/shared/service"
	"tandem/shared/store"
	"tandem/sync/internal/peer"
)

func main() { service.Main(run) }

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := service.NewFlags("moderation", "127.0.0.1:7103")
	blocked := flags.Set.String("blocked-words", rules.DefaultBlockedWords, "comma-separated words that no comment may hold")
	peer.AddFlags(flags.Set) // calls nobody, and takes the stack's flags all the same
	log, err := flags.Parse(args, stdout)
	if err != nil {
		return err
	}
	db, err := flags.OpenStore(ctx, nil, store.VerdictsSchema)
	if err != nil {
		return err
	}
	defer service.Close(log, "database", db)
	srv, err := service.NewServer(flags, log)
	if err != nil {
		return err
	}
	blogv1.RegisterModerationServiceServer(srv, &server{db: db, policy: rules.NewPolicy(*blocked)})
	return srv.Serve(ctx)
}
