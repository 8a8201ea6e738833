package fault

import (
	"context"
	"fmt"
	"time"

	"tandem/bench/wire"
)

// Processes is what a kill needs of a stack.
type Processes interface {
	// Has tells whether the stack has a part of that name.
	Has(part string) bool
	// Kill returns once the part's process is gone and its address refuses connections.
	Kill(ctx context.Context, part string) error
	// Restart returns once the part is SERVING; cluster.ErrRunning if it was never down.
	Restart(ctx context.Context, part string) (execAt time.Time, err error)
}

// Stack is what faults do to the parts of a stack. *cluster.Cluster has it.
type Stack interface {
	Processes
	// Stack returns which one it is.
	Stack() string
	// Parts are the parts, in the order of their start.
	Parts() []string
	// Address is where a part listens.
	Address(part string) string
	// DataDir is where a part keeps its data.
	DataDir(part string) string
	// StopPart returns once the part has stopped in good order.
	StopPart(ctx context.Context, part string) error
	// Provoke runs provoke, and returns once the part has ended because of it.
	Provoke(ctx context.Context, part string, provoke func() error) error
	// Pause and Resume return once the part's process stands still, and goes on.
	Pause(ctx context.Context, part string) error
	Resume(ctx context.Context, part string) error
	// StartTwin returns once a second process of a part is SERVING over the same data, and StopTwin once that one has stopped.
	StartTwin(ctx context.Context, part string) error
	StopTwin(ctx context.Context, part string) error
	// FillDisk and FreeDisk have a part find no room on its disk, and find it again.
	FillDisk(part string) error
	FreeDisk(part string) error
	// Answers and AnswersAt return nil once the part says that it does its work, the latter by another address.
	Answers(ctx context.Context, part string) error
	AnswersAt(ctx context.Context, part, address string) error
}

// Env is where faults happen.
type Env struct {
	Stack Stack
	Net   *wire.Net // with all links of Spec.Links; nil if there are none
	Now   Clock
	Seed  uint64 // of what a fault leaves to chance
	// Sent is how many operations of the load were sent so far, and Rate how many are a second outside of bursts. Only bursts need them.
	Sent func() int64
	Rate float64
}

// New returns a fault that is ready to be injected.
func New(e Env, s Spec) (Fault, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	switch s.Kind {
	case Kill:
		return NewKill(e.Stack, s.Victim, e.Now), nil
	case Stop:
		return newStop(e, s), nil
	case Pause:
		return newPause(e, s), nil
	case Zombie:
		return newZombie(e, s), nil
	case Rolling:
		return newRolling(e), nil
	case Crash:
		return newCrash(e, s)
	case Burst:
		return newBurst(e, s)
	case Rebuild:
		return newRebuild(e, s), nil
	case SlowCalls, SlowEvents, Errors:
		return newMisbehaviour(e, s), nil
	case Poison, Duplicate:
		return newStray(e, s), nil
	case DiskFull:
		return newDiskFull(e, s), nil
	case Schema:
		return newSchema(e, s), nil
	case Slow, Partition, Reset, Bandwidth:
		return newNetwork(e, s)
	}
	return nil, fmt.Errorf("fault %q is not built", s.Kind)
}
