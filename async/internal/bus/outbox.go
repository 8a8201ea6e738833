package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/segmentio/kafka-go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"tandem/shared/problem"
	"tandem/shared/store"
)

// outboxSchema has the columns of Debezium's outbox event router (topic for its aggregatetype, aggregateid, payload), plus the
// order (seq) and the headers. One writer at a time means that seq follows the order of commits.
const outboxSchema = `
CREATE TABLE IF NOT EXISTS outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  aggregatetype TEXT NOT NULL, -- the topic
  aggregateid BLOB,            -- the key; a dead letter of somebody else's may have none
  payload BLOB,
  headers BLOB NOT NULL        -- JSON: the id, the type and the trace context are in here
);`

// Publish makes an event about the aggregate that subject names part of the transaction: either both happen or neither.
// (At level Direct it is only noted, and published when the request has been carried out.)
func (b *Bus) Publish(ctx context.Context, tx *store.Tx, subject string, message proto.Message) error {
	event, err := b.newRow(ctx, subject, message)
	if err != nil {
		return err
	}
	if b.flags.Level == Direct {
		return note(ctx, event)
	}
	return b.store(tx, event)
}

func (b *Bus) store(tx *store.Tx, event row) error {
	headers, err := encodeHeaders(event.headers)
	if err != nil {
		return fmt.Errorf("encode headers: %w", err)
	}
	if _, err := tx.Exec(`INSERT INTO outbox (aggregatetype, aggregateid, payload, headers) VALUES (?, ?, ?, ?)`,
		event.topic, event.key, event.value, headers); err != nil {
		return fmt.Errorf("write outbox: %w", err)
	}
	tx.AfterCommit(b.wakeRelay)
	return nil
}

func (b *Bus) wakeRelay() {
	select {
	case b.wake <- struct{}{}:
	default: // it is awake already
	}
}

// notes are the events of one request at level Direct.
type notes struct {
	mu     sync.Mutex
	events []row
}

type notesKey struct{}

func withNotes(ctx context.Context) (context.Context, *notes) {
	n := &notes{}
	return context.WithValue(ctx, notesKey{}, n), n
}

func note(ctx context.Context, event row) error {
	n, ok := ctx.Value(notesKey{}).(*notes)
	if !ok {
		return errors.New("publish outside of a request or an event")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, event)
	return nil
}

// publishAfterCall publishes what a request noted, once it has been carried out: the dual write that the outbox exists to avoid.
func (b *Bus) publishAfterCall(
	ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler,
) (any, error) {
	if b.flags.Level != Direct {
		return handle(ctx, req)
	}
	ctx, noted := withNotes(ctx)
	reply, err := handle(ctx, req)
	if err != nil {
		return nil, err
	}
	if err := b.sendInTime(ctx, noted.events); err != nil {
		return nil, problem.New(problem.Unavailable, "stored, but not published", err)
	}
	return reply, nil
}

// Write runs fn in a transaction that no request asked for: an event that is applied, or a service's own housekeeping. What fn
// publishes is published like that of a request; at level Direct it is lost if that fails, as nobody is there to be told.
func (b *Bus) Write(ctx context.Context, fn func(context.Context, *store.Tx) error) error {
	ctx, noted := withNotes(ctx)
	if err := b.db.Write(ctx, func(tx *store.Tx) error { return fn(ctx, tx) }); err != nil {
		return err
	}
	if err := b.sendInTime(ctx, noted.events); err != nil {
		b.log.Error("event lost: its cause is stored, and it was not published", "err", err.Error())
	}
	return nil
}

// sendInTime is send for what nothing sends again: it must not wait for a broker that says nothing.
func (b *Bus) sendInTime(ctx context.Context, events []row) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return b.send(ctx, events)
}

// send publishes events, in order per key, each partition in one request. An error means that some may be published and some
// not.
func (b *Bus) send(ctx context.Context, events []row) error {
	batches := map[partition][]kafka.Record{}
	for _, e := range events {
		p := partition{e.topic, partitionOf(e.key)}
		batches[p] = append(batches[p], kafka.Record{
			Key: kafka.NewBytes(e.key), Value: kafka.NewBytes(e.value), Headers: e.headers,
		})
	}
	results := make(chan error, len(batches))
	for p, records := range batches {
		go func() { results <- b.produce(ctx, p, records) }()
	}
	var errs []error
	for range batches {
		errs = append(errs, <-results)
	}
	return errors.Join(errs...)
}

func (b *Bus) produce(ctx context.Context, p partition, records []kafka.Record) error {
	response, err := b.client.Produce(ctx, &kafka.ProduceRequest{
		Topic: p.topic, Partition: p.number, RequiredAcks: b.flags.acks, Records: kafka.NewRecordReader(records...),
	})
	if err == nil && response != nil { // at acks none there is no response
		err = response.Error
	}
	if err != nil {
		return fmt.Errorf("publish to %s/%d: %w", p.topic, p.number, err)
	}
	return nil
}

// partitionOf is the partition of a key: as Kafka's own clients choose it, so that events that others publish keep the order
// per key too.
func partitionOf(key []byte) int {
	all := make([]int, Partitions)
	for i := range all {
		all[i] = i
	}
	return kafka.Murmur2Balancer{}.Balance(kafka.Message{Key: key}, all...)
}
