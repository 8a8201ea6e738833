package e2e

import (
	"context"
	"database/sql"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "modernc.org/sqlite" // the floor's own databases

	"tandem/bench/cluster"
	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/floor"
)

// line is the floor of a time to effect: the least program of the same parts, over the broker of a stack. A bare gRPC server stores
// a row and an outbox row in one commit and produces the event; each station after it fetches, stores the same two rows in one
// commit and produces on; the last one ends the time. It runs in one process, checks nothing and survives nothing.
type line struct {
	blogv1.UnimplementedPostsServiceServer

	client  *kafka.Client
	posts   blogv1.PostsServiceClient
	first   *sql.DB
	topics  []string
	arrived chan arrival
}

// arrival is when the last station had committed, or why it could not.
type arrival struct {
	at  time.Time
	err error
}

const (
	lineSchema = `CREATE TABLE rows (id TEXT PRIMARY KEY, body BLOB); CREATE TABLE outbox (seq INTEGER PRIMARY KEY, payload BLOB)`
	lineRow    = `INSERT INTO rows VALUES (?, ?)`
	lineOutbox = `INSERT INTO outbox (payload) VALUES (?)`
)

// newLine starts a line of so many topics, which ends with the benchmark.
func newLine(b *testing.B, c *cluster.Cluster, topics ...string) *line {
	l := &line{client: kafkaClient(b, c), first: newLineDB(b), topics: topics, arrived: make(chan arrival, 1)}
	request := &kafka.CreateTopicsRequest{}
	for _, topic := range topics {
		request.Topics = append(request.Topics, kafka.TopicConfig{Topic: topic, NumPartitions: 1, ReplicationFactor: -1})
	}
	_, err := l.client.CreateTopics(b.Context(), request)
	require.NoError(b, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{}, len(topics))
	for i := range topics {
		db, client := newLineDB(b), kafkaClient(b, c)
		go func() {
			l.station(ctx, i, client, db)
			ended <- struct{}{}
		}()
	}
	b.Cleanup(func() {
		stop()
		for range topics {
			<-ended
		}
	})
	l.posts = l.serve(b)
	l.send(b) // connects
	return l
}

func newLineDB(b *testing.B) *sql.DB {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "line.db")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(normal)&_txlock=immediate")
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	db.SetMaxOpenConns(1)
	_, err = db.Exec(lineSchema)
	require.NoError(b, err)
	return db
}

func (l *line) serve(b *testing.B) blogv1.PostsServiceClient {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	srv := grpc.NewServer()
	blogv1.RegisterPostsServiceServer(srv, l)
	go func() { _ = srv.Serve(listener) }()
	b.Cleanup(srv.Stop)
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(b, err)
	b.Cleanup(func() { _ = conn.Close() })
	return blogv1.NewPostsServiceClient(conn)
}

// send makes one post and returns when its time ends, in microseconds.
func (l *line) send(b *testing.B) float64 {
	began := time.Now()
	_, err := l.posts.CreatePost(context.Background(), &blogv1.CreatePostRequest{
		RequestId: uuid.NewString(), Author: "ada", Title: "A title", Body: "A body.",
	})
	require.NoError(b, err)
	last := <-l.arrived
	require.NoError(b, last.err)
	return floor.Micros(last.at.Sub(began))
}

// CreatePost answers once the row is stored; the event is on its way then.
func (l *line) CreatePost(_ context.Context, req *blogv1.CreatePostRequest) (*blogv1.CreatePostResponse, error) {
	id := req.GetRequestId()
	if err := storeBoth(l.first, id, []byte(req.GetBody())); err != nil {
		return nil, err
	}
	go func() {
		if err := l.produce(l.client, 0, id, []byte(req.GetBody())); err != nil {
			l.arrived <- arrival{err: err}
		}
	}()
	return &blogv1.CreatePostResponse{Post: &blogv1.Post{Id: id}}, nil
}

// station passes on what comes on topic i, until ctx ends.
func (l *line) station(ctx context.Context, i int, client *kafka.Client, db *sql.DB) {
	for next := int64(0); ctx.Err() == nil; {
		n, err := l.passOn(ctx, i, client, db, next)
		if err != nil && ctx.Err() == nil {
			l.arrived <- arrival{err: err}
			return
		}
		next += n
	}
}

// passOn fetches what comes next and handles each.
func (l *line) passOn(ctx context.Context, i int, client *kafka.Client, db *sql.DB, next int64) (n int64, err error) {
	response, err := client.Fetch(ctx, &kafka.FetchRequest{
		Topic: l.topics[i], Offset: next, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second,
	})
	if err == nil {
		err = response.Error
	}
	if err != nil {
		return 0, err
	}
	for ; ; n++ {
		record, err := response.Records.ReadRecord()
		if err != nil {
			return n, nil // io.EOF; anything else is fetched again
		}
		if err := l.handle(i, client, db, record); err != nil {
			return n, err
		}
	}
}

func (l *line) handle(i int, client *kafka.Client, db *sql.DB, record *kafka.Record) error {
	key, err := kafka.ReadAll(record.Key)
	if err != nil {
		return err
	}
	value, err := kafka.ReadAll(record.Value)
	if err != nil {
		return err
	}
	if err := storeBoth(db, string(key), value); err != nil {
		return err
	}
	if i == len(l.topics)-1 {
		l.arrived <- arrival{at: time.Now()}
		return nil
	}
	return l.produce(client, i+1, string(key), value)
}

func (l *line) produce(client *kafka.Client, i int, id string, value []byte) error {
	response, err := client.Produce(context.Background(), &kafka.ProduceRequest{
		Topic: l.topics[i], RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Key: kafka.NewBytes([]byte(id)), Value: kafka.NewBytes(value)}),
	})
	if err == nil {
		err = response.Error
	}
	return err
}

// storeBoth stores a row and an outbox row in one commit.
func storeBoth(db *sql.DB, id string, body []byte) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if _, err := tx.Exec(lineRow, id, body); err != nil {
		return err
	}
	if _, err := tx.Exec(lineOutbox, body); err != nil {
		return err
	}
	return tx.Commit()
}
