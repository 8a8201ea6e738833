package fault

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"

	"tandem/bench/cluster"
)

// diskTopic gets the records by which a full disk is seen. Their type is no event's, so every consumer passes them over.
const diskTopic = "blog.subscriptions"

// disk is a broker that can store nothing more: the system refuses every write that would make one of its files longer. It must refuse
// records then, and take them again when there is room. A record that it acknowledges all the same is lost sooner or later.
type disk struct {
	*stray
	env Env
}

func newDiskFull(e Env, s Spec) Fault {
	producer := newProducer(e, s)
	producer.spec.Victim = diskTopic
	d := &disk{stray: producer, env: e}
	return newTimed(s.Kind, s.Victim, e.Now, deed{absent: !e.Stack.Has(cluster.Broker), do: d.begin, undo: d.free})
}

func (d *disk) begin(ctx context.Context) error {
	if err := d.env.Stack.FillDisk(cluster.Broker); err != nil {
		return err
	}
	return await(ctx, func(ctx context.Context) error {
		err := d.probe(ctx)
		if err == nil {
			return errors.New("the broker still takes records")
		}
		if refused := kafka.Error(0); !errors.As(err, &refused) {
			return fmt.Errorf("the broker should refuse a record and say so: %w", err)
		}
		return nil
	})
}

func (d *disk) free(ctx context.Context) error {
	if err := d.env.Stack.FreeDisk(cluster.Broker); err != nil {
		return err
	}
	defer func() { _ = d.end(ctx) }()
	return await(ctx, d.probe)
}

// probe returns nil if the broker stores a record.
func (d *disk) probe(ctx context.Context) error {
	id := fmt.Sprintf("probe-%016x", d.dice.Uint64())
	return d.put(ctx, 0, cloudEvent("lab.v1.Probe", id, id, []byte{0}))
}
