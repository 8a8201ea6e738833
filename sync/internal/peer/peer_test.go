package peer

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	blogv1 "tandem/proto/blog/v1"
)

// bound is how long a test waits for what has to happen; nothing takes that long unless it is broken.
const bound = 10 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// moderation is a callee: a real server on loopback, whose trouble is the test's.
type moderation struct {
	blogv1.UnimplementedModerationServiceServer
	address string

	mu       sync.Mutex
	trouble  func(ctx context.Context, do func()) error // what becomes of an attempt; do does what it asks for
	attempts int                                        // that reached the server
	retries  int                                        // those of them that gRPC says are not the first
	done     map[string]int                             // how often a request was carried out, by its id
}

func startModeration(tb testing.TB) *moderation {
	tb.Helper()
	m := &moderation{done: map[string]int{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	m.address = listener.Addr().String()
	server := grpc.NewServer()
	blogv1.RegisterModerationServiceServer(server, m)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	tb.Cleanup(func() {
		server.Stop()
		if err := <-served; !errors.Is(err, grpc.ErrServerStopped) { // a short test may stop it before it serves
			require.NoError(tb, err)
		}
	})
	return m
}

func (m *moderation) ReviewComment(ctx context.Context, req *blogv1.ReviewCommentRequest) (*blogv1.ReviewCommentResponse, error) {
	m.mu.Lock()
	m.attempts++
	if len(metadata.ValueFromIncomingContext(ctx, "grpc-previous-rpc-attempts")) > 0 {
		m.retries++
	}
	trouble := m.trouble
	m.mu.Unlock()
	do := func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.done[req.GetRequestId()]++
	}
	if trouble == nil {
		do()
	} else if err := trouble(ctx, do); err != nil {
		return nil, err
	}
	return &blogv1.ReviewCommentResponse{Verdict: &blogv1.Verdict{CommentId: req.GetCommentId(), Approved: true}}, nil
}

// is sets the trouble that attempts meet from now on.
func (m *moderation) is(trouble func(context.Context, func()) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trouble = trouble
}

// counts returns how many attempts there were since it was last asked, and how many of them were retries.
func (m *moderation) counts() (attempts, retries int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	attempts, retries = m.attempts, m.retries
	m.attempts, m.retries = 0, 0
	return attempts, retries
}

func well(_ context.Context, do func()) error {
	do()
	return nil
}

// notDone is a fault before anything has happened; replyLost is one after it has.
func notDone(context.Context, func()) error { return unavailable() }

func replyLost(_ context.Context, do func()) error {
	do()
	return unavailable()
}

func unavailable() error { return status.Error(codes.Unavailable, "trouble") }

// saying fails every attempt with a code.
func saying(code codes.Code) func(context.Context, func()) error {
	return func(context.Context, func()) error { return status.Error(code, "trouble") }
}

// times has the first n attempts meet a fault, and the later ones none.
func times(n int, fault func(context.Context, func()) error) func(context.Context, func()) error {
	var mu sync.Mutex
	return func(ctx context.Context, do func()) error {
		mu.Lock()
		n--
		faulty := n >= 0
		mu.Unlock()
		if faulty {
			return fault(ctx, do)
		}
		return well(ctx, do)
	}
}

type toModeration = *Callee[blogv1.ModerationServiceClient]

func dial(tb testing.TB, m *moderation, level Level, log io.Writer) toModeration {
	tb.Helper()
	f := &Flags{Level: level, addresses: map[string]string{"moderation": m.address}}
	to, err := Dial(f, slog.New(slog.NewTextHandler(log, nil)), "moderation", blogv1.NewModerationServiceClient)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = to.Close() })
	return to
}

func review(ctx context.Context, to toModeration) error {
	_, err := Call(ctx, to, blogv1.ModerationServiceClient.ReviewComment, &blogv1.ReviewCommentRequest{
		RequestId: uuid.NewString(), CommentId: uuid.NewString(), Body: "Apples.",
	})
	return err
}

func TestLevelsByName(t *testing.T) {
	for _, name := range levelNames {
		var out bytes.Buffer
		set := flag.NewFlagSet("test", flag.ContinueOnError)
		set.SetOutput(&out)
		f := AddFlags(set)
		require.NoError(t, set.Parse([]string{"--level", name}))
		require.Equal(t, name, f.Level.String())
	}
	var l Level
	require.ErrorContains(t, l.UnmarshalText([]byte("brave")), `no level "brave": use naive, deadline, retry, budget, breaker, fallback`)
}

func TestPeersByName(t *testing.T) {
	f := AddFlags(flag.NewFlagSet("test", flag.ContinueOnError))
	require.NoError(t, f.parsePeers("posts=a:1,comments=b:2"))
	require.Equal(t, "a:1", f.addresses["posts"])
	require.Equal(t, "127.0.0.1:7103", f.addresses["moderation"])
	require.ErrorContains(t, f.parsePeers("query=a:1"), `no service "query"`)
	require.ErrorContains(t, f.parsePeers("posts"), "not name=address")
}

func TestDeadlineIsHandedOn(t *testing.T) {
	outer := time.Now().Add(time.Minute)
	ctx, cancel := context.WithDeadline(t.Context(), outer)
	defer cancel()
	m := startModeration(t)
	for level := Deadline; level <= Fallback; level++ {
		called := false
		require.NoError(t, dial(t, m, level, io.Discard).protect(ctx, func(ctx context.Context) error {
			called = true
			got, _ := ctx.Deadline()
			require.Equal(t, outer.Add(-keptBack), got, "%s", level)
			return nil
		}))
		require.True(t, called)
	}
}

func TestNaiveWaitsForeverAndOthersDoNot(t *testing.T) {
	m := startModeration(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, dial(t, m, Naive, io.Discard).protect(ended, func(ctx context.Context) error {
		_, has := ctx.Deadline()
		require.False(t, has)
		return ctx.Err()
	}))
	require.ErrorIs(t, dial(t, m, Deadline, io.Discard).protect(ended, func(ctx context.Context) error {
		_, has := ctx.Deadline()
		require.True(t, has, "a caller that gave no deadline gets the longest")
		return ctx.Err()
	}), context.Canceled)
}

func TestNoCallWithoutTimeToAnswer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), keptBack/2)
	defer cancel()
	m := startModeration(t)
	require.ErrorContains(t, review(ctx, dial(t, m, Fallback, io.Discard)), "too little time is left")
	attempts, _ := m.counts()
	require.Zero(t, attempts)
}
