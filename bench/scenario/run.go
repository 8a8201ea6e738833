package scenario

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"tandem/bench/cluster"
	"tandem/bench/fault"
	"tandem/bench/history"
	"tandem/bench/load"
	"tandem/bench/testbed"
	"tandem/bench/wire"
)

// Lab is where an experiment takes place.
type Lab struct {
	Cluster cluster.Config // Dir gets data/ and logs/; it must be new, for a fresh state
	History string         // path of the history to write
	Log     *slog.Logger
	Show    func(Progress) // nil for none; called from many goroutines
	// Patience is how long the drain waits without progress; 0 for load.DrainTimeout.
	Patience time.Duration
}

// Progress is how far a run is.
type Progress struct {
	Stage       string // "start", "preload", "load", "drain" or "look"
	Done, Total int    // in the stage's own units; Total 0 if there is nothing to count
	Failed      int    // of Done, in the load
	Waiting     int    // acknowledged writes that do not show yet, in the drain
	Down        string // the part that is down just now, or empty
}

// Cost is what a stack used.
type Cost struct {
	// CPUPerThousand is the CPU time of all its processes over the steady window, for each 1,000 operations intended in it. While a
	// part is down a stack that answers fewer operations would seem to work for less. 0 where the system does not tell.
	CPUPerThousand time.Duration `json:"cpu_per_thousand_ns"`
	// Memory is the resident memory of all its processes after the drain, in bytes; 0 where the system does not tell.
	Memory int64 `json:"memory_bytes"`
	// StartUp is from the first exec until all parts were SERVING.
	StartUp time.Duration `json:"start_up_ns"`
	// GeneratorCPU is the CPU time of the laboratory itself over the same window, for each 1,000 operations intended in it.
	GeneratorCPU time.Duration `json:"generator_cpu_per_thousand_ns"`
	// RPCs and Messages are the calls that services answered and the records that reached the broker, for each operation of the
	// steady window, users' calls included; 0 if that is not known. For RPCs the reads of the witness are operations too.
	RPCs     float64 `json:"rpcs_per_operation"`
	Messages float64 `json:"messages_per_operation"`
	// RPCsInFaults is RPCs while faults were in effect that leave every service able to tell (errors, slow calls and slow events); 0 if
	// there was none.
	RPCsInFaults float64 `json:"rpcs_per_operation_in_faults,omitempty"`
	// Preload is how long filling took, and DrainPreload how long until all of it showed on query's pages after that.
	Preload      time.Duration `json:"preload_ns"`
	DrainPreload time.Duration `json:"drain_preload_ns"`
}

// Run carries out the experiment on a fresh stack and writes its history. If ctx ends half-way, the fault under way is lifted, the
// stack is stopped, and the history is left without its end, so that nobody takes it for whole.
func (e *Experiment) Run(ctx context.Context, lab Lab) (cost Cost, err error) {
	r := &run{Experiment: e, lab: lab}
	defer r.prepare().Close()
	r.show(Progress{Stage: "start"})
	r.bed, err = testbed.Start(ctx, testbed.Config{
		Cluster: r.lab.Cluster, World: e.World, Clock: load.NewClock(), Deadline: e.Plan.Deadline, Retries: e.Plan.Retries,
		WaitForPosition: e.Plan.WaitForPosition, OnSend: r.sends, Log: lab.Log,
	})
	if err != nil {
		return Cost{}, err
	}
	defer func() { err = errors.Join(err, r.bed.Stop(ctx)) }()
	r.cost.StartUp = r.bed.Clock.Now()
	if r.out, err = history.Create(lab.History, r.header()); err != nil {
		return Cost{}, err
	}
	if err := r.work(ctx); err != nil {
		return Cost{}, errors.Join(err, r.out.Abort())
	}
	return r.cost, r.out.Finish()
}

// prepare has the links that the faults hurt go through a net, which the caller closes, and the services take orders from the
// laboratory if a fault needs that. What no fault needs is left out, because it costs time.
func (r *run) prepare() *wire.Net {
	var links []wire.Link
	for _, step := range r.Plan.Steps {
		links = append(links, step.Links(r.lab.Cluster.Stack)...)
		r.lab.Cluster.LabFaults = r.lab.Cluster.LabFaults || step.NeedsServices()
	}
	if r.Plan.Delay > 0 {
		links = append(links, userLinks()...)
	}
	r.lab.Cluster.ReplyAfterVerdict = r.Plan.RequestReply
	r.lab.Cluster.Narrow = narrowed(r.Plan.Narrow)
	r.net = wire.New(links, nil)
	r.lab.Cluster.Via = r.net.Via
	return r.net
}

// run is one experiment under way.
type run struct {
	*Experiment
	lab  Lab
	net  *wire.Net
	bed  *testbed.Testbed
	out  *history.Writer
	ops  []*history.Operation // of all phases so far
	cost Cost

	before  testbed.Spent // the load
	atStart traffic       // of the load
	looks   atomic.Int64
	struck  spoken       // while faults were in effect
	sent    atomic.Int64 // operations of the load
	witness *load.Witness
	down    atomic.Pointer[string]
}

// sends hears of an operation that is about to be sent.
func (r *run) sends(o *history.Operation) {
	r.sent.Add(1)
	r.out.Invoke(o)
}

func (r *run) show(p Progress) {
	if r.lab.Show != nil {
		r.lab.Show(p)
	}
}

func (r *run) header() history.Header {
	return history.Header{
		Stack: r.lab.Cluster.Stack, Level: r.lab.Cluster.Level(), Mistake: r.lab.Cluster.Mistake, Seed: r.Plan.Seed, Schedule: r.Schedule.Hash(),
		Start: r.bed.Clock.Start(), OfferedRate: r.Plan.Rate, Length: r.Plan.Length(), Deadline: r.Plan.Deadline,
		Clients: r.Plan.Clients, Waits: r.Plan.WaitForPosition, RequestReply: r.Plan.RequestReply,
	}
}

// work is everything between the start of the stack and its stop.
func (r *run) work(ctx context.Context) error {
	r.witness = r.newWitness(ctx)
	defer r.witness.Stop()
	for _, step := range []func(context.Context) error{r.preload, r.loadAndBreak, r.drain, r.look, r.readLog} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	r.bed.StopWatching() // the last effect has come, or the wait for it was given up
	for _, effect := range r.bed.Effects.List() {
		r.out.Effect(effect)
	}
	return nil
}

// preload fills the stack, and waits until all of it shows.
func (r *run) preload(ctx context.Context) error {
	filling, err := r.bed.Fill(ctx, func(done, total int) { r.show(Progress{Stage: "preload", Done: done, Total: total}) })
	r.record(filling.Operations)
	r.cost.Preload, r.cost.DrainPreload = filling.Took, filling.Drained
	return errors.Join(err, r.out.Err())
}

func (r *run) record(ops []*history.Operation) {
	for _, o := range ops {
		r.out.Complete(o)
	}
	r.ops = append(r.ops, ops...)
}

// runUp is the time between the call of load.Run and the first operation.
const runUp = 200 * time.Millisecond

// loadAndBreak sends the schedule, and goes through the victims beside it.
func (r *run) loadAndBreak(ctx context.Context) (err error) {
	if r.atStart, err = r.traffic(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := r.delayUsers(); err != nil {
		return err
	}
	start := r.bed.Clock.Now() + runUp
	r.before = r.bed.Spent()
	faults := make(chan error, 1)
	go func() {
		err := r.breakEach(ctx, start)
		if err != nil {
			cancel(err)
		}
		faults <- err
	}()
	var done, failed atomic.Int64
	ops, err := load.Run(ctx, load.RunConfig{
		Schedule: r.Schedule, Client: r.bed.Client, Clock: r.bed.Clock, Start: start,
		OnDone: func(o *history.Operation) {
			r.out.Complete(o)
			if err := r.out.Err(); err != nil { // a run that is not recorded is for nothing
				cancel(err)
			}
			r.witness.Watch(o)
			r.showLoad(o, &done, &failed)
		},
	})
	r.ops = append(r.ops, ops...)
	if broken := <-faults; broken != nil {
		return broken
	}
	if err == nil {
		r.out.Generator(r.before.Generator(r.bed.Spent()))
	}
	return err
}

func (r *run) showLoad(o *history.Operation, done, failed *atomic.Int64) {
	p := Progress{Stage: "load", Done: int(done.Add(1)), Total: len(r.Schedule.Ops)}
	if o.Outcome != history.OK {
		failed.Add(1)
	}
	p.Failed = int(failed.Load())
	if part := r.down.Load(); part != nil {
		p.Down = *part
	}
	r.show(p)
}

// passSteady waits for the end of the steady window, in which both stacks answer everything, and notes what it cost.
func (r *run) passSteady(ctx context.Context, start time.Duration) error {
	if err := r.waitUntil(ctx, start+r.Plan.steadyLength()); err != nil {
		return err
	}
	after, operations := r.bed.Spent(), dueBefore(r.Schedule, r.Plan.steadyLength())
	r.cost.CPUPerThousand = perThousand(after.Stack-r.before.Stack, operations)
	r.cost.GeneratorCPU = perThousand(after.Lab-r.before.Lab, operations)
	r.costTraffic(ctx, operations)
	return nil
}

// breakEach injects and lifts one fault after the other, each in its slot. A fault that cannot be confirmed is
// recorded as such, and judged; one that cannot be lifted ends the run, which is no experiment any more.
func (r *run) breakEach(ctx context.Context, start time.Duration) error {
	if err := r.passSteady(ctx, start); err != nil {
		return err
	}
	slot := start + r.Plan.Steady
	for i, step := range r.Plan.Steps {
		if err := r.takeStep(ctx, uint64(i), slot, step); err != nil {
			return err
		}
		slot += step.length()
	}
	return r.waitUntil(ctx, slot)
}

// takeStep carries out one step, whose slot begins at a run time.
func (r *run) takeStep(ctx context.Context, n uint64, slot time.Duration, step Step) error {
	f, err := fault.New(fault.Env{
		Stack: r.bed.Cluster, Net: r.net, Now: r.bed.Clock.Now, Seed: r.Plan.Seed + n, Sent: r.sent.Load, Rate: r.Plan.Rate,
	}, step.Spec)
	if err != nil {
		return err
	}
	if err := r.waitUntil(ctx, slot+step.Before); err != nil {
		return err
	}
	inject := f.Inject(ctx)
	if !f.Record().Absent {
		r.down.Store(new(step.String()))
	}
	begun := r.spoken(ctx, step)
	interrupted := r.waitUntil(ctx, slot+step.Before+step.For)
	r.struck = r.struck.plus(r.spoken(ctx, step).since(begun))
	r.cost.RPCsInFaults = r.struck.perOperation()
	lift := f.Lift(ctx)
	r.down.Store(nil)
	record := f.Record()
	record.End = slot + step.length()
	if step.Kind == fault.Slow {
		record.Delay = step.Delay
	}
	r.out.Fault(record)
	if err := errors.Join(interrupted, lift); err != nil {
		return errors.Join(err, inject)
	}
	if inject != nil {
		r.lab.Log.Warn("fault not confirmed", "fault", step.String(), "err", inject.Error())
	}
	return nil
}

// waitUntil waits for a run time. A part that ends although nobody asked is an error: what is measured after that is not what
// the plan says. So is a history that cannot be written.
func (r *run) waitUntil(ctx context.Context, t time.Duration) error {
	timer := time.NewTimer(t - r.bed.Clock.Now())
	defer timer.Stop()
	select {
	case <-timer.C:
		return r.out.Err()
	case exit := <-r.bed.Cluster.Unexpected():
		return exit
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// drain waits until every acknowledged write shows on query's pages.
func (r *run) drain(ctx context.Context) error {
	r.show(Progress{Stage: "drain"})
	drained := load.AwaitDrain(ctx, load.DrainConfig{
		Client: r.bed.Client, Effects: r.bed.Effects, Operations: r.ops, Timeout: r.lab.Patience,
		Progress: func(pending int) { r.show(Progress{Stage: "drain", Waiting: pending}) },
	})
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	r.cost.Memory = r.bed.Usage().RSS
	if n := r.witness.Wait(); n > 0 {
		r.lab.Log.Warn("too many writes were looked for at once: take a smaller share", "overlooked", n)
	}
	if drained.At > 0 {
		r.out.Drained(drained.At)
	}
	return nil
}

// settleWithin bounds how long look waits for two looks that agree.
const settleWithin = 30 * time.Second

// look records what is there in the end. It looks until two looks agree: a write that got no answer, or an owner that hears of a
// deletion, may still be at work, and what is on its way must not pass for lost.
func (r *run) look(ctx context.Context) error {
	r.show(Progress{Stage: "look"})
	var last []history.Final
	for deadline := r.bed.Clock.Now() + settleWithin; ; {
		finals, err := load.Observe(ctx, r.bed.Client, r.ops, r.Plan.Sample)
		if err != nil {
			return err
		}
		settled := slices.Equal(finals, last)
		last = finals
		if settled {
			break
		}
		if r.bed.Clock.Now() > deadline {
			r.out.Unsettled()
			break
		}
	}
	for _, f := range last {
		r.out.Final(f)
	}
	return nil
}

// perThousand is a time per 1,000 operations of n.
func perThousand(d time.Duration, n int) time.Duration { return d * 1000 / time.Duration(max(1, n)) }
