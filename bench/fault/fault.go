// Package fault breaks one part of a running stack and mends it again. A fault counts only once a probe has seen it, and it
// keeps the times that the judgement needs. One kind of fault is one file.
package fault

import (
	"context"
	"time"

	"tandem/bench/history"
)

const (
	// confirmWithin is how soon a probe must see a fault after it was asked for.
	confirmWithin = 2 * time.Second
	// liftWithin bounds the mending, which no interruption of a run cuts short.
	liftWithin = 20 * time.Second
)

// Fault is one fault on one victim. Inject and Lift are called once each, in this order.
type Fault interface {
	// Inject breaks the victim and returns once a probe has seen it. If that is not within 2 s it is an error, and the record's
	// Problem. Lift is due in either case. On a stack without the victim it does nothing, and the record is Absent.
	Inject(ctx context.Context) error
	// Lift mends the victim and returns once it is SERVING; otherwise it is an error, and the record's Problem. It does its work
	// also when ctx has ended, because a fault is always lifted. It does nothing if nothing was injected.
	Lift(ctx context.Context) error
	// Record returns what is known so far. End is the caller's to fill in.
	Record() history.Fault
}

// Clock returns the run time: how long ago the run began.
type Clock func() time.Duration

// note keeps the first problem: what follows is its consequence.
func note(record *history.Fault, err error) error {
	if err != nil && record.Problem == "" {
		record.Problem = err.Error()
	}
	return err
}
