// Package trouble lets the laboratory make a service misbehave: fail calls, answer slowly, apply events slowly. It is there in a
// service only if that was started with --lab-faults, and each fault ends by itself after a bounded time, so that a laboratory that
// dies leaves no service hurt.
package trouble

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	labv1 "tandem/proto/lab/v1"
	"tandem/shared/problem"
)

const (
	// longestFault bounds at_most: a forgotten fault must end.
	longestFault = 10 * time.Minute
	// longestDelay bounds how slow calls and events may be made.
	longestDelay = time.Minute
	// blog is what calls must be of to be struck: health checks and the laboratory's own calls never are.
	blog = "/blog.v1."
)

// Trouble is what is wrong with one process. A nil Trouble is a process that is well, and cannot be made otherwise.
type Trouble struct {
	labv1.UnimplementedFaultsServiceServer

	mu    sync.Mutex
	fault *labv1.InjectRequest // nil for none
	until time.Time
	dice  *rand.Rand
	// struck counts since the last Inject, also after the fault has ended.
	struck int64
	ended  chan struct{} // closed when the fault is lifted or replaced: those that wait need not any longer
}

// New returns a process that is well.
func New() *Trouble { return &Trouble{ended: make(chan struct{})} }

// Register serves the faults on a gRPC server.
func (t *Trouble) Register(s grpc.ServiceRegistrar) { labv1.RegisterFaultsServiceServer(s, t) }

// Inject implements labv1.FaultsServiceServer.
func (t *Trouble) Inject(_ context.Context, req *labv1.InjectRequest) (*labv1.InjectResponse, error) {
	if err := check(req); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end()
	t.fault, t.until, t.struck = req, time.Now().Add(req.GetAtMost().AsDuration()), 0
	t.dice = rand.New(rand.NewPCG(seedOf(req), 0))
	return &labv1.InjectResponse{}, nil
}

// Lift implements labv1.FaultsServiceServer.
func (t *Trouble) Lift(context.Context, *labv1.LiftRequest) (*labv1.LiftResponse, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end()
	return &labv1.LiftResponse{Struck: t.struck}, nil
}

// GetFault implements labv1.FaultsServiceServer.
func (t *Trouble) GetFault(context.Context, *labv1.GetFaultRequest) (*labv1.GetFaultResponse, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return &labv1.GetFaultResponse{InForce: t.inForce() != nil, Struck: t.struck}, nil
}

// end needs t.mu.
func (t *Trouble) end() {
	t.fault = nil
	close(t.ended)
	t.ended = make(chan struct{})
}

// inForce needs t.mu.
func (t *Trouble) inForce() *labv1.InjectRequest {
	if t.fault != nil && time.Now().After(t.until) {
		t.end()
	}
	return t.fault
}

func seedOf(req *labv1.InjectRequest) uint64 {
	return max(req.GetFailingCalls().GetSeed(), req.GetSlowCalls().GetSeed(), req.GetSlowEvents().GetSeed())
}

// check returns what is wrong with a request, or nil.
func check(req *labv1.InjectRequest) error {
	if d := req.GetAtMost().AsDuration(); d <= 0 || d > longestFault {
		return bad("at_most", fmt.Sprintf("must be above 0 and up to %v", longestFault))
	}
	switch f := req.GetFault().(type) {
	case *labv1.InjectRequest_FailingCalls:
		return checkFailing(f.FailingCalls)
	case *labv1.InjectRequest_SlowCalls:
		return checkDawdling("slow_calls", f.SlowCalls)
	case *labv1.InjectRequest_SlowEvents:
		return checkDawdling("slow_events", f.SlowEvents)
	}
	return bad("fault", "is required")
}

func checkFailing(f *labv1.Failing) error {
	if !(f.GetShare() > 0 && f.GetShare() <= 1) { // NaN too
		return bad("failing_calls.share", "must be above 0 and up to 1")
	}
	switch codes.Code(f.GetCode()) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Internal:
		return nil
	}
	return bad("failing_calls.code", "must be 4 (DEADLINE_EXCEEDED), 8 (RESOURCE_EXHAUSTED), 13 (INTERNAL) or 14 (UNAVAILABLE)")
}

func bad(field, why string) error {
	return problem.NewInvalid(problem.Field{Name: field, Description: why})
}

func checkDawdling(field string, d *labv1.Dawdling) error {
	if delay := d.GetDelay().AsDuration(); delay < time.Millisecond || delay > longestDelay {
		return bad(field+".delay", fmt.Sprintf("must be 1ms to %v", longestDelay))
	}
	if jitter := d.GetJitter().AsDuration(); jitter < 0 || jitter > d.GetDelay().AsDuration() {
		return bad(field+".jitter", "must be 0 to the delay")
	}
	return nil
}

// Calls strikes calls of blog.v1.
func (t *Trouble) Calls(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if t == nil || !strings.HasPrefix(info.FullMethod, blog) {
		return handle(ctx, req)
	}
	strike := t.draw((*labv1.InjectRequest).GetSlowCalls)
	if err := strike.wait(ctx); err != nil {
		return nil, err
	}
	if strike.failure == nil {
		return handle(ctx, req)
	}
	if strike.after {
		_, _ = handle(ctx, req) // whatever it is, the answer is lost
	}
	return nil, strike.failure
}

// Event delays the applying of one event, as long as the fault asks for, or until it is lifted or ctx ends.
func (t *Trouble) Event(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.draw((*labv1.InjectRequest).GetSlowEvents).wait(ctx)
}

// SlowsEvents tells whether events are to be applied one by one, because each is delayed.
func (t *Trouble) SlowsEvents() bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.inForce().GetSlowEvents() != nil
}

// strike is what happens to one call or event.
type strike struct {
	delay   time.Duration
	ended   <-chan struct{} // of the fault
	failure error
	after   bool
}

// draw decides what happens to a call or an event; slow says which delays are meant for it.
func (t *Trouble) draw(slow func(*labv1.InjectRequest) *labv1.Dawdling) (s strike) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fault := t.inForce()
	if fault == nil {
		return strike{}
	}
	s.ended = t.ended
	if d := slow(fault); d != nil {
		t.struck++
		s.delay = t.delay(d.GetDelay(), d.GetJitter())
	}
	if f := fault.GetFailingCalls(); f != nil && t.dice.Float64() < f.GetShare() {
		t.struck++
		kind := problem.KindOf(status.Error(codes.Code(f.GetCode()), ""))
		s.failure, s.after = problem.New(kind, Message, nil), f.GetAfter()
	}
	return s
}

// Message is the text of the failures that a fault makes: it tells them from others.
const Message = "the laboratory made this call fail"

func (t *Trouble) delay(delay, jitter *durationpb.Duration) time.Duration {
	d, j := delay.AsDuration(), jitter.AsDuration()
	return d - j + time.Duration(t.dice.Int64N(int64(2*j)+1))
}

func (s strike) wait(ctx context.Context) error {
	if s.delay == 0 {
		return nil
	}
	timer := time.NewTimer(s.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
