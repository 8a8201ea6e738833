// Package fault breaks one part or one link of a running stack and mends it again. A fault counts only once a probe has seen it,
// and it keeps the times that the judgement needs. One kind of fault is one file.
package fault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tandem/bench/history"
)

const (
	// confirmWithin is how soon a probe must see a fault after it was asked for.
	confirmWithin = 2 * time.Second
	// liftWithin bounds the mending, which no interruption of a run cuts short.
	liftWithin = 20 * time.Second
	// probeEvery is the pause between two looks of a probe.
	probeEvery = 5 * time.Millisecond
)

// Fault is one fault on one victim. Inject and Lift are called once each, in this order.
type Fault interface {
	// Inject breaks the victim and returns once a probe has seen it. If that is not within 2 s it is an error, and the record's
	// Problem. Lift is due in either case. On a stack without the victim it does nothing, and the record is Absent.
	Inject(ctx context.Context) error
	// Lift mends the victim and returns once a probe has seen that; otherwise it is an error, and the record's Problem. It does its
	// work also when ctx has ended, because a fault is always lifted. It does nothing if nothing was injected.
	Lift(ctx context.Context) error
	// Record returns what is known so far. End is the caller's to fill in.
	Record() history.Fault
}

// Clock returns the run time: how long ago the run began.
type Clock func() time.Duration

// deed is what a kind of fault does. Its functions get a bounded context.
type deed struct {
	// absent tells that the stack has no such victim.
	absent bool
	// do breaks the victim, and returns once a probe has seen it.
	do func(ctx context.Context) error
	// undo mends the victim, and returns once a probe has seen it. errNothingToMend if do has broken nothing.
	undo func(ctx context.Context) error
	// slow faults take longer than others to be seen: this long; 0 for confirmWithin.
	within time.Duration
}

// errNothingToMend says that a fault never was in effect, and so cannot be lifted.
var errNothingToMend = errors.New("there is nothing to mend")

// timed carries out a deed and keeps its times. It implements Fault.
type timed struct {
	deed
	now    Clock
	record history.Fault
	asked  bool
}

func newTimed(kind, victim string, now Clock, d deed) *timed {
	if d.within == 0 {
		d.within = confirmWithin
	}
	return &timed{deed: d, now: now, record: history.Fault{Name: kind, Victim: victim, Absent: d.absent}}
}

// Inject implements Fault.
func (t *timed) Inject(ctx context.Context) error {
	t.record.Asked = t.now()
	if t.absent {
		return nil
	}
	t.asked = true
	ctx, cancel := context.WithTimeout(ctx, t.within)
	defer cancel()
	if err := t.do(ctx); err != nil {
		return t.note(fmt.Errorf("the %s was not seen to take effect within %v: %w", t.record.Name, t.within, err))
	}
	t.record.InEffect = t.now()
	return nil
}

// Lift implements Fault.
func (t *timed) Lift(ctx context.Context) error {
	if !t.asked {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), liftWithin)
	defer cancel()
	t.record.LiftAsked = t.now()
	err := t.undo(ctx)
	if errors.Is(err, errNothingToMend) && t.record.InEffect == 0 {
		return nil // the record says that the fault did not work
	}
	if err != nil {
		return t.note(fmt.Errorf("the %s was not lifted: %w", t.record.Name, err))
	}
	t.record.Lifted = t.now()
	return nil
}

// Record implements Fault.
func (t *timed) Record() history.Fault { return t.record }

// note keeps the first problem: what follows is its consequence.
func (t *timed) note(err error) error {
	if t.record.Problem == "" {
		t.record.Problem = err.Error()
	}
	return err
}

// await looks until seen returns nil. If it does not before ctx ends, the error is what it returned last.
func await(ctx context.Context, seen func(context.Context) error) error {
	for {
		if err := seen(ctx); err == nil || sleep(ctx, probeEvery) != nil {
			return err
		}
	}
}

// sleep returns an error if ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
