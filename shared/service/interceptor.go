package service

import (
	"context"
	"fmt"
	"runtime/debug"

	"google.golang.org/grpc"

	"tandem/shared/problem"
)

// answer turns what a handler returns into a status, logs what only the service's owner can mend, and keeps a panic in one
// call from ending the others.
func (s *Server) answer(
	ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler,
) (reply any, err error) {
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
