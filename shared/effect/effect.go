// Package effect remembers when changes became visible on query's pages and tells the laboratory, so that time to effect is
// measured where the effect happens. It adds nothing to what a service does for its users.
package effect

import (
	"context"
	"sync"

	"google.golang.org/grpc"

	labv1 "tandem/proto/lab/v1"
)

// remembered is how many effects a process keeps for watchers that connect late.
const remembered = 100_000

// perReply keeps one reply well under the largest message.
const perReply = 1000

// Log is the effects of one process, in the order of their commits. Its zero value is not usable; NewLog makes one.
type Log struct {
	labv1.UnimplementedEffectsServiceServer

	mu    sync.Mutex
	ring  []*labv1.Effect
	total int64         // how many were ever appended; effect i is at ring[i % remembered]
	grown chan struct{} // closed and replaced at each append
}

// NewLog returns an empty log.
func NewLog() *Log { return &Log{grown: make(chan struct{})} }

// Register serves the log on a gRPC server.
func (l *Log) Register(s grpc.ServiceRegistrar) { labv1.RegisterEffectsServiceServer(s, l) }

// Append adds effects. It never waits for a watcher; give it to store.Options.OnCommit.
func (l *Log) Append(effects []*labv1.Effect) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range effects {
		if len(l.ring) < remembered {
			l.ring = append(l.ring, e)
		} else {
			l.ring[l.total%remembered] = e
		}
		l.total++
	}
	close(l.grown)
	l.grown = make(chan struct{})
}

// since returns effects from number next on, the number after them, and a channel that is closed when there are more.
func (l *Log) since(next int64) (effects []*labv1.Effect, after int64, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next = max(next, l.total-int64(len(l.ring))) // what was forgotten is gone
	for ; next < l.total && len(effects) < perReply; next++ {
		effects = append(effects, l.ring[next%remembered])
	}
	return effects, next, l.grown
}

// WatchEffects implements labv1.EffectsServiceServer. When the service stops, the watcher still hears what was appended before.
func (l *Log) WatchEffects(_ *labv1.WatchEffectsRequest, stream grpc.ServerStreamingServer[labv1.WatchEffectsResponse]) error {
	var next int64
	var ended error
	for {
		effects, after, more := l.since(next)
		next = after
		if len(effects) > 0 {
			if err := stream.Send(&labv1.WatchEffectsResponse{Effects: effects}); err != nil {
				return err
			}
			continue
		}
		if ended != nil {
			return ended
		}
		ended = wait(stream.Context(), more)
	}
}

func wait(ctx context.Context, more <-chan struct{}) error {
	select {
	case <-more:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
