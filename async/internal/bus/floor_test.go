package bus

import (
	"context"
	"database/sql"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	eventv1 "tandem/proto/event/v1"
	"tandem/shared/floor"
	"tandem/shared/store"
)

// aFew is how many events each round of a latency sends, one after the other.
const aFew = 200

// BenchmarkFloorProduce is from the commit of an outbox row until the broker has acknowledged its event. The floor is a client
// that reads such a row and produces it.
func BenchmarkFloorProduce(b *testing.B) {
	broker := newBroker(b)
	broker.start()
	speaker := newSpeaker(b, broker)
	require.NoError(b, speaker.bus.createTopics(b.Context()))
	acknowledged := make(chan time.Time, 1)
	speaker.bus.client.Transport = &listening{speaker.bus.client.Transport, acknowledged}
	speaker.run()
	client := newClient(b, broker)
	least := &leastRelay{client: client, rows: newOutboxRow(b, speaker)}
	floor.Compare(b, func() float64 { return floor.Median(floor.Times(aFew, func() { least.relay(b) })) }, func() float64 { return floor.Median(speaker.say(aFew, acknowledged)) })
}

// BenchmarkFloorConsumed is from the commit of an outbox row until another service has the event in its hands. The floor is a
// client that produces the record, and another one that reads it.
func BenchmarkFloorConsumed(b *testing.B) {
	broker := newBroker(b)
	broker.start()
	speaker, hearer := newSpeaker(b, broker), newPeer(b, broker, b.TempDir())
	heard := make(chan time.Time, 1)
	On(hearer.bus, Subscriptions, func(context.Context, *store.Tx, *eventv1.AuthorFollowed) error {
		heard <- time.Now()
		return nil
	})
	speaker.run()
	hearer.run()
	speaker.say(1, heard) // once they have found each other
	least := newLine(b, broker)
	floor.Compare(b,
		func() float64 { return floor.Median(floor.Times(aFew, func() { least.send(b) })) },
		func() float64 { return floor.Median(speaker.say(aFew, heard)) })
}

// newSpeaker is a peer that hears nothing.
func newSpeaker(b *testing.B, broker *broker) *peer {
	p := newPeer(b, broker, b.TempDir())
	clear(p.bus.routes)
	clear(p.bus.partitions)
	return p
}

// say publishes n events, each once the one before has come to where there is told of it, and returns how long each took from
// its commit, in microseconds.
func (p *peer) say(n int, there <-chan time.Time) []float64 {
	took := make([]float64, n)
	for i := range took {
		var committed time.Time
		require.NoError(p.t, p.db.Write(context.Background(), func(tx *store.Tx) error {
			tx.AfterCommit(func() { committed = time.Now() })
			return p.bus.Publish(context.Background(), tx, "ada", &eventv1.AuthorFollowed{Author: "ada", Follower: "f"})
		}))
		took[i] = floor.Micros((<-there).Sub(committed))
	}
	return took
}

// listening tells when the broker has acknowledged what is produced.
type listening struct {
	kafka.RoundTripper
	acknowledged chan<- time.Time
}

func (l *listening) RoundTrip(ctx context.Context, to net.Addr, request kafka.Request) (kafka.Response, error) {
	response, err := l.RoundTripper.RoundTrip(ctx, to, request)
	if request.ApiKey() == protocol.Produce && err == nil {
		l.acknowledged <- time.Now()
	}
	return response, err
}

// newClient is a client with connections of its own.
func newClient(b *testing.B, broker *broker) *kafka.Client {
	transport := &kafka.Transport{}
	b.Cleanup(transport.CloseIdleConnections)
	return &kafka.Client{Addr: kafka.TCP(broker.addr()), Transport: transport}
}

// leastRelay reads an outbox of one row and produces that, again and again, to a partition that nobody reads.
type leastRelay struct {
	client *kafka.Client
	rows   *sql.Stmt
}

// newOutboxRow returns the query of an outbox that holds one event of the speaker.
func newOutboxRow(b *testing.B, speaker *peer) *sql.Stmt {
	db := newFloorDB(b)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	r, err := speaker.bus.newRow(b.Context(), "ada", &eventv1.AuthorFollowed{Author: "ada", Follower: "f"})
	require.NoError(b, err)
	headers, err := encodeHeaders(r.headers)
	require.NoError(b, err)
	_, err = db.Exec(`INSERT INTO outbox (aggregatetype, aggregateid, payload, headers) VALUES (?, ?, ?, ?)`,
		r.topic, r.key, r.value, headers)
	require.NoError(b, err)
	rows, err := db.Prepare(`SELECT aggregatetype, aggregateid, payload, headers FROM outbox ORDER BY seq LIMIT 1`)
	require.NoError(b, err)
	return rows
}

func (l *leastRelay) relay(b *testing.B) {
	var r row
	var headers []byte
	require.NoError(b, l.rows.QueryRow().Scan(&r.topic, &r.key, &r.value, &headers))
	var err error
	r.headers, err = decodeHeaders(headers)
	require.NoError(b, err)
	produceRow(b, l.client, r, r.topic)
}

func produceRow(b *testing.B, client *kafka.Client, r row, topic string) {
	response, err := client.Produce(context.Background(), &kafka.ProduceRequest{
		Topic: topic, Partition: partitionOf(r.key), RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Key: kafka.NewBytes(r.key), Value: kafka.NewBytes(r.value), Headers: r.headers}),
	})
	require.NoError(b, err)
	require.NoError(b, response.Error)
}

// line is a client that produces and one that reads, on a topic of their own.
type line struct {
	writer, reader *kafka.Client
	row            row
	next           int64
	read           chan error
}

func newLine(b *testing.B, broker *broker) *line {
	speaker := newSpeaker(b, broker)
	b.Cleanup(func() { require.NoError(b, speaker.db.Close()) })
	speaker.bus.topic = "floor"
	require.NoError(b, speaker.bus.createTopics(b.Context()))
	b.Cleanup(speaker.bus.pool.CloseIdleConnections)
	r, err := speaker.bus.newRow(b.Context(), "ada", &eventv1.AuthorFollowed{Author: "ada", Follower: "f"})
	require.NoError(b, err)
	l := &line{writer: newClient(b, broker), reader: newClient(b, broker), row: r, read: make(chan error, 1)}
	l.send(b) // connects
	return l
}

// send produces the record and waits until the reader, who has asked for it before, has it.
func (l *line) send(b *testing.B) {
	go func() { l.read <- l.readOn() }()
	produceRow(b, l.writer, l.row, l.row.topic)
	require.NoError(b, <-l.read)
}

func (l *line) readOn() error {
	p := partition{l.row.topic, partitionOf(l.row.key)}
	batch, err := fetchFloor(context.Background(), l.reader, p, l.next)
	l.next += int64(len(batch))
	return err
}

// fetchFloor reads what comes next of a partition.
func fetchFloor(ctx context.Context, client *kafka.Client, p partition, next int64) ([]message, error) {
	response, err := client.Fetch(ctx, &kafka.FetchRequest{
		Topic: p.topic, Partition: p.number, Offset: next, MinBytes: 1, MaxBytes: fetchBytes, MaxWait: fetchWait,
	})
	if err == nil {
		err = response.Error
	}
	if err != nil {
		return nil, err
	}
	return readAll(response.Records, next)
}

// BenchmarkFloorApply is how fast a log that is there already is applied: an inbox row and a row for each event, and the offset, in
// one transaction. The floor reads the same log and writes the same rows with nothing in between.
func BenchmarkFloorApply(b *testing.B) {
	const events = 20_000
	broker := newBroker(b)
	broker.start()
	filler := newSpeaker(b, broker)
	b.Cleanup(func() { require.NoError(b, filler.db.Close()) })
	require.NoError(b, filler.bus.createTopics(b.Context()))
	b.Cleanup(filler.bus.pool.CloseIdleConnections)
	fillLog(b, filler, events)
	floor.Compare(b,
		func() float64 {
			db := newFloorDB(b)
			defer db.Close()
			return floor.PerSecond(events, func(n int) { applyFloor(b, broker, db, n) })
		},
		func() float64 {
			p := newPeer(b, broker, b.TempDir())
			defer func() { p.stop() }()
			return floor.PerSecond(events, func(n int) { p.run().awaitApplied(n) })
		})
}

func (p *peer) awaitApplied(n int) {
	for count(p) < n {
		time.Sleep(time.Millisecond)
	}
}

func newFloorDB(b *testing.B) *sql.DB {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "floor.db")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(normal)&_pragma=cache_size(-32768)")
	require.NoError(b, err)
	db.SetMaxOpenConns(1)
	_, err = db.Exec(Schema + heardSchema)
	require.NoError(b, err)
	return db
}

// applyFloor applies a log of n events from its beginning.
func applyFloor(b *testing.B, broker *broker, db *sql.DB, n int) {
	client := newClient(b, broker)
	var turn sync.Mutex
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	var readers errgroup.Group
	left := n
	for number := range Partitions {
		readers.Go(func() error {
			for next := int64(0); ; {
				batch, err := fetchFloor(ctx, client, partition{Subscriptions, number}, next)
				if ctx.Err() != nil {
					return nil // all is applied
				}
				if err != nil {
					return err
				}
				if len(batch) == 0 {
					continue
				}
				next = batch[len(batch)-1].offset + 1
				turn.Lock()
				err = applyBatchFloor(db, number, next, batch)
				if left -= len(batch); left == 0 {
					stop()
				}
				turn.Unlock()
				if err != nil {
					return err
				}
			}
		})
	}
	require.NoError(b, readers.Wait())
}

// applyBatchFloor stores what a batch says in one transaction.
func applyBatchFloor(db *sql.DB, number int, next int64, batch []message) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	inbox, err := tx.Prepare(`INSERT INTO inbox (source, id) VALUES (?, ?)`)
	if err != nil {
		return err
	}
	heard, err := tx.Prepare(`INSERT INTO heard VALUES (?, ?)`)
	if err != nil {
		return err
	}
	for _, m := range batch {
		if _, err := inbox.Exec(header(m.headers, headerSource), header(m.headers, headerID)); err != nil {
			return err
		}
		if _, err := heard.Exec("f", 0); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(`INSERT OR REPLACE INTO inbox_offsets VALUES (?, ?, ?)`, Subscriptions, number, next); err != nil {
		return err
	}
	return tx.Commit()
}
