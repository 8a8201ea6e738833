package peer

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/grpc"

	"tandem/shared/crash"
	"tandem/shared/problem"
	"tandem/shared/service"
)

// Callee is another service, as one caller sees it, with the protection of the caller's level. C is the client of its API.
type Callee[C any] struct {
	client C
	conn   *grpc.ClientConn
	level  Level
	guard  *guard // used from Breaker on
}

// Dial returns a callee by its name. It connects in the background, so that services can start in any order. The caller closes
// it.
func Dial[C any](f *Flags, log *slog.Logger, name string, client func(grpc.ClientConnInterface) C) (*Callee[C], error) {
	conn, err := grpc.NewClient(f.addresses[name], append(service.DialOptions(), f.Level.retries()...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", name, err)
	}
	return &Callee[C]{client: client(conn), conn: conn, level: f.Level, guard: newGuard(name, log)}, nil
}

// Close closes the connection.
func (c *Callee[C]) Close() error { return c.conn.Close() }

// Call calls a method of a callee, for example Call(ctx, posts, blogv1.PostsServiceClient.GetPost, request). This is where a
// call gets the protection of the level, but for retries, which are the connection's, and for fallback, which is the caller's.
func Call[C, Q, R any](
	ctx context.Context, to *Callee[C], method func(C, context.Context, Q, ...grpc.CallOption) (R, error), request Q,
) (reply R, err error) {
	err = to.protect(ctx, func(ctx context.Context) (err error) {
		reply, err = method(to.client, ctx, request)
		return err
	})
	called()
	return reply, err
}

// called is a function of its own because the compiler would leave the crash point in: it does not see in generic functions that
// it is empty.
func called() { crash.At(crash.PeerAfterCall) }

func (c *Callee[C]) protect(ctx context.Context, call func(context.Context) error) error {
	if c.level == Naive {
		return call(context.WithoutCancel(ctx))
	}
	ctx, cancel, err := shorten(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if c.level < Breaker {
		return call(ctx)
	}
	return c.guard.call(ctx, call)
}

const (
	// keptBack is what a caller keeps of its own deadline, so that it can still tell its caller that a callee was too slow.
	keptBack = 20 * time.Millisecond
	// longest is the deadline of a call whose caller gave none.
	longest = 5 * time.Second
)

// shorten returns a context for a callee: it ends a little before the caller's.
func shorten(ctx context.Context) (context.Context, context.CancelFunc, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		ctx, cancel := context.WithTimeout(ctx, longest)
		return ctx, cancel, nil
	}
	deadline = deadline.Add(-keptBack)
	if !time.Now().Before(deadline) {
		return nil, nil, problem.New(problem.DeadlineExceeded, "too little time is left to call another service", nil)
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	return ctx, cancel, nil
}
