// Package bus is how the services of the async stack hear of each other: an outbox that is written with the change, a relay
// that publishes it in order, and an inbox that applies each event once in effect. It knows nothing of the blog.
package bus

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"google.golang.org/grpc"

	"tandem/shared/store"
	"tandem/shared/trouble"
)

// The topics. The dead-letter topic takes what a consumer can never apply.
const (
	Posts         = "blog.posts"
	Comments      = "blog.comments"
	Verdicts      = "blog.verdicts"
	Subscriptions = "blog.subscriptions"
	DeadLetter    = "blog.dead-letter"
)

// Partitions is how many partitions each topic is made with: enough to show that order holds per key only, few enough for a
// laptop.
const Partitions = 3

// Level is a rung of the async ladder. Each level holds those before it.
type Level int

// The ladder.
const (
	// Direct publishes inside the request, after the commit and without an outbox: a crash between the two loses the event.
	Direct Level = iota
	// Outbox stores the event with the change; it is published at least once.
	Outbox
	// Idempotent applies an event that comes twice once: inbox and offset are stored with the change.
	Idempotent
	// DeadLetters moves on past an event that can never be applied.
	DeadLetters
)

var levelNames = []string{"direct", "outbox", "idempotent", "dead-letter"}

// String returns the level's name on the command line.
func (l Level) String() string { return levelNames[l] }

// MarshalText implements encoding.TextMarshaler.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Level) UnmarshalText(text []byte) error {
	for i, name := range levelNames {
		if name == string(text) {
			*l = Level(i)
			return nil
		}
	}
	return fmt.Errorf("no level %q: use %s", text, strings.Join(levelNames, ", "))
}

// Flags are where the broker is and how carefully it is used.
type Flags struct {
	Level   Level
	brokers string
	via     map[string]string // where to dial in place of an address that the broker tells
	acks    kafka.RequiredAcks
}

// AddFlags adds the flags to a service's set.
func AddFlags(set *flag.FlagSet) *Flags {
	f := &Flags{via: map[string]string{}}
	set.TextVar(&f.Level, "level", DeadLetters, "protection level: direct, outbox, idempotent or dead-letter")
	set.StringVar(&f.brokers, "brokers", "127.0.0.1:9092", "comma-separated addresses of Kafka brokers")
	set.Func("broker-via", "dial another address in place of one that brokers tell clients to use, as told=dialled,… "+
		"(for a proxy in between)", f.parseVia)
	set.TextVar(&f.acks, "acks", kafka.RequireAll,
		"which replicas must have a record before it counts as published: none, one or all")
	return f
}

func (f *Flags) parseVia(text string) error {
	for pair := range strings.SplitSeq(text, ",") {
		told, dialled, ok := strings.Cut(pair, "=")
		if !ok || told == "" || dialled == "" {
			return fmt.Errorf("%q is not told=dialled, for example 127.0.0.1:9092=127.0.0.1:19092", pair)
		}
		f.via[told] = dialled
	}
	return nil
}

// dial connects to a broker. A client follows the addresses that brokers tell it, so a proxy has to be put in here.
func (f *Flags) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if via, found := f.via[address]; found {
		address = via
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// Bus is one service's connection to the broker. It connects when there is something to say or to hear, and again after
// every failure, so that a service starts and accepts work without a broker.
type Bus struct {
	flags  *Flags
	source string // CloudEvents source of what the service publishes
	topic  string // the topic that the service publishes to; empty if none
	db     *store.DB
	log    *slog.Logger
	// trouble is what the laboratory does to this consumer; nil if it may do nothing.
	trouble *trouble.Trouble
	narrow  *trouble.Narrow // nil for none
	client  *kafka.Client
	pool    *kafka.Transport

	wake   chan struct{} // has one element when the outbox may hold something
	routes map[string]map[string]handler

	partitions map[partition]*progress
}

// Config is what a Bus is made of.
type Config struct {
	Service string // the service's name; its events' source is "/" + Service
	Topic   string // what it publishes to, or empty
	DB      *store.DB
	Log     *slog.Logger
	Trouble *trouble.Trouble // nil for none
	Narrow  *trouble.Narrow  // nil for none
}

// New returns a bus that is idle until Run.
func (f *Flags) New(c Config) *Bus {
	pool := &kafka.Transport{
		ClientID:    "tandem-" + c.Service,
		Dial:        f.dial,
		DialTimeout: time.Second,
		// A transport that starts while the broker is away learns of its return at the next refresh only, so this bounds how late
		// that is. (kafka-go draws each refresh between 0 and this.)
		MetadataTTL: 500 * time.Millisecond,
	}
	return &Bus{
		flags: f, source: "/" + c.Service, topic: c.Topic, db: c.DB, log: c.Log, trouble: c.Trouble, narrow: c.Narrow, pool: pool,
		client: &kafka.Client{Addr: kafka.TCP(strings.Split(f.brokers, ",")...), Transport: pool},
		wake:   make(chan struct{}, 1), routes: map[string]map[string]handler{}, partitions: map[partition]*progress{},
	}
}

// Schema is the tables that the bus keeps in its service's database.
const Schema = outboxSchema + inboxSchema

// Run publishes and consumes until ctx ends. It never gives up, and so never returns an error.
func (b *Bus) Run(ctx context.Context) error {
	defer b.pool.CloseIdleConnections()
	if err := b.createTopics(ctx); err != nil {
		return nil // ctx has ended
	}
	var work sync.WaitGroup
	work.Go(func() { b.relay(ctx) }) // also for one that only listens: it has dead letters to publish
	for topic := range b.routes {
		for n := range Partitions {
			p := b.partitions[partition{topic, n}]
			work.Go(func() { b.consume(ctx, p) })
		}
	}
	work.Wait()
	return nil
}

// createTopics makes the topics that the service uses, trying until the broker answers. Nothing relies on automatic creation:
// it would give topics whatever number of partitions the broker likes.
func (b *Bus) createTopics(ctx context.Context) error {
	request := &kafka.CreateTopicsRequest{}
	for _, topic := range b.topics() {
		request.Topics = append(request.Topics, kafka.TopicConfig{
			Topic: topic, NumPartitions: Partitions, ReplicationFactor: -1, // the broker's own default
			ConfigEntries: topicConfig(topic),
		})
	}
	return b.retry(ctx, "create topics", func(ctx context.Context) error {
		response, err := b.client.CreateTopics(ctx, request)
		if err != nil {
			return err
		}
		var errs []error
		for topic, err := range response.Errors {
			if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
				errs = append(errs, fmt.Errorf("%s: %w", topic, err))
			}
		}
		return errors.Join(errs...)
	})
}

// topicConfig keeps events for ever: a read model is rebuilt from the first one. The dead-letter topic takes larger records than
// the others, because a dead letter is the event and its reason.
func topicConfig(topic string) []kafka.ConfigEntry {
	config := []kafka.ConfigEntry{
		{ConfigName: "cleanup.policy", ConfigValue: "delete"},
		{ConfigName: "retention.ms", ConfigValue: "-1"},
		{ConfigName: "retention.bytes", ConfigValue: "-1"},
	}
	if topic == DeadLetter {
		config = append(config, kafka.ConfigEntry{ConfigName: "max.message.bytes", ConfigValue: "2097152"})
	}
	return config
}

// topics are all that the service uses, each once: Kafka refuses a request that names one twice.
func (b *Bus) topics() []string {
	topics := append(slices.Collect(maps.Keys(b.routes)), DeadLetter)
	if b.topic != "" {
		topics = append(topics, b.topic)
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

const (
	// attemptTimeout bounds one request to the broker: a broker that is paused keeps its connections open and says nothing.
	attemptTimeout = 3 * time.Second
	// firstBackoff and lastBackoff bound the wait between attempts. Short, because how soon a service resumes after the broker
	// does is what the lab measures; the broker is on the same machine.
	firstBackoff = 20 * time.Millisecond
	lastBackoff  = 250 * time.Millisecond
)

// retry does something until it succeeds or ctx ends; then it returns ctx's error.
func (b *Bus) retry(ctx context.Context, what string, do func(context.Context) error) error {
	backoff := firstBackoff
	for failures := 0; ; failures++ {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		err := do(attempt)
		cancel()
		if err == nil {
			if failures > 0 {
				b.log.Info("going on", "task", what, "failures", failures)
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if failures == 0 {
			b.log.Warn("failed; trying again until it works", "task", what, "err", err.Error())
		}
		if !pause(ctx, backoff) {
			return ctx.Err()
		}
		backoff = min(2*backoff, lastBackoff)
	}
}

// pause waits, and returns false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Interceptor publishes what a request noted, at level Direct. At other levels it does nothing.
func (b *Bus) Interceptor() grpc.UnaryServerInterceptor { return b.publishAfterCall }
