package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"tandem/bench/history"
)

// MaxInFlight is how many operations may be under way at once unless told otherwise. At a deadline of 1 s it holds back
// nothing below 4,096 operations a second, however long the services stall.
const MaxInFlight = 4096

// Doer performs operations; Client is one.
type Doer interface {
	// Do performs an operation that is due, and returns what became of it.
	Do(ctx context.Context, p *Planned, due Due) *history.Operation
	// Drop returns the record of an operation that is not sent.
	Drop(p *Planned, due Due) *history.Operation
}

// RunConfig says what Run sends, to whom and when.
type RunConfig struct {
	Schedule    *Schedule
	Client      Doer
	Clock       Clock
	Start       time.Duration              // run time at which the schedule begins; leave 100 ms for getting there
	MaxInFlight int                        // 0 for MaxInFlight
	OnDone      func(o *history.Operation) // nil for none; called as each ends, from many goroutines
}

// Run sends each operation at its intended time, whatever became of those before it (an open loop), and waits for the last
// answer, which the deadlines bound. It returns the operations in the order of the schedule. If ctx ends, it returns those
// sent so far and an error.
func Run(ctx context.Context, cfg RunConfig) ([]*history.Operation, error) {
	if cfg.MaxInFlight == 0 {
		cfg.MaxInFlight = MaxInFlight
	}
	g := &generator{cfg: cfg, ops: make([]*history.Operation, len(cfg.Schedule.Ops)), jobs: make(chan job)}
	sent := pace(ctx, cfg.Clock, g.moment, func(i int, due Due) { g.send(ctx, job{i, due}) })
	close(g.jobs)
	g.workers.Wait()
	if sent < len(g.ops) {
		return g.ops[:sent], fmt.Errorf("the load was interrupted after %d of %d operations: %w", sent, len(g.ops), context.Cause(ctx))
	}
	return g.ops, nil
}

type generator struct {
	cfg      RunConfig
	ops      []*history.Operation // each written by one worker
	inFlight atomic.Int64
	jobs     chan job // for workers who have nothing to do
	workers  sync.WaitGroup
}

// job is one operation of the schedule, for a worker.
type job struct {
	i   int
	due Due
}

func (g *generator) moment(i int) (t time.Duration, ok bool) {
	if i >= len(g.ops) {
		return 0, false
	}
	return g.cfg.Start + g.cfg.Schedule.Ops[i].At, true
}

// send starts an operation and returns at once. A worker who is idle takes it, or a new one: a goroutine that has done a call
// before has the stack for the next one, and growing it anew for each costs a tenth of the generator's CPU.
func (g *generator) send(ctx context.Context, j job) {
	if g.inFlight.Add(1) > int64(g.cfg.MaxInFlight) {
		g.inFlight.Add(-1)
		g.done(j.i, g.cfg.Client.Drop(&g.cfg.Schedule.Ops[j.i], j.due))
		return
	}
	select {
	case g.jobs <- j:
	default:
		g.workers.Go(func() { g.work(ctx, j) })
	}
}

// work does a job, and then those that come.
func (g *generator) work(ctx context.Context, j job) {
	for more := true; more; j, more = <-g.jobs {
		g.done(j.i, g.cfg.Client.Do(ctx, &g.cfg.Schedule.Ops[j.i], j.due))
		g.inFlight.Add(-1)
	}
}

func (g *generator) done(i int, o *history.Operation) {
	g.ops[i] = o
	if g.cfg.OnDone != nil {
		g.cfg.OnDone(o)
	}
}
