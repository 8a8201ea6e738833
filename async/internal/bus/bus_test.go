package bus

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"
	"google.golang.org/grpc"

	eventv1 "tandem/proto/event/v1"
	"tandem/shared/problem"
	"tandem/shared/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// broker is an embedded broker that can go away and come back with its log.
type broker struct {
	t    testing.TB
	dir  string
	port int
	up   *kfake.Cluster
}

func newBroker(t testing.TB) *broker {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b := &broker{t: t, dir: t.TempDir(), port: listener.Addr().(*net.TCPAddr).Port}
	require.NoError(t, listener.Close())
	t.Cleanup(b.stop)
	return b
}

func (b *broker) start() {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(b.port), kfake.DataDir(b.dir))
	require.NoError(b.t, err)
	b.up = cluster
}

func (b *broker) stop() {
	if b.up != nil {
		b.up.Close()
		b.up = nil
	}
}

func (b *broker) addr() string { return fmt.Sprintf("127.0.0.1:%d", b.port) }

// peer is a service of one table: it publishes AuthorFollowed and hears it.
type peer struct {
	t       testing.TB
	db      *store.DB
	bus     *Bus
	stop    func()
	mu      sync.Mutex
	applied []string // followers, in the order in which they were applied
}

const heardSchema = `CREATE TABLE IF NOT EXISTS heard (follower TEXT, n INTEGER)`

// newPeer opens the peer whose database lies in dir.
func newPeer(t testing.TB, b *broker, dir string, args ...string) *peer {
	db, err := store.Open(t.Context(), store.Options{
		Path: filepath.Join(dir, "peer.db"), Sync: "normal", Schema: []string{Schema, heardSchema},
	})
	require.NoError(t, err)
	set := flag.NewFlagSet("peer", flag.ContinueOnError)
	flags := AddFlags(set)
	require.NoError(t, set.Parse(append([]string{"--brokers", b.addr()}, args...)))
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	p := &peer{t: t, db: db, bus: flags.New(Config{Service: "peer", Topic: Subscriptions, DB: db, Log: log})}
	On(p.bus, Subscriptions, p.onFollowed)
	return p
}

// run starts the bus; the returned function, called at the end of the test at the latest, stops all of the peer.
func (p *peer) run() *peer {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.bus.Run(ctx) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(p.t, <-ended)
		require.NoError(p.t, p.db.Close())
	})
	p.t.Cleanup(p.stop)
	return p
}

func (p *peer) onFollowed(_ context.Context, tx *store.Tx, event *eventv1.AuthorFollowed) error {
	if event.GetFollower() == "poison" {
		return Poison("nobody is called poison")
	}
	p.mu.Lock()
	p.applied = append(p.applied, event.GetFollower())
	p.mu.Unlock()
	_, err := tx.Exec(`INSERT INTO heard VALUES (?, ?)`, event.GetFollower(), event.GetVersion())
	return err
}

func (p *peer) publish(author string, followers ...string) {
	for _, follower := range followers {
		require.NoError(p.t, p.db.Write(context.Background(), func(tx *store.Tx) error {
			return p.bus.Publish(context.Background(), tx, author, &eventv1.AuthorFollowed{Author: author, Follower: follower})
		}))
	}
}

// heard returns the followers in the database, in the order in which they were applied.
func (p *peer) heard() (followers []string) {
	rows, err := store.Query(context.Background(), p.db, `SELECT follower FROM heard ORDER BY rowid`)
	require.NoError(p.t, err)
	defer func() { require.NoError(p.t, rows.Close()) }()
	for rows.Next() {
		var f string
		require.NoError(p.t, rows.Scan(&f))
		followers = append(followers, f)
	}
	return followers
}

func (p *peer) eventuallyHeard(want ...string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return slices.Equal(want, p.heard()) }, 10*time.Second, 5*time.Millisecond)
}

// records returns what a topic holds.
func records(t testing.TB, b *broker, topic string) (all []kafka.Message) {
	for n := range Partitions {
		conn, err := kafka.DialLeader(t.Context(), "tcp", b.addr(), topic, n)
		require.NoError(t, err)
		end, err := conn.ReadLastOffset()
		require.NoError(t, err)
		for range end {
			m, err := conn.ReadMessage(1 << 20)
			require.NoError(t, err)
			all = append(all, m)
		}
		require.NoError(t, conn.Close())
	}
	return all
}

func sequence(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("f%04d", i))
	}
	return names
}

func TestEventsOfOneKeyKeepTheirOrder(t *testing.T) {
	b := newBroker(t)
	b.start()
	p := newPeer(t, b, t.TempDir()).run()
	p.publish("ada", sequence(300)...)
	p.eventuallyHeard(sequence(300)...)
	require.Len(t, records(t, b, Subscriptions), 300)
}

func TestEventIsACloudEvent(t *testing.T) {
	b := newBroker(t)
	b.start()
	p := newPeer(t, b, t.TempDir()).run()
	p.publish("ada", "bob")
	p.eventuallyHeard("bob")
	event := records(t, b, Subscriptions)[0]
	require.Equal(t, "ada", string(event.Key))
	for key, want := range map[string]string{
		"ce_specversion": "1.0", "ce_type": "event.v1.AuthorFollowed", "ce_source": "/peer", "ce_subject": "ada",
		"content-type": "application/protobuf",
	} {
		require.Equal(t, want, header(event.Headers, key), key)
	}
	require.Len(t, header(event.Headers, "ce_id"), 36)
	_, err := time.Parse(time.RFC3339Nano, header(event.Headers, "ce_time"))
	require.NoError(t, err)
}

func TestAcceptsWorkWithoutBrokerAndPublishesOnceItIsBack(t *testing.T) {
	b := newBroker(t)
	p := newPeer(t, b, t.TempDir()).run() // no broker yet
	p.publish("ada", "before")
	b.start()
	p.eventuallyHeard("before")
	b.stop()
	p.publish("ada", "during")
	b.start()
	p.eventuallyHeard("before", "during")
}

func TestRestartGoesOnWhereItStopped(t *testing.T) {
	b, dir := newBroker(t), t.TempDir()
	b.start()
	first := newPeer(t, b, dir).run()
	first.publish("ada", "one")
	first.eventuallyHeard("one")
	first.stop()
	second := newPeer(t, b, dir).run()
	second.publish("ada", "two")
	second.eventuallyHeard("one", "two")
	require.Equal(t, []string{"two"}, second.applied)
}

// publishAgain sends the first row of the outbox twice, as a relay does that is killed before it marks the row sent.
func publishAgain(p *peer) {
	p.publish("ada", "double")
	batch, err := p.bus.pending(context.Background())
	require.NoError(p.t, err)
	require.NoError(p.t, p.bus.send(context.Background(), batch))
}

func TestDoublesInTheLog(t *testing.T) {
	for level, want := range map[string][]string{
		"outbox":     {"double", "double", "end"},
		"idempotent": {"double", "end"},
	} {
		t.Run(level, func(t *testing.T) {
			b := newBroker(t)
			b.start()
			p := newPeer(t, b, t.TempDir(), "--level", level)
			require.NoError(t, p.bus.createTopics(t.Context()))
			publishAgain(p)
			p.run()
			require.Eventually(t, func() bool { return len(p.heard()) > 0 }, 5*time.Second, 5*time.Millisecond)
			p.publish("ada", "end")
			p.eventuallyHeard(want...)
		})
	}
}

func TestPoisonGoesToTheDeadLetterTopicWithItsReason(t *testing.T) {
	b := newBroker(t)
	b.start()
	p := newPeer(t, b, t.TempDir()).run()
	p.publish("ada", "one", "poison", "two")
	p.eventuallyHeard("one", "two")
	require.Eventually(t, func() bool { return len(records(t, b, DeadLetter)) == 1 }, 5*time.Second, 10*time.Millisecond)
	dead := records(t, b, DeadLetter)[0]
	require.Equal(t, "nobody is called poison", header(dead.Headers, headerDeadReason))
	require.Equal(t, Subscriptions, header(dead.Headers, headerDeadTopic))
	require.Equal(t, "1", header(dead.Headers, headerDeadOffset))
	require.Equal(t, "/peer", header(dead.Headers, headerDeadConsumer))
	require.Equal(t, "event.v1.AuthorFollowed", header(dead.Headers, headerType))
}

func TestUnreadableEventsArePoison(t *testing.T) {
	b := newBroker(t)
	b.start()
	p := newPeer(t, b, t.TempDir()).run()
	p.publish("ada", "one")
	p.eventuallyHeard("one")
	junk := row{topic: Subscriptions, key: []byte("ada"), value: []byte("\xff"), headers: []kafka.Header{
		{Key: headerID, Value: []byte("1")}, {Key: headerType, Value: []byte("event.v1.AuthorFollowed")},
	}}
	bare := row{topic: Subscriptions, key: []byte("ada"), value: []byte("{}")}
	renamed := row{topic: Subscriptions, key: []byte("ada"), headers: []kafka.Header{
		{Key: headerID, Value: []byte("2")}, {Key: headerType, Value: []byte("event.v1.AuthorWasFollowed")},
	}}
	tombstone := row{topic: Subscriptions, key: []byte("ada"), headers: junk.headers}
	require.NoError(t, p.bus.send(t.Context(), []row{junk, bare, renamed, tombstone}))
	p.publish("ada", "two")
	p.eventuallyHeard("one", "two")
	require.Eventually(t, func() bool { return len(records(t, b, DeadLetter)) == 4 }, 5*time.Second, 10*time.Millisecond)
}

func TestPoisonWithoutKey(t *testing.T) {
	b := newBroker(t)
	b.start()
	p := newPeer(t, b, t.TempDir()).run()
	p.publish("ada", "one")
	p.eventuallyHeard("one")
	require.NoError(t, p.bus.send(t.Context(), []row{{topic: Subscriptions, value: []byte("hello")}}))
	require.Eventually(t, func() bool { return len(records(t, b, DeadLetter)) == 1 }, 5*time.Second, 10*time.Millisecond)
	require.Empty(t, records(t, b, DeadLetter)[0].Key)
}

// TestNotInTouchWhileAnEventIsStuck: what is behind the stuck event has not been heard, however well the broker answers.
func TestNotInTouchWhileAnEventIsStuck(t *testing.T) {
	b := newBroker(t)
	b.start()
	p := newPeer(t, b, t.TempDir(), "--level", "idempotent").run()
	require.Eventually(t, func() bool { return !p.bus.InTouchSince(Subscriptions).IsZero() }, 5*time.Second, 5*time.Millisecond)
	p.publish("ada", "poison")
	require.Eventually(t, func() bool { return p.bus.InTouchSince(Subscriptions).IsZero() }, 5*time.Second, 5*time.Millisecond)
}

func TestOnlyATraceparentIsHandedOn(t *testing.T) {
	for value, want := range map[string]bool{
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01": true,
		"": false, "hello": false,
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0Z":  false,
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-011": false,
		"00x0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01":  false,
	} {
		require.Equal(t, want, isTraceparent(value), value)
	}
}

func TestPoisonBlocksThePartitionBelowDeadLetter(t *testing.T) {
	b := newBroker(t)
	b.start()
	p := newPeer(t, b, t.TempDir(), "--level", "idempotent").run()
	p.publish("ada", "one", "poison", "two")
	p.eventuallyHeard("one")
	require.Never(t, func() bool { return len(p.heard()) > 1 }, 300*time.Millisecond, 20*time.Millisecond)
	require.Empty(t, records(t, b, DeadLetter))
}

func TestZombieIsFenced(t *testing.T) {
	b, dir := newBroker(t), t.TempDir()
	b.start()
	p := newPeer(t, b, dir).run()
	p.publish("ada", "one")
	p.eventuallyHeard("one")
	zombie := p.bus.partitions[partition{Subscriptions, partitionOf([]byte("ada"))}]
	stale := &progress{partition: zombie.partition, next: 0} // woke up where it fell asleep
	again := message{offset: 0, value: []byte{0x0a, 0x01, 'a'}, headers: []kafka.Header{
		{Key: headerID, Value: []byte("other")}, {Key: headerType, Value: []byte("event.v1.AuthorFollowed")},
	}}
	require.ErrorIs(t, p.bus.applyAll(t.Context(), stale, []message{again}), errFenced)
	require.Equal(t, []string{"one"}, p.heard())
}

// TestFencedConsumerCarriesOn: another process has applied an event into the same database and is gone again. Who is left must apply
// what comes after it; without an inbox it has also applied that event again, once.
func TestFencedConsumerCarriesOn(t *testing.T) {
	for level, want := range map[string][]string{
		"outbox":      {"one", "two", "two", "three"},
		"idempotent":  {"one", "two", "three"},
		"dead-letter": {"one", "two", "three"},
	} {
		t.Run(level, func(t *testing.T) {
			b := newBroker(t)
			b.start()
			p := newPeer(t, b, t.TempDir(), "--level", level).run()
			p.publish("ada", "one")
			p.eventuallyHeard("one")
			require.Eventually(t, func() bool { return p.applyElsewhere("two") }, 5*time.Second, 5*time.Millisecond)
			p.publish("ada", "two")
			if level == "outbox" { // one batch with three would make that come twice too
				p.eventuallyHeard("one", "two", "two")
			}
			p.publish("ada", "three")
			p.eventuallyHeard(want...)
		})
	}
}

// applyElsewhere does what another process does that applies the next event into the same database. It returns false if the first
// event is not done with yet.
func (p *peer) applyElsewhere(follower string) bool {
	return p.db.Write(p.t.Context(), func(tx *store.Tx) error {
		moved, err := tx.Exec(`UPDATE inbox_offsets SET next = next + 1 WHERE next = 1`)
		if err == nil && moved != 1 {
			err = errors.New("not yet")
		}
		if err != nil {
			return err
		}
		_, err = tx.Exec(`INSERT INTO heard VALUES (?, 0)`, follower)
		return err
	}) == nil
}

func TestDirectLosesWhatItCannotPublish(t *testing.T) {
	b := newBroker(t)
	b.start()
	p := newPeer(t, b, t.TempDir(), "--level", "direct").run()
	call := func(ctx context.Context, follower string) error {
		_, err := p.bus.publishAfterCall(ctx, nil, &grpc.UnaryServerInfo{}, func(ctx context.Context, _ any) (any, error) {
			return nil, p.db.Write(ctx, func(tx *store.Tx) error {
				return p.bus.Publish(ctx, tx, "ada", &eventv1.AuthorFollowed{Author: "ada", Follower: follower})
			})
		})
		return err
	}
	require.Eventually(t, func() bool { return call(t.Context(), "one") == nil }, 5*time.Second, 10*time.Millisecond)
	require.Eventually(t, func() bool { return len(p.heard()) == 1 }, 5*time.Second, 10*time.Millisecond)
	b.stop()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.Equal(t, problem.Unavailable, problem.KindOf(call(ctx, "lost")))
	b.start()
	require.Eventually(t, func() bool { return call(t.Context(), "two") == nil }, 5*time.Second, 10*time.Millisecond)
	p.eventuallyHeard("one", "two")
}

func TestLostLogIsAnAlarmAndNotSkipped(t *testing.T) {
	b, dir := newBroker(t), t.TempDir()
	b.start()
	p := newPeer(t, b, dir).run()
	p.publish("ada", "one", "two")
	p.eventuallyHeard("one", "two")
	p.stop()
	b.stop()
	b.dir = t.TempDir() // the broker's disk is lost
	b.start()
	p = newPeer(t, b, dir).run()
	p.publish("ada", "three")
	require.Never(t, func() bool { return len(p.heard()) > 2 }, 300*time.Millisecond, 20*time.Millisecond)
	require.True(t, p.bus.InTouchSince(Subscriptions).IsZero())
}

func TestInTouchSince(t *testing.T) {
	b := newBroker(t)
	p := newPeer(t, b, t.TempDir()).run()
	require.True(t, p.bus.InTouchSince(Subscriptions).IsZero())
	b.start()
	require.Eventually(t, func() bool { return !p.bus.InTouchSince(Subscriptions).IsZero() }, 5*time.Second, 5*time.Millisecond)
	b.stop()
	require.Eventually(t, func() bool { return p.bus.InTouchSince(Subscriptions).IsZero() }, 5*time.Second, 5*time.Millisecond)
}

// BenchmarkRelayAndConsume is one event from the commit of its outbox row until it is applied elsewhere, many on the way.
func BenchmarkRelayAndConsume(b *testing.B) {
	broker := newBroker(b)
	broker.start()
	p := newPeer(b, broker, b.TempDir()).run()
	p.publish("ada", "warm")
	p.eventuallyHeard("warm")
	b.ResetTimer()
	var writers sync.WaitGroup
	for w := range 16 {
		writers.Go(func() {
			for i := w; i < b.N; i += 16 {
				p.publish(fmt.Sprintf("author%d", i%100), "f")
			}
		})
	}
	writers.Wait()
	for count(p) < b.N+1 {
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkConsume is the inbox alone: a log that is there already is applied from its beginning.
func BenchmarkConsume(b *testing.B) {
	broker := newBroker(b)
	broker.start()
	p := newPeer(b, broker, b.TempDir())
	require.NoError(b, p.bus.createTopics(b.Context()))
	fillLog(b, p, b.N)
	b.ResetTimer()
	p.run()
	for count(p) < b.N {
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func fillLog(b *testing.B, p *peer, n int) {
	var rows []row
	for i := range n {
		author := fmt.Sprintf("author%d", i%100)
		r, err := p.bus.newRow(b.Context(), author, &eventv1.AuthorFollowed{Author: author, Follower: "f"})
		require.NoError(b, err)
		if rows = append(rows, r); len(rows) == relayRows || i == n-1 {
			require.NoError(b, p.bus.send(b.Context(), rows))
			rows = nil
		}
	}
}

func count(p *peer) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.applied)
}

// BenchmarkWriteWithOutboxRow is what the outbox adds to an accepted write: the same row alone, and with its event.
func BenchmarkWriteWithOutboxRow(b *testing.B) {
	p := newPeer(b, newBroker(b), b.TempDir()) // no relay runs: this is the write alone
	b.Cleanup(func() { require.NoError(b, p.db.Close()) })
	insert := func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO heard VALUES ('f', 1)`)
		return err
	}
	b.Run("row", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, p.db.Write(b.Context(), insert))
		}
	})
	b.Run("row_and_event", func(b *testing.B) {
		event := &eventv1.AuthorFollowed{Author: "ada", Follower: "f", Version: 1}
		for b.Loop() {
			require.NoError(b, p.db.Write(b.Context(), func(tx *store.Tx) error {
				if err := insert(tx); err != nil {
					return err
				}
				return p.bus.Publish(b.Context(), tx, "ada", event)
			}))
		}
	})
}
