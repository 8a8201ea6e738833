package service

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"google.golang.org/grpc"

	"tandem/shared/problem"
)

// answer turns what a handler returns into a status, logs what only the service's owner can mend, and keeps a panic in one
// call from ending the others.
func (s *Server) answer(
	ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler,
) (reply any, err error) {
	s.calls.add(1)
	defer s.calls.add(-1)
	defer s.usage.count(info.FullMethod)
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic", "method", info.FullMethod, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			reply, err = nil, problem.ToStatus(problem.New(problem.Internal, "panic", nil)).Err()
		}
	}()
	if reply, err = handle(ctx, req); err == nil {
		return reply, nil
	}
	if kind := problem.KindOf(err); kind == problem.Internal || kind == problem.Exhausted {
		s.log.Error("call failed", "method", info.FullMethod, "err", err.Error())
	}
	return nil, problem.ToStatus(err).Err()
}

// underWay counts the calls under way that are not streams.
type underWay struct {
	mu   sync.Mutex
	n    int
	none func() // called whenever n is 0; may be nil
}

func (u *underWay) add(n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.n += n
	if u.n == 0 && u.none != nil {
		u.none()
	}
}

// whenNone calls f now if no call is under way, and from now on whenever the last one ends.
func (u *underWay) whenNone(f func()) {
	u.mu.Lock()
	u.none = f
	u.mu.Unlock()
	u.add(0)
}

// stream ends a stream when the service stops. Its client would never end it, and the drain would wait for that in vain.
func (s *Server) stream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	ctx, cancel := context.WithCancel(ss.Context())
	defer cancel()
	defer context.AfterFunc(s.open, cancel)()
	err := handle(srv, &endingStream{ServerStream: ss, ctx: ctx})
	if s.open.Err() != nil && ss.Context().Err() == nil {
		return problem.ToStatus(problem.New(problem.Unavailable, "the service is stopping", nil)).Err()
	}
	return err
}

// endingStream is a stream whose context ends when the service stops.
type endingStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *endingStream) Context() context.Context { return s.ctx }
