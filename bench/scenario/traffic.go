package scenario

import (
	"context"

	"tandem/bench/brokerlog"
	"tandem/bench/cluster"
	"tandem/bench/history"
	"tandem/bench/load"
)

// traffic is what was said in a stack up to a moment.
type traffic struct {
	calls int64 // that services answered; -1 if one did not tell
	ends  brokerlog.Ends
}

// traffic counts what was said so far. The broker must answer: what is in its log must be known from the load's beginning on.
func (r *run) traffic(ctx context.Context) (t traffic, err error) {
	if t.calls, err = r.bed.Client.Calls(ctx); err != nil {
		r.lab.Log.Warn("calls are not counted", "err", err.Error())
		t.calls = -1
	}
	if !r.bed.Cluster.Has(cluster.Broker) {
		return t, nil
	}
	log := r.openLog()
	defer log.Close()
	t.ends, err = log.Ends(ctx)
	return t, err
}

func (r *run) openLog() *brokerlog.Log { return brokerlog.Open(r.bed.Cluster.Address(cluster.Broker)) }

// costTraffic takes the calls and messages of each operation from the steady window, which has just ended. Later processes are
// killed, and their counts with them. A broker that does not answer now leaves both unknown, and is no reason to end a run.
func (r *run) costTraffic(ctx context.Context, operations int) {
	looks := r.looks.Load()
	now, err := r.traffic(ctx)
	if err != nil {
		r.lab.Log.Warn("calls and messages are not counted", "err", err.Error())
		return
	}
	r.cost.RPCs, r.cost.Messages = perOperation(r.atStart, now, operations, int(looks))
}

// spoken is the calls that services answered, and the operations and looks that they were for; nothing if that is not known.
type spoken struct{ calls, operations int64 }

// spoken counts what was said so far, if a fault leaves every service able to tell.
func (r *run) spoken(ctx context.Context, step Step) spoken {
	if !step.NeedsServices() {
		return spoken{}
	}
	operations := r.sent.Load() + r.looks.Load()
	calls, err := r.bed.Client.Calls(ctx)
	if err != nil {
		r.lab.Log.Warn("calls during the fault are not counted", "err", err.Error())
		return spoken{}
	}
	return spoken{calls, operations}
}

// since is what was said between two moments; nothing if one of them is not known.
func (s spoken) since(from spoken) spoken {
	if from.calls == 0 || s.calls < from.calls {
		return spoken{}
	}
	return spoken{s.calls - from.calls, s.operations - from.operations}
}

func (s spoken) plus(more spoken) spoken {
	return spoken{s.calls + more.calls, s.operations + more.operations}
}

func (s spoken) perOperation() float64 {
	if s.operations == 0 {
		return 0
	}
	return float64(s.calls) / float64(s.operations)
}

// perOperation is the calls and the messages between two moments for each operation. The witness's looks are calls of users
// too, and so are operations among the calls; messages come from operations alone.
func perOperation(from, until traffic, ops, looks int) (rpcs, messages float64) {
	if ops == 0 {
		return 0, 0
	}
	if from.calls >= 0 && until.calls >= from.calls {
		rpcs = float64(until.calls-from.calls) / float64(ops+looks)
	}
	return rpcs, float64(until.ends.Since(from.ends)) / float64(ops)
}

// readLog notes what came into the broker's log since the load began.
func (r *run) readLog(ctx context.Context) error {
	if !r.bed.Cluster.Has(cluster.Broker) {
		return nil
	}
	log := r.openLog()
	defer log.Close()
	return log.Read(ctx, r.atStart.ends, r.out.Record)
}

// newWitness returns a witness whose looks are noted, and counted.
func (r *run) newWitness(ctx context.Context) *load.Witness {
	return load.NewWitness(ctx, load.WitnessConfig{
		Schedule: r.Schedule, Client: r.bed.Client,
		Sink: func(look history.Look) {
			r.looks.Add(1)
			r.out.Look(look)
		},
	})
}
