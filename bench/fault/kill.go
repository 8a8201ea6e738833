package fault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tandem/bench/cluster"
	"tandem/bench/history"
)

// Processes is what a kill needs of a stack. *cluster.Cluster has it.
type Processes interface {
	// Has tells whether the stack has a part of that name.
	Has(part string) bool
	// Kill returns once the part's process is gone and its address refuses connections.
	Kill(ctx context.Context, part string) error
	// Restart returns once the part is SERVING; cluster.ErrRunning if it was never down.
	Restart(ctx context.Context, part string) (execAt time.Time, err error)
}

// Kill ends the victim with SIGKILL, and lifts that by starting it again with the same address and data.
type Kill struct {
	processes Processes
	now       Clock
	record    history.Fault
	asked     bool
}

// NewKill returns a kill of one part, whose times are read from now.
func NewKill(processes Processes, victim string, now Clock) *Kill {
	return &Kill{processes: processes, now: now, record: history.Fault{Name: "kill", Victim: victim}}
}

// Inject implements Fault.
func (k *Kill) Inject(ctx context.Context) error {
	k.record.Asked = k.now()
	if k.record.Absent = !k.processes.Has(k.record.Victim); k.record.Absent {
		return nil
	}
	k.asked = true
	ctx, cancel := context.WithTimeout(ctx, confirmWithin)
	defer cancel()
	if err := k.processes.Kill(ctx, k.record.Victim); err != nil {
		return note(&k.record, fmt.Errorf("the kill was not seen to take effect within %v: %w", confirmWithin, err))
	}
	k.record.InEffect = k.now()
	return nil
}

// Lift implements Fault.
func (k *Kill) Lift(ctx context.Context) error {
	if !k.asked {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), liftWithin)
	defer cancel()
	k.record.LiftAsked = k.now()
	_, err := k.processes.Restart(ctx, k.record.Victim)
	if errors.Is(err, cluster.ErrRunning) && k.record.InEffect == 0 {
		return nil // the kill did not work, as the record says: there is nothing to mend
	}
	if err != nil {
		return note(&k.record, fmt.Errorf("the kill was not lifted: %w", err))
	}
	k.record.Lifted = k.now()
	return nil
}

// Record implements Fault.
func (k *Kill) Record() history.Fault { return k.record }
