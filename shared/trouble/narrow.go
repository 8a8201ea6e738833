package trouble

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/problem"
)

// Bottleneck is a capacity, as data: at most AtOnce pieces of work at the same time, each of them for Takes, so AtOnce ÷ Takes a
// second on any machine.
type Bottleneck struct {
	AtOnce int           `json:"at_once" yaml:"at_once"`
	Takes  time.Duration `json:"takes_ns" yaml:"takes"`
	// Queue is how many pieces may wait. A call that finds as many is answered UNAVAILABLE at once; an event waits in the log.
	Queue int `json:"queue" yaml:"queue"`
	// Patience is after how long a call is answered UNAVAILABLE, although its work goes on; 0 for never. It is what a proxy in front
	// of a server does: HTTP's 503 and 504 are UNAVAILABLE to a client of gRPC.
	Patience time.Duration `json:"patience_ns,omitempty" yaml:"patience"`
}

// longestQueue bounds the work of a full queue: a service that stops does it first.
const longestQueue = 4 * time.Second

// Check returns what is wrong with a bottleneck, or nil.
func (b Bottleneck) Check() error {
	switch {
	case b.AtOnce < 1 || b.AtOnce > 1000:
		return fmt.Errorf("at_once %d: use 1 to 1000", b.AtOnce)
	case b.Takes < time.Millisecond || b.Takes > time.Second:
		return fmt.Errorf("takes %v: use 1ms to 1s", b.Takes)
	case b.Queue < 1 || b.Takes*time.Duration(b.Queue)/time.Duration(b.AtOnce) > longestQueue:
		return fmt.Errorf("queue %d: use 1 or more, and no more than %v of work (queue × takes ÷ at_once)", b.Queue, longestQueue)
	case b.Patience < 0:
		return fmt.Errorf("patience %v: use a time above 0, or leave it out", b.Patience)
	}
	return nil
}

// String is the bottleneck as --lab-narrow takes it.
func (b Bottleneck) String() string {
	return fmt.Sprintf("at_once=%d,takes=%v,queue=%d,patience=%v", b.AtOnce, b.Takes, b.Queue, b.Patience)
}

// ParseBottleneck reads what String writes.
func ParseBottleneck(text string) (b Bottleneck, err error) {
	for pair := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(pair, "=")
		switch name {
		case "at_once":
			b.AtOnce, err = strconv.Atoi(value)
		case "takes":
			b.Takes, err = time.ParseDuration(value)
		case "queue":
			b.Queue, err = strconv.Atoi(value)
		case "patience":
			b.Patience, err = time.ParseDuration(value)
		default:
			err = errors.New("use at_once, takes, queue and patience")
		}
		if err != nil {
			return b, fmt.Errorf("%q: %w", pair, err)
		}
	}
	return b, b.Check()
}

// Narrow is a process with a bottleneck: a pool of workers with one queue in front, first come first served, through which go the
// calls and the events that do the service's real work (see isWork). A nil Narrow is a process without one.
//
// What has been queued is done, also if its caller has gone: thread pools and databases do not heed a cancellation. Without that
// an overloaded service would lose its load as fast as its callers lose patience, and retries could not keep it overloaded.
//
// No worker is a goroutine: each is the time at which it will be free, and a piece of work takes the one that is free first. So the
// capacity is the same on a machine whose timers are late.
type Narrow struct {
	size Bottleneck

	mu   sync.Mutex
	free []time.Time // of each worker

	working sync.WaitGroup // pieces of work, also those whose callers have gone
}

// NewNarrow returns a process with a bottleneck that Check has passed.
func NewNarrow(size Bottleneck) *Narrow {
	return &Narrow{size: size, free: make([]time.Time, size.AtOnce)}
}

// isWork tells whether a method or a type of event is what the bottleneck is about: reviewing a comment. Reading a verdict is not, nor
// are events that moderation hears and has no use for.
func isWork(name string) bool {
	return name == blogv1.ModerationService_ReviewComment_FullMethodName || name == "event.v1.CommentCreated"
}

// take gives a piece of work to the worker that is free first, and returns when that will have done it. With most pieces waiting
// there is no room for it; most < 0 is no bound.
func (n *Narrow) take(now time.Time, most int) (done time.Time, room bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	first, waiting := 0, -len(n.free)
	for i, at := range n.free {
		if at.Before(n.free[first]) {
			first = i
		}
		waiting += int(max(0, at.Sub(now)+n.size.Takes-1) / n.size.Takes)
	}
	if most >= 0 && waiting >= most {
		return time.Time{}, false
	}
	done = n.free[first]
	if done.Before(now) {
		done = now
	}
	done = done.Add(n.size.Takes)
	n.free[first] = done
	return done, true
}

// Calls has calls that are work wait for their turn. It goes behind Trouble's: what fails there is no work.
func (n *Narrow) Calls(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if n == nil || !isWork(info.FullMethod) {
		return handle(ctx, req)
	}
	done, room := n.take(time.Now(), n.size.Queue)
	if !room {
		return nil, problem.New(problem.Unavailable, fmt.Sprintf("%d calls wait already: try again later", n.size.Queue), nil)
	}
	answered := make(chan answer, 1)
	n.working.Go(func() {
		<-time.After(time.Until(done))
		answered <- carryOut(context.WithoutCancel(ctx), req, handle)
	})
	return n.await(ctx, answered)
}

type answer struct {
	reply any
	err   error
}

// carryOut keeps a panic from ending the process: nobody above it would.
func carryOut(ctx context.Context, req any, handle grpc.UnaryHandler) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			a.err = problem.New(problem.Internal, fmt.Sprint("panic: ", p), nil)
		}
	}()
	a.reply, a.err = handle(ctx, req)
	return a
}

// await returns the answer, or what the caller gets in place of it.
func (n *Narrow) await(ctx context.Context, answered <-chan answer) (any, error) {
	var late <-chan time.Time
	if n.size.Patience > 0 {
		timer := time.NewTimer(n.size.Patience)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case a := <-answered:
		return a.reply, a.err
	case <-late:
		return nil, problem.New(problem.Unavailable, fmt.Sprintf("no answer within %v; the work goes on", n.size.Patience), nil)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Event has an event that is work wait for its turn, or until ctx ends.
func (n *Narrow) Event(ctx context.Context, kind string) error {
	if n == nil || !isWork(kind) {
		return nil
	}
	done, _ := n.take(time.Now(), -1)
	return strike{delay: time.Until(done)}.wait(ctx)
}

// Wait returns once all work that was queued is done.
func (n *Narrow) Wait() {
	if n != nil {
		n.working.Wait()
	}
}
