package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"tandem/bench/cluster"
	blogv1 "tandem/proto/blog/v1"
)

const (
	// killNines is how often a part is killed right after it has acknowledged something.
	killNines = 5
	// atOnce is how many write at the same time, so that the kill falls among others under way.
	atOnce = 8
	// killAfter is how many acknowledgements a kill waits for.
	killAfter = 40
)

// TestDatabaseAndBrokerSurviveKillNine: what was acknowledged is on the disk's side of the process, so that kill -9 cannot take
// it. (A power cut is another matter: see --db-sync and --sync-writes.)
func TestDatabaseAndBrokerSurviveKillNine(t *testing.T) {
	t.Run("database", func(t *testing.T) {
		for _, stack := range []string{cluster.Sync, cluster.Async} {
			t.Run(stack, databaseSurvives(stack))
		}
	})
	t.Run("broker", brokerSurvives)
}

func databaseSurvives(stack string) func(t *testing.T) {
	return func(t *testing.T) {
		c := start(t, cluster.Config{Stack: stack})
		acked := &acknowledged{}
		for range killNines {
			b := connect(t, c)
			acked.untilKilled(t, c, "posts", func(ctx context.Context, title string) error {
				reply, err := b.posts.CreatePost(ctx, &blogv1.CreatePostRequest{
					RequestId: uuid.NewString(), Author: "ada", Title: title, Body: "A body.",
				})
				acked.add(reply.GetPost().GetId(), title, err)
				return err
			})
			b = connect(t, c)
			for id, title := range acked.all() {
				got, err := b.posts.GetPost(t.Context(), &blogv1.GetPostRequest{Id: id})
				require.NoError(t, err)
				require.Equal(t, title, got.GetPost().GetTitle())
			}
		}
		t.Logf("%d acknowledged posts survived %d kills", len(acked.all()), killNines)
	}
}

// brokerSurvives publishes to a topic of its own, so that every record in it is known.
func brokerSurvives(t *testing.T) {
	const topic = "e2e.kill-nine"
	c := start(t, cluster.Config{Stack: cluster.Async})
	client := kafkaClient(t, c)
	_, err := client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: partitions, ReplicationFactor: -1}},
	})
	require.NoError(t, err)
	acked := &acknowledged{}
	for range killNines {
		acked.untilKilled(t, c, cluster.Broker, func(ctx context.Context, value string) error {
			number := len(value) % partitions
			response, err := client.Produce(ctx, &kafka.ProduceRequest{
				Topic: topic, Partition: number, RequiredAcks: kafka.RequireAll,
				Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte(value))}),
			})
			if err == nil {
				err = response.Error
			}
			if err == nil {
				acked.add(fmt.Sprintf("%d/%d", number, response.BaseOffset), value, nil)
			}
			return err
		})
		end := logEnd(t, c, topic)
		require.GreaterOrEqual(t, end, int64(len(acked.all())), "records in the log and acknowledged ones")
		require.Subset(t, readLog(t, kafkaClient(t, c), topic), acked.all(), "acknowledged records by partition and offset")
	}
	t.Logf("%d acknowledged records survived %d kills", len(acked.all()), killNines)
}

// acknowledged is what was acknowledged: its content by its id.
type acknowledged struct {
	mu     sync.Mutex
	of     map[string]string
	fresh  int
	enough chan struct{} // closed once killAfter more were acknowledged
	left   int
}

func (a *acknowledged) add(id, content string, err error) {
	if err != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of == nil {
		a.of = map[string]string{}
	}
	a.of[id] = content
	if a.left--; a.left == 0 {
		close(a.enough)
	}
}

func (a *acknowledged) all() map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.of)
}

func (a *acknowledged) nextContent() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fresh++
	return fmt.Sprintf("number %d", a.fresh)
}

// untilKilled writes from several goroutines at once, kills the part the moment that enough is acknowledged, and restarts it.
func (a *acknowledged) untilKilled(t *testing.T, c *cluster.Cluster, part string, write func(ctx context.Context, content string) error) {
	t.Helper()
	a.mu.Lock()
	a.enough, a.left = make(chan struct{}), killAfter
	enough := a.enough
	a.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	var writers sync.WaitGroup
	for range atOnce {
		writers.Go(func() {
			for ctx.Err() == nil {
				if write(ctx, a.nextContent()) != nil && closed(enough) {
					return // the kill
				}
			}
		})
	}
	select {
	case <-enough:
	case <-ctx.Done():
		require.Fail(t, "not enough is acknowledged")
	}
	kill(t, c, part)
	cancel()
	writers.Wait()
	restart(t, c, part)
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func kafkaClient(t testing.TB, c *cluster.Cluster) *kafka.Client {
	t.Helper()
	pool := &kafka.Transport{MetadataTTL: 200 * time.Millisecond}
	t.Cleanup(pool.CloseIdleConnections)
	return &kafka.Client{Addr: kafka.TCP(c.Address(cluster.Broker)), Transport: pool, Timeout: bound}
}

// readLog returns the values in a topic by partition and offset.
func readLog(t *testing.T, client *kafka.Client, topic string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for number := range partitions {
		for next, more := int64(0), true; more; {
			more = false
			for _, record := range fetch(t, client, topic, number, next) {
				value, err := kafka.ReadAll(record.Value)
				require.NoError(t, err)
				found[fmt.Sprintf("%d/%d", number, record.Offset)] = string(value)
				next, more = record.Offset+1, true
			}
		}
	}
	return found
}

// fetch returns some records from an offset on; none at the end.
func fetch(t *testing.T, client *kafka.Client, topic string, number int, from int64) (records []*kafka.Record) {
	t.Helper()
	response, err := client.Fetch(t.Context(), &kafka.FetchRequest{
		Topic: topic, Partition: number, Offset: from, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 50 * time.Millisecond,
	})
	require.NoError(t, err)
	require.NoError(t, response.Error)
	for {
		record, err := response.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return records
		}
		require.NoError(t, err)
		if record.Offset >= from {
			records = append(records, record)
		}
	}
}
