package position

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	labv1 "tandem/proto/lab/v1"
	"tandem/shared/problem"
)

const (
	// keptBack is what is kept of the caller's deadline, so that it can still be told that the wait was in vain.
	keptBack = 20 * time.Millisecond
	// longest is how long a page waits for a caller that gave no deadline.
	longest = 2 * time.Second
	// mostPositions may be waited for in one request.
	mostPositions = 10
)

// Readers are those who wait until a read model is where they want it.
type Readers struct {
	mu      sync.Mutex
	waiting map[thing]map[chan struct{}]bool
}

// thing is what a position is a version of.
type thing struct {
	aggregate labv1.Aggregate
	id        string
}

// NewReaders returns none so far.
func NewReaders() *Readers { return &Readers{waiting: map[thing]map[chan struct{}]bool{}} }

// Wake has those look again who wait for one of these things. Call it after each commit; it never waits.
func (r *Readers) Wake(changed []*labv1.Effect) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) == 0 {
		return
	}
	for _, e := range changed {
		for wake := range r.waiting[thing{e.GetAggregate(), e.GetId()}] {
			select {
			case wake <- struct{}{}:
			default: // it is to look already
			}
		}
	}
}

// Applied tells whether a read model has come to a position.
type Applied func(context.Context, Position) (bool, error)

// Wait returns the interceptor of the service that has the read model. A request that waits for nothing is handled at once.
func (r *Readers) Wait(applied Applied) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		asked := metadata.ValueFromIncomingContext(ctx, WaitFor)
		if len(asked) == 0 {
			return handle(ctx, req)
		}
		positions, err := parseAll(asked)
		if err != nil {
			return nil, err
		}
		patience := time.NewTimer(patienceOf(ctx)) // for all of them together
		defer patience.Stop()
		for _, p := range positions {
			if err := r.wait(ctx, applied, p, patience.C); err != nil {
				return nil, err
			}
		}
		return handle(ctx, req)
	}
}

func parseAll(texts []string) (positions []Position, err error) {
	if len(texts) > mostPositions {
		return nil, invalid(fmt.Errorf("may be given %d times at most", mostPositions))
	}
	for _, text := range texts {
		p, err := Parse(text)
		if err != nil {
			return nil, invalid(err)
		}
		positions = append(positions, p)
	}
	return positions, nil
}

func invalid(err error) error {
	return problem.NewInvalid(problem.Field{Name: WaitFor, Description: err.Error()})
}

// wait returns nil once the read model has come to p, and Unavailable if it has not when patience is over.
func (r *Readers) wait(ctx context.Context, applied Applied, p Position, patience <-chan time.Time) error {
	wake := make(chan struct{}, 1)
	defer r.register(thing{p.Aggregate, p.ID}, wake)() // before the first look, so that no change falls between the two
	for {
		there, err := applied(ctx, p)
		if err != nil || there {
			return err
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		case <-patience:
			return problem.New(problem.Unavailable, fmt.Sprintf(
				"the read model has not come to %s yet: ask again, or without %s for what it has", p, WaitFor), nil)
		}
	}
}

// register has Wake wake a reader until the returned function is called.
func (r *Readers) register(t thing, wake chan struct{}) (end func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting[t] == nil {
		r.waiting[t] = map[chan struct{}]bool{}
	}
	r.waiting[t][wake] = true
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if delete(r.waiting[t], wake); len(r.waiting[t]) == 0 {
			delete(r.waiting, t)
		}
	}
}

func patienceOf(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return longest
	}
	return time.Until(deadline) - keptBack
}
