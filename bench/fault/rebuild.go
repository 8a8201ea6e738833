package fault

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"tandem/bench/cluster"
)

// newRebuild stops query, deletes its database, and starts it again: it must rebuild its read model from the log. In sync query has
// nothing to rebuild.
func newRebuild(e Env, s Spec) Fault {
	return newTimed(Rebuild, s.Victim, e.Now, deed{
		absent: e.Stack.Stack() == cluster.Sync,
		do: func(ctx context.Context) error {
			if err := e.Stack.StopPart(ctx, s.Victim); err != nil {
				return err
			}
			return empty(e.Stack.DataDir(s.Victim))
		},
		undo:   restart(e.Stack, s.Victim),
		within: liftWithin,
	})
}

// empty removes what is in a folder.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return fmt.Errorf("delete the read model: %w", err)
		}
	}
	return nil
}
