package main

import (
	"context"
	"database/sql"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"tandem/async/internal/bus"
	blogv1 "tandem/proto/blog/v1"
	eventv1 "tandem/proto/event/v1"
	"tandem/shared/floor"
	"tandem/shared/rules"
	"tandem/shared/service"
	"tandem/shared/store"
)

// What an accepted write costs is measured with CreatePost of this service, whose bus is idle. The floor is a bare gRPC server
// that stores a post and an outbox row in one commit, which those share that wait at the same time. It checks nothing, and does
// not keep the reply for a request that comes again.

// BenchmarkFloorWriteLatency is one write at a time.
func BenchmarkFloorWriteLatency(b *testing.B) {
	one := func(posts blogv1.PostsServiceClient) floor.Round {
		return func() float64 { return floor.Median(floor.Times(500, func() { create(b, posts) })) }
	}
	floor.Compare(b, one(leastService(b)), one(wholeService(b)))
}

// BenchmarkFloorWriteThroughput is 64 writes at a time.
func BenchmarkFloorWriteThroughput(b *testing.B) {
	many := func(posts blogv1.PostsServiceClient) floor.Round {
		return func() float64 { return floor.PerSecond(4000, func(n int) { createMany(b, posts, 64, n) }) }
	}
	floor.Compare(b, many(leastService(b)), many(wholeService(b)))
}

func create(b *testing.B, posts blogv1.PostsServiceClient) {
	request := &blogv1.CreatePostRequest{RequestId: uuid.NewString(), Author: "ada", Title: "A title", Body: "A body of a few words."}
	if _, err := posts.CreatePost(context.Background(), request, grpc.WaitForReady(true)); err != nil {
		b.Error(err)
	}
}

// createMany makes n posts, inFlight of them at a time.
func createMany(b *testing.B, posts blogv1.PostsServiceClient, inFlight, n int) {
	var callers sync.WaitGroup
	for range inFlight {
		callers.Go(func() {
			for range n / inFlight {
				create(b, posts)
			}
		})
	}
	callers.Wait()
}

// wholeService is this service as run starts it, but for the bus.
func wholeService(b *testing.B) blogv1.PostsServiceClient {
	address := freeAddress(b)
	flags := service.NewFlags("posts", address)
	events := bus.AddFlags(flags.Set)
	log, err := flags.Parse([]string{"--data", b.TempDir()}, io.Discard)
	require.NoError(b, err)
	db, err := flags.OpenStore(b.Context(), nil, store.PostsSchema, bus.Schema)
	require.NoError(b, err)
	posts := &server{db: db, bus: events.New(bus.Config{Service: "posts", Topic: bus.Posts, DB: db, Log: log})}
	srv, err := service.NewServer(flags, log, grpc.ChainUnaryInterceptor(posts.bus.Interceptor()))
	require.NoError(b, err)
	blogv1.RegisterPostsServiceServer(srv, posts)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	client := connect(b, address, service.DialOptions()...)
	b.Cleanup(func() {
		stop()
		require.NoError(b, <-served)
		require.NoError(b, db.Close())
	})
	return client
}

func freeAddress(b *testing.B) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	defer listener.Close()
	return listener.Addr().String()
}

// connect returns a client that has made its first write.
func connect(b *testing.B, address string, options ...grpc.DialOption) blogv1.PostsServiceClient {
	conn, err := grpc.NewClient(address, options...)
	require.NoError(b, err)
	b.Cleanup(func() { _ = conn.Close() })
	posts := blogv1.NewPostsServiceClient(conn)
	create(b, posts)
	return posts
}

// least is the floor's service.
type least struct {
	blogv1.UnimplementedPostsServiceServer

	db    *sql.DB
	queue chan *waiting
}

// waiting is one post that waits for its commit.
type waiting struct {
	post *blogv1.Post
	done chan error
}

func leastService(b *testing.B) blogv1.PostsServiceClient {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "least.db")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(normal)&_txlock=immediate")
	require.NoError(b, err)
	db.SetMaxOpenConns(1)
	_, err = db.Exec(store.PostsSchema + bus.Schema)
	require.NoError(b, err)
	l := &least{db: db, queue: make(chan *waiting, 256)}
	insertPost, err := db.Prepare(`INSERT INTO posts VALUES (?, ?, ?, ?, ?, ?, ?)`)
	require.NoError(b, err)
	insertEvent, err := db.Prepare(`INSERT INTO outbox (aggregatetype, aggregateid, payload, headers) VALUES (?, ?, ?, '[]')`)
	require.NoError(b, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.commitLoop(insertPost, insertEvent)
	}()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	srv := grpc.NewServer()
	blogv1.RegisterPostsServiceServer(srv, l)
	go func() { _ = srv.Serve(listener) }()
	b.Cleanup(func() {
		srv.Stop()
		close(l.queue)
		<-ended
		require.NoError(b, db.Close())
	})
	return connect(b, listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
}

func (l *least) CreatePost(_ context.Context, req *blogv1.CreatePostRequest) (*blogv1.CreatePostResponse, error) {
	w := &waiting{post: rules.NewPost(req), done: make(chan error, 1)}
	l.queue <- w
	return &blogv1.CreatePostResponse{Post: w.post}, <-w.done
}

// commitLoop commits what has piled up, until the queue is closed.
func (l *least) commitLoop(insertPost, insertEvent *sql.Stmt) {
	for first := range l.queue {
		group := []*waiting{first}
		for more := len(l.queue); more > 0; more-- {
			group = append(group, <-l.queue)
		}
		err := l.commit(group, insertPost, insertEvent)
		for _, w := range group {
			w.done <- err
		}
	}
}

func (l *least) commit(group []*waiting, insertPost, insertEvent *sql.Stmt) error {
	tx, err := l.db.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	post, event := tx.Stmt(insertPost), tx.Stmt(insertEvent)
	for _, w := range group {
		p := w.post
		at := p.GetCreateTime().AsTime().UnixMicro()
		if _, err := post.Exec(p.GetId(), p.GetAuthor(), p.GetTitle(), p.GetBody(), at, at, p.GetVersion()); err != nil {
			return err
		}
		payload, err := proto.Marshal(&eventv1.PostCreated{
			PostId: p.GetId(), Author: p.GetAuthor(), Title: p.GetTitle(), Body: p.GetBody(), CreateTime: p.GetCreateTime(), Version: 1,
		})
		if err != nil {
			return err
		}
		if _, err := event.Exec(bus.Posts, p.GetId(), payload); err != nil {
			return err
		}
	}
	return tx.Commit()
}
