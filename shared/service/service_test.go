package service

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	blogv1 "tandem/proto/blog/v1"
	labv1 "tandem/proto/lab/v1"
	"tandem/shared/effect"
	"tandem/shared/problem"
	"tandem/shared/rules"
)

// bound is how long a test waits for what has to happen; nothing takes that long unless it is broken.
const bound = 10 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handler is a posts service whose GetPost is the test's.
type handler struct {
	blogv1.UnimplementedPostsServiceServer
	get func(context.Context, *blogv1.GetPostRequest) (*blogv1.GetPostResponse, error)
}

func (h *handler) GetPost(ctx context.Context, req *blogv1.GetPostRequest) (*blogv1.GetPostResponse, error) {
	return h.get(ctx, req)
}

func echo(_ context.Context, req *blogv1.GetPostRequest) (*blogv1.GetPostResponse, error) {
	return &blogv1.GetPostResponse{Post: &blogv1.Post{Id: req.GetId()}}, nil
}

// running is a server under test, with a client.
type running struct {
	posts   blogv1.PostsServiceClient
	conn    *grpc.ClientConn
	effects *effect.Log
	log     *bytes.Buffer // read it after stop
	stop    context.CancelFunc
	stopped chan error
}

// start serves h with the flags in args until the test ends.
func start(tb testing.TB, h *handler, args ...string) *running {
	tb.Helper()
	r := &running{effects: effect.NewLog(), log: &bytes.Buffer{}, stopped: make(chan error, 1)}
	flags := NewFlags("posts", "127.0.0.1:0")
	log, err := flags.Parse(args, r.log)
	require.NoError(tb, err)
	s, err := NewServer(flags, log)
	require.NoError(tb, err)
	blogv1.RegisterPostsServiceServer(s, h)
	r.effects.Register(s)
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() { r.stopped <- s.Serve(ctx) }()
	r.conn, err = grpc.NewClient(s.listener.Addr().String(), DialOptions()...)
	require.NoError(tb, err)
	r.posts = blogv1.NewPostsServiceClient(r.conn)
	tb.Cleanup(func() {
		stop()
		_ = r.conn.Close()
	})
	return r
}

// waitStopped waits until the server has stopped and returns how that took.
func (r *running) waitStopped(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	select {
	case err := <-r.stopped:
		require.NoError(t, err)
	case <-time.After(bound):
		require.FailNow(t, "the server does not stop")
	}
	return time.Since(began)
}

// waitRefuses waits until the server takes no new connection, which is so while calls are still under way.
func (r *running) waitRefuses(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		conn, err := net.DialTimeout("tcp", r.conn.Target(), time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, bound, time.Millisecond)
}

func (r *running) get(ctx context.Context, id string) (*blogv1.GetPostResponse, error) {
	return r.posts.GetPost(ctx, &blogv1.GetPostRequest{Id: id}, grpc.WaitForReady(true))
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	t.Cleanup(cancel)
	return ctx
}

func TestPortInUseNamesTheAddress(t *testing.T) {
	taken, err := Listen("127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, taken.Close()) }()
	flags := NewFlags("posts", taken.Addr().String())
	log, err := flags.Parse(nil, io.Discard)
	require.NoError(t, err)
	_, err = NewServer(flags, log)
	require.ErrorContains(t, err, taken.Addr().String())
	require.ErrorContains(t, err, "in use")
	require.ErrorContains(t, err, "--listen", "the error says what to do")
}

func TestListenRefusesBadAddress(t *testing.T) {
	for _, address := range []string{"127.0.0.1", "127.0.0.1:99999", "127.0.0.1:http:1", "no such host:1"} {
		_, err := Listen(address)
		require.ErrorContains(t, err, address)
	}
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want error
		says string
	}{
		"nothing":         {nil, nil, ""},
		"all":             {[]string{"--listen", "x:1", "--db-sync", "full", "--drain-timeout", "1s", "--log-level", "warn"}, nil, ""},
		"help":            {[]string{"-h"}, flag.ErrHelp, "-listen"},
		"unknown_flag":    {[]string{"--nope"}, errUsage, "nope"},
		"not_a_flag":      {[]string{"nope"}, errUsage, `"nope"`},
		"bad_duration":    {[]string{"--drain-timeout", "5"}, errUsage, "drain-timeout"},
		"bad_log_level":   {[]string{"--log-level", "loud"}, errUsage, "log-level"},
		"flag_after_text": {[]string{"--listen", "x:1", "y", "--data", "z"}, errUsage, `"y"`},
	} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			flags := NewFlags("posts", "127.0.0.1:7101")
			flags.Set.SetOutput(&said)
			_, err := flags.Parse(c.args, io.Discard)
			require.ErrorIs(t, err, c.want)
			require.Contains(t, said.String(), c.says)
		})
	}
}

func TestHealthFollowsTheServer(t *testing.T) {
	r := start(t, &handler{get: echo})
	health := healthv1.NewHealthClient(r.conn)
	for _, name := range []string{"", "blog.v1.PostsService"} {
		reply, err := health.Check(testContext(t), &healthv1.HealthCheckRequest{Service: name}, grpc.WaitForReady(true))
		require.NoError(t, err)
		require.Equal(t, healthv1.HealthCheckResponse_SERVING, reply.GetStatus())
	}
	watch, err := health.Watch(testContext(t), &healthv1.HealthCheckRequest{})
	require.NoError(t, err)
	reply, err := watch.Recv()
	require.NoError(t, err)
	require.Equal(t, healthv1.HealthCheckResponse_SERVING, reply.GetStatus())
	r.stop()
	r.waitStopped(t)
	for err == nil { // it may say NOT_SERVING before it ends
		_, err = watch.Recv()
	}
	require.NotEqual(t, codes.DeadlineExceeded, status.Code(err))
}

func TestDrainLetsACallFinish(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	r := start(t, &handler{get: func(ctx context.Context, req *blogv1.GetPostRequest) (*blogv1.GetPostResponse, error) {
		close(entered)
		<-release
		return echo(ctx, req)
	}})
	answered := make(chan error, 1)
	go func() {
		_, err := r.get(testContext(t), "a")
		answered <- err
	}()
	<-entered
	r.stop()
	r.waitRefuses(t)
	require.Empty(t, answered)
	close(release)
	require.NoError(t, <-answered)
	r.waitStopped(t)
	require.NotContains(t, r.log.String(), "cut off")
}

func TestStopsAlthoughAHandlerIgnoresItsContext(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	r := start(t, &handler{get: func(context.Context, *blogv1.GetPostRequest) (*blogv1.GetPostResponse, error) {
		close(entered)
		<-release // as a caller without a deadline waits for a peer that is paused
		return &blogv1.GetPostResponse{}, nil
	}}, "--drain-timeout", "50ms")
	answered := make(chan error, 1)
	go func() {
		_, err := r.get(testContext(t), "a")
		answered <- err
	}()
	<-entered
	r.stop()
	require.Less(t, r.waitStopped(t), 5*time.Second)
	close(release)
	<-answered
}

func TestDrainCutsOffAfterItsTimeout(t *testing.T) {
	entered := make(chan struct{})
	r := start(t, &handler{get: func(ctx context.Context, _ *blogv1.GetPostRequest) (*blogv1.GetPostResponse, error) {
		close(entered)
		<-ctx.Done() // as a handler waits whose database or peer does not answer
		return nil, ctx.Err()
	}}, "--drain-timeout", "50ms")
	answered := make(chan error, 1)
	go func() {
		_, err := r.get(testContext(t), "a")
		answered <- err
	}()
	<-entered
	r.stop()
	require.GreaterOrEqual(t, r.waitStopped(t), 40*time.Millisecond)
	require.Equal(t, codes.Unavailable, status.Code(<-answered))
	require.Contains(t, r.log.String(), "cut off")
	require.Contains(t, r.log.String(), `"drain_timeout":"50ms"`)
}

// TestDrainEndsWatchers: a watcher never ends its stream, so the server must, once the calls under way have had their effect.
func TestDrainEndsWatchers(t *testing.T) {
	var r *running
	entered, release := make(chan struct{}), make(chan struct{})
	r = start(t, &handler{get: func(ctx context.Context, req *blogv1.GetPostRequest) (*blogv1.GetPostResponse, error) {
		close(entered)
		<-release
		r.effects.Append([]*labv1.Effect{{Id: "last"}})
		return echo(ctx, req)
	}}, "--drain-timeout", "1h")
	r.effects.Append([]*labv1.Effect{{Id: "first"}})
	watch, err := labv1.NewEffectsServiceClient(r.conn).WatchEffects(testContext(t), &labv1.WatchEffectsRequest{}, grpc.WaitForReady(true))
	require.NoError(t, err)
	reply, err := watch.Recv()
	require.NoError(t, err)
	require.Equal(t, "first", reply.GetEffects()[0].GetId())
	answered := make(chan error, 1)
	go func() {
		_, err := r.get(testContext(t), "a")
		answered <- err
	}()
	<-entered
	r.stop()
	r.waitRefuses(t)
	close(release)
	require.NoError(t, <-answered)
	reply, err = watch.Recv()
	require.NoError(t, err)
	require.Equal(t, "last", reply.GetEffects()[0].GetId(), "what a call under way did is heard")
	_, err = watch.Recv()
	require.Equal(t, codes.Unavailable, status.Code(err))
	r.waitStopped(t)
	require.NotContains(t, r.log.String(), "cut off")
}

func TestStopWithStdin(t *testing.T) {
	stdin, other, err := os.Pipe()
	require.NoError(t, err)
	old := os.Stdin
	os.Stdin = stdin
	defer func() { os.Stdin = old; _ = stdin.Close() }()
	r := start(t, &handler{get: echo}, "--stop-with-stdin")
	_, err = other.WriteString("input is not the end\n")
	require.NoError(t, err)
	_, err = r.get(testContext(t), "a")
	require.NoError(t, err)
	require.Empty(t, r.stopped)
	require.NoError(t, other.Close())
	r.waitStopped(t)
}

func TestCancelAtEOF(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	CancelAtEOF(strings.NewReader("some input"), cancel)
	require.ErrorIs(t, ctx.Err(), context.Canceled)
}

func TestPanicBecomesINTERNAL(t *testing.T) {
	r := start(t, &handler{get: func(ctx context.Context, req *blogv1.GetPostRequest) (*blogv1.GetPostResponse, error) {
		if req.GetId() == "panic" {
			panic("secret of the house")
		}
		return echo(ctx, req)
	}})
	_, err := r.get(testContext(t), "panic")
	require.Equal(t, codes.Internal, status.Code(err))
	require.NotContains(t, err.Error(), "secret")
	_, err = r.get(testContext(t), "a")
	require.NoError(t, err, "the server lives on")
	r.stop()
	r.waitStopped(t)
	require.Contains(t, r.log.String(), "secret of the house")
	require.Contains(t, r.log.String(), "service_test.go", "the log has the stack")
}

func TestAnswerTellsKinds(t *testing.T) {
	errs := map[string]error{
		"INVALID":  problem.NewInvalid(problem.Field{Name: "id", Description: "is bad"}),
		"MISSING":  problem.NewNotFound("post", "x"),
		"BROKEN":   errors.New("secret of the house"),
		"FULL":     problem.New(problem.Exhausted, "the disk is full", nil),
		"CANCELED": context.Canceled,
	}
	r := start(t, &handler{get: func(_ context.Context, req *blogv1.GetPostRequest) (*blogv1.GetPostResponse, error) {
		return nil, errs[req.GetId()]
	}})
	for id, code := range map[string]codes.Code{
		"INVALID": codes.InvalidArgument, "MISSING": codes.NotFound, "BROKEN": codes.Internal, "FULL": codes.ResourceExhausted,
		"CANCELED": codes.Canceled,
	} {
		_, err := r.get(testContext(t), id)
		require.Equal(t, code, status.Code(err), id)
		require.NotContains(t, err.Error(), "secret")
	}
	r.stop()
	r.waitStopped(t)
	require.Equal(t, 2, strings.Count(r.log.String(), "call failed"), "only what the owner can mend is logged: %s", r.log)
}

func TestRequestOverTheLimit(t *testing.T) {
	r := start(t, &handler{get: echo})
	const overhead = 4 // of a string field of this length: tag and length
	_, err := r.get(testContext(t), strings.Repeat("a", rules.MaxRequest-overhead))
	require.NoError(t, err)
	_, err = r.get(testContext(t), strings.Repeat("a", rules.MaxRequest-overhead+1))
	require.Equal(t, codes.ResourceExhausted, status.Code(err))
	_, err = r.get(testContext(t), "a")
	require.NoError(t, err)
}

// TestWorkBesideTheServer: work runs until the last call has been answered, and its failure stops the service.
func TestWorkBesideTheServer(t *testing.T) {
	for name, fails := range map[string]error{"ends_with_the_server": nil, "stops_the_server": errors.New("no broker")} {
		t.Run(name, func(t *testing.T) {
			flags := NewFlags("posts", "127.0.0.1:0")
			s, err := NewServer(flags, slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			ctx, stop := context.WithCancel(testContext(t))
			defer stop()
			ended := false
			s.Go(func(work context.Context) error {
				if fails != nil {
					return fails
				}
				stop()
				<-work.Done()
				ended = true
				return nil
			})
			require.ErrorIs(t, s.Serve(ctx), fails)
			require.Equal(t, fails == nil, ended, "Serve waits for the work")
		})
	}
}
