package bus

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"google.golang.org/protobuf/proto"

	"tandem/shared/crash"
	"tandem/shared/mutant"
	"tandem/shared/store"
)

// inboxSchema holds where each partition is to be read on, and which events were applied. The inbox is kept for ever: nobody
// can say how late a double may come.
const inboxSchema = `
CREATE TABLE IF NOT EXISTS inbox_offsets (
  topic TEXT NOT NULL,
  number INTEGER NOT NULL, -- of the partition
  next INTEGER NOT NULL,   -- the offset to read next
  PRIMARY KEY (topic, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inbox (
  source TEXT NOT NULL, -- CloudEvents: source and id together name an event
  id TEXT NOT NULL,
  PRIMARY KEY (source, id)
) WITHOUT ROWID;`

type partition struct {
	topic  string
	number int
}

// progress is how far one partition has been applied.
type progress struct {
	partition
	next int64 // offset; its consumer's alone, as is end
	end  int64 // offset behind the last record, as the broker told last

	mu            sync.Mutex
	caughtUpSince time.Time // zero while behind or out of touch
}

// handler applies one event in a transaction.
type handler func(ctx context.Context, tx *store.Tx, value []byte) error

// PoisonError says that an event can never be applied, and why.
type PoisonError struct{ Reason string }

// Error returns the reason.
func (e *PoisonError) Error() string { return "can never be applied: " + e.Reason }

// Poison returns a PoisonError.
func Poison(format string, args ...any) error {
	return &PoisonError{Reason: fmt.Sprintf(format, args...)}
}

// On applies the events of type M on a topic with apply. Events of other types on that topic are passed over, if they are somebody
// else's: see passOver. Call it before Run. An apply that returns Poison is not tried again; any other error is.
func On[M any, E interface {
	*M
	proto.Message
}](b *Bus, topic string, apply func(ctx context.Context, tx *store.Tx, event E) error) {
	if b.routes[topic] == nil {
		b.routes[topic] = map[string]handler{}
		for n := range Partitions {
			b.partitions[partition{topic, n}] = &progress{partition: partition{topic, n}}
		}
	}
	name := string(E(new(M)).ProtoReflect().Descriptor().FullName())
	b.routes[topic][name] = func(ctx context.Context, tx *store.Tx, value []byte) error {
		event := E(new(M))
		if len(value) == 0 { // a tombstone, which would be read as an event with nothing in it
			return Poison("a %s without content", name)
		}
		if err := decode(value, event); err != nil {
			return Poison("not a %s: %v", name, err)
		}
		return apply(ctx, tx, event)
	}
}

// message is one record, read.
type message struct {
	offset  int64
	key     []byte
	value   []byte
	headers []kafka.Header
}

// consume reads one partition from where its database says, and applies it, until ctx ends. A service that owns all partitions
// needs no consumer group, and so waits for no session of a member that was killed.
func (b *Bus) consume(ctx context.Context, p *progress) {
	_ = b.readOffset(ctx, p) // an error is ctx's end
	for ctx.Err() == nil {
		var batch []message
		err := b.retry(ctx, "read "+p.topic, func(context.Context) (err error) {
			batch, err = b.fetch(ctx, p)
			return err
		})
		if err != nil || len(batch) == 0 {
			continue
		}
		for _, portion := range b.portions(batch) {
			if !b.digest(ctx, p, portion) {
				break // nothing may be applied past what was not
			}
		}
		p.keepUp()
	}
}

// portions is a batch as it is to be applied: whole, or, if the laboratory delays events, one by one.
func (b *Bus) portions(batch []message) [][]message {
	if !b.trouble.SlowsEvents() && b.narrow == nil {
		return [][]message{batch}
	}
	return slices.Collect(slices.Chunk(batch, 1))
}

// digest applies messages, trying until it works. What is applied is applied whole or not at all. It returns false if they were not:
// ctx has ended, or another process has moved the partition's offset on. Then that process goes on there, or this one does if the
// other is gone: what is fetched next is from where the database says.
func (b *Bus) digest(ctx context.Context, p *progress, batch []message) bool {
	if b.trouble.Event(ctx) != nil || b.narrow.Event(ctx, header(batch[0].headers, headerType)) != nil {
		return false
	}
	fenced := false
	err := b.retry(ctx, "apply "+p.topic, func(context.Context) error {
		err := b.apply(ctx, p, batch)
		if err != nil {
			p.behind()
		}
		if fenced = errors.Is(err, errFenced); fenced {
			b.log.Warn("fenced", "topic", p.topic, "partition", p.number, "offset", p.next, "err", err.Error())
			return nil
		}
		return err
	})
	if fenced {
		err = b.readOffset(ctx, p)
	}
	return err == nil && !fenced
}

// readOffset reads where a partition is to be read on, trying until it works; it returns ctx's error if that ends first.
func (b *Bus) readOffset(ctx context.Context, p *progress) error {
	return b.retry(ctx, "read the offset of "+p.topic, func(ctx context.Context) error { return b.loadNext(ctx, p) })
}

func (b *Bus) loadNext(ctx context.Context, p *progress) error {
	err := store.QueryRow(ctx, b.db, `SELECT next FROM inbox_offsets WHERE topic = ? AND number = ?`, p.topic, p.number).
		Scan(&p.next)
	if mutant.On(mutant.StartAtEnd) && errors.Is(err, sql.ErrNoRows) {
		return b.startAtEnd(ctx, p)
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read offset of %s/%d: %w", p.topic, p.number, err)
	}
	return nil
}

// startAtEnd is a mistake: what was published before would never be read.
func (b *Bus) startAtEnd(ctx context.Context, p *progress) error {
	response, err := b.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{p.topic: {kafka.LastOffsetOf(p.number)}},
	})
	if err != nil {
		return err
	}
	for _, found := range response.Topics[p.topic] {
		p.next, err = found.LastOffset, found.Error
	}
	return err
}

const (
	// fetchBytes bounds one answer of the broker.
	fetchBytes = 1 << 20
	// fetchWait is how long the broker holds a request for which it has nothing: the answer comes at once when it has.
	fetchWait = time.Second
)

// fetch returns the next records of a partition; none if none came in time.
func (b *Bus) fetch(ctx context.Context, p *progress) ([]message, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWait+attemptTimeout)
	defer cancel()
	response, err := b.client.Fetch(ctx, &kafka.FetchRequest{
		Topic: p.topic, Partition: p.number, Offset: p.next, MinBytes: 1, MaxBytes: fetchBytes, MaxWait: fetchWait,
	})
	if err == nil {
		err = response.Error
	}
	if err != nil {
		p.behind()
		if errors.Is(err, kafka.OffsetOutOfRange) {
			// Skipping to where the log begins would lose events in silence, and starting over would need an empty database.
			b.log.Error("the broker does not have the offset that comes next: its log was lost or cut. "+
				"Restore the log, or stop the service and delete its database to start over",
				"topic", p.topic, "partition", p.number, "offset", p.next)
		}
		return nil, err
	}
	batch, err := readAll(response.Records, p.next)
	if err != nil {
		return nil, fmt.Errorf("read %s/%d at %d: %w", p.topic, p.number, p.next, err)
	}
	p.end = response.HighWatermark
	if len(batch) == 0 {
		p.keepUp()
	}
	return batch, nil
}

// readAll reads records from offset next on; a batch may begin before it.
func readAll(records kafka.RecordReader, next int64) (batch []message, err error) {
	for {
		record, err := records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return batch, nil
		}
		if err != nil {
			return nil, err
		}
		m := message{offset: record.Offset, headers: record.Headers}
		if m.key, err = kafka.ReadAll(record.Key); err != nil {
			return nil, err
		}
		if m.value, err = kafka.ReadAll(record.Value); err != nil {
			return nil, err
		}
		if m.offset >= next {
			batch = append(batch, m)
		}
	}
}

// apply applies a batch in one transaction. If one of its events is poison, it applies them one by one, so that only that one
// is put aside.
func (b *Bus) apply(ctx context.Context, p *progress, batch []message) error {
	for len(batch) > 0 && batch[0].offset < p.next {
		batch = batch[1:] // applied in an attempt before
	}
	if len(batch) == 0 {
		return nil
	}
	err := b.applyAll(ctx, p, batch)
	var poison *PoisonError
	if !errors.As(err, &poison) {
		return err
	}
	for i := range batch {
		err := b.applyAll(ctx, p, batch[i:i+1])
		if errors.As(err, &poison) && b.flags.Level >= DeadLetters {
			err = b.putAside(ctx, p, batch[i], poison)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// applyAll applies events, and stores that they were applied, in one transaction. (Below level Idempotent it is two, and what
// comes twice is applied twice.)
func (b *Bus) applyAll(ctx context.Context, p *progress, batch []message) error {
	next := batch[len(batch)-1].offset + 1
	advance := func(tx *store.Tx) error { return p.advance(tx, next) }
	if mutant.On(mutant.OffsetFirst) {
		if err := b.db.Write(ctx, advance); err != nil {
			return err
		}
	}
	err := b.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, m := range batch {
			if err := b.applyOne(ctx, tx, p, m); err != nil {
				return err
			}
		}
		crash.At(crash.ConsumerBeforeCommit)
		if b.flags.Level < Idempotent || mutant.On(mutant.OffsetFirst) {
			return nil
		}
		return advance(tx)
	})
	if err != nil {
		return err
	}
	if b.flags.Level < Idempotent {
		crash.At(crash.ConsumerBeforeOffset)
		if err := b.db.Write(ctx, advance); err != nil {
			return err
		}
	}
	crash.At(crash.ConsumerAfterCommit)
	p.next = next
	return nil
}

func (b *Bus) applyOne(ctx context.Context, tx *store.Tx, p *progress, m message) error {
	apply, known := b.routes[p.topic][header(m.headers, headerType)]
	id, source := header(m.headers, headerID), header(m.headers, headerSource)
	if id == "" || header(m.headers, headerType) == "" {
		return Poison("it lacks the header %s or %s", headerID, headerType)
	}
	if !known {
		return passOver(header(m.headers, headerType))
	}
	if b.flags.Level >= Idempotent && !mutant.On(mutant.NoInbox) {
		n, err := tx.Exec(`INSERT INTO inbox (source, id) VALUES (?, ?) ON CONFLICT DO NOTHING`, source, id)
		if err != nil || n == 0 { // 0: it was applied before
			return err
		}
	}
	return apply(context.WithValue(ctx, traceKey{}, header(m.headers, headerTrace)), tx, m.value)
}

// errFenced says that somebody else has moved a partition's offset on.
var errFenced = errors.New("another process reads this partition into this database: stop one of the two")

// advance stores the offset to read next, if it is still the one that this consumer began with: a consumer that was paused and
// replaced must not apply what its successor has applied.
func (p *progress) advance(tx *store.Tx, next int64) error {
	n, err := tx.Exec(`INSERT INTO inbox_offsets (topic, number, next) VALUES (?, ?, ?)
		ON CONFLICT (topic, number) DO UPDATE SET next = excluded.next WHERE inbox_offsets.next = ?`,
		p.topic, p.number, next, p.next)
	if err != nil {
		return fmt.Errorf("store offset: %w", err)
	}
	if n == 0 {
		return errFenced
	}
	return nil
}

// putAside sends an event to the dead-letter topic, as it came and with the reason, and moves on. If it has been a dead letter before,
// and somebody has put it back, what is said of its first death is left out.
func (b *Bus) putAside(ctx context.Context, p *progress, m message, poison *PoisonError) error {
	dead := row{topic: DeadLetter, key: m.key, value: m.value, headers: append(withoutDeath(m.headers),
		kafka.Header{Key: headerDeadTopic, Value: []byte(p.topic)},
		kafka.Header{Key: headerDeadPartition, Value: []byte(strconv.Itoa(p.number))},
		kafka.Header{Key: headerDeadOffset, Value: []byte(strconv.FormatInt(m.offset, 10))},
		kafka.Header{Key: headerDeadConsumer, Value: []byte(b.source)},
		kafka.Header{Key: headerDeadReason, Value: []byte(poison.Reason)},
	)}
	err := b.db.Write(ctx, func(tx *store.Tx) error {
		if mutant.On(mutant.PoisonSkipped) {
			return p.advance(tx, m.offset+1)
		}
		if err := b.store(tx, dead); err != nil {
			return err
		}
		return p.advance(tx, m.offset+1)
	})
	if err != nil {
		return fmt.Errorf("put aside %s/%d at %d: %w", p.topic, p.number, m.offset, err)
	}
	p.next = m.offset + 1
	b.log.Warn("event put aside", "topic", p.topic, "partition", p.number, "offset", m.offset, "reason", poison.Reason)
	return nil
}

func withoutDeath(headers []kafka.Header) []kafka.Header {
	return slices.DeleteFunc(slices.Clone(headers), func(h kafka.Header) bool { return strings.HasPrefix(h.Key, headersOfDeath) })
}

// keepUp keeps whether the partition has been applied to its end.
func (p *progress) keepUp() {
	if p.next < p.end {
		p.behind()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.caughtUpSince.IsZero() {
		p.caughtUpSince = time.Now()
	}
}

func (p *progress) behind() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.caughtUpSince = time.Time{}
}

// InTouchSince returns since when this process has heard all that there was to hear on a topic, without a break: the zero time
// if it has not yet, or if the broker does not answer.
func (b *Bus) InTouchSince(topic string) time.Time {
	var since time.Time
	for n := range Partitions {
		p := b.partitions[partition{topic, n}]
		p.mu.Lock()
		at := p.caughtUpSince
		p.mu.Unlock()
		if at.IsZero() {
			return time.Time{}
		}
		if at.After(since) {
			since = at
		}
	}
	return since
}
