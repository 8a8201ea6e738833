package effect

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	labv1 "tandem/proto/lab/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// numbered returns the effects from..to-1; each one's version is its number.
func numbered(from, to int64) (effects []*labv1.Effect) {
	for i := from; i < to; i++ {
		effects = append(effects, &labv1.Effect{Aggregate: labv1.Aggregate_AGGREGATE_POST, Id: strconv.FormatInt(i, 10), Version: i})
	}
	return effects
}

// serve serves a log until the test ends.
func serve(t *testing.T, l *Log) labv1.EffectsServiceClient {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	s := grpc.NewServer()
	l.Register(s)
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:effects", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return listener.Dial() }))
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, conn.Close())
		s.Stop()
		require.NoError(t, <-served)
	})
	return labv1.NewEffectsServiceClient(conn)
}

type watch = grpc.ServerStreamingClient[labv1.WatchEffectsResponse]

func open(t *testing.T, c labv1.EffectsServiceClient) (watch, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	w, err := c.WatchEffects(ctx, &labv1.WatchEffectsRequest{})
	require.NoError(t, err)
	return w, cancel
}

// requireNext demands that a watch tells exactly the effects from..to-1 next, in this order.
func requireNext(t *testing.T, w watch, from, to int64) {
	t.Helper()
	for from < to {
		reply, err := w.Recv()
		require.NoError(t, err)
		require.NotEmpty(t, reply.GetEffects())
		require.LessOrEqual(t, len(reply.GetEffects()), perReply)
		for _, e := range reply.GetEffects() {
			require.Equal(t, from, e.GetVersion())
			from++
		}
	}
	require.Equal(t, to, from)
}

func TestLateWatcherHearsWhatWasBefore(t *testing.T) {
	l := NewLog()
	l.Append(numbered(0, 2500))
	w, _ := open(t, serve(t, l))
	requireNext(t, w, 0, 2500)
	l.Append(numbered(2500, 2501))
	requireNext(t, w, 2500, 2501)
}

func TestWatchersHearNewEffectsInOrder(t *testing.T) {
	l := NewLog()
	c := serve(t, l)
	first, _ := open(t, c)
	second, _ := open(t, c)
	for i := range int64(300) {
		l.Append(numbered(i*3, i*3+3))
	}
	requireNext(t, first, 0, 900)
	requireNext(t, second, 0, 900)
}

// TestForgetsTheOldest: memory is bounded, and a late watcher gets the newest.
func TestForgetsTheOldest(t *testing.T) {
	const more = 1234
	l := NewLog()
	l.Append(numbered(0, 10))
	l.Append(numbered(10, remembered+more))
	require.Len(t, l.ring, remembered)
	w, _ := open(t, serve(t, l))
	requireNext(t, w, more, remembered+more)
}

// TestSlowWatcherSkips: a watcher that is overtaken goes on with the oldest that is remembered.
func TestSlowWatcherSkips(t *testing.T) {
	l := NewLog()
	l.Append(numbered(0, remembered))
	_, next, _ := l.since(0)
	require.EqualValues(t, perReply, next)
	l.Append(numbered(remembered, 2*remembered))
	effects, _, _ := l.since(next)
	require.EqualValues(t, remembered, effects[0].GetVersion())
}

func TestAppendOfNothing(t *testing.T) {
	l := NewLog()
	l.Append(nil)
	l.Append(numbered(0, 1))
	effects, next, _ := l.since(0)
	require.Len(t, effects, 1)
	require.EqualValues(t, 1, next)
}

func TestWatcherThatGoesAwayIsForgotten(t *testing.T) {
	l := NewLog()
	l.Append(numbered(0, 1))
	w, leave := open(t, serve(t, l))
	requireNext(t, w, 0, 1)
	leave()
	_, err := w.Recv()
	require.Equal(t, codes.Canceled, status.Code(err))
	l.Append(numbered(1, 2)) // and goleak sees that nobody waits for it
}

// endingStream is a watcher's stream that ends just when the last effect is appended.
type endingStream struct {
	grpc.ServerStreamingServer[labv1.WatchEffectsResponse]
	end  func() context.Context
	sent int
}

func (s *endingStream) Context() context.Context { return s.end() }

func (s *endingStream) Send(r *labv1.WatchEffectsResponse) error {
	s.sent += len(r.GetEffects())
	return nil
}

// TestTheLastEffectIsHeard: what is appended before a stream ends is told, also if the watcher hears of both at once.
func TestTheLastEffectIsHeard(t *testing.T) {
	for range 50 { // which of the two it hears first is chance
		l := NewLog()
		ctx, cancel := context.WithCancel(context.Background())
		s := &endingStream{end: func() context.Context {
			l.Append(numbered(0, 1))
			cancel()
			return ctx
		}}
		require.ErrorIs(t, l.WatchEffects(nil, s), context.Canceled)
		require.Positive(t, s.sent)
	}
}
