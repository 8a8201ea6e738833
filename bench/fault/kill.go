package fault

import (
	"context"
	"errors"

	"tandem/bench/cluster"
)

// NewKill returns the fault that ends a part with SIGKILL, and starts it again with the same address and data. The times are read
// from now.
func NewKill(processes Processes, victim string, now Clock) Fault {
	return newTimed(Kill, victim, now, deed{
		absent: !processes.Has(victim),
		do:     func(ctx context.Context) error { return processes.Kill(ctx, victim) },
		undo:   restart(processes, victim),
	})
}

// restart starts a part that is down.
func restart(processes Processes, victim string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := processes.Restart(ctx, victim)
		if errors.Is(err, cluster.ErrRunning) {
			return errors.Join(errNothingToMend, err)
		}
		return err
	}
}
