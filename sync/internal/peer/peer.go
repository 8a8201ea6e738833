// Package peer is how the services of the sync stack call each other, and what a caller does about a callee's trouble: the
// protection levels, from none to fallback.
package peer

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"

	"tandem/shared/problem"
	"tandem/shared/service"
)

// Level is a rung of the protection ladder. Each level holds those before it.
type Level int

// The ladder.
const (
	// Naive waits for a callee for as long as it takes, even after the caller's own caller has gone.
	Naive Level = iota
	// Deadline hands on what is left of the caller's deadline, less what the caller keeps to answer with.
	Deadline
	// Retry tries again, without a budget.
	Retry
	// Budget retries with throttling.
	Budget
	// Breaker stops calling a callee that keeps failing.
	Breaker
	// Fallback answers with less rather than not at all.
	Fallback
)

// built is the highest level that works.
const built = Deadline

var levelNames = []string{"naive", "deadline", "retry", "budget", "breaker", "fallback"}

// String returns the level's name on the command line.
func (l Level) String() string { return levelNames[l] }

// MarshalText implements encoding.TextMarshaler.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. A level that is not built yet is an error.
func (l *Level) UnmarshalText(text []byte) error {
	for i, name := range levelNames {
		if name != string(text) {
			continue
		}
		if Level(i) > built {
			return fmt.Errorf("level %q is not built yet: use %s", name, strings.Join(levelNames[:built+1], " or "))
		}
		*l = Level(i)
		return nil
	}
	return fmt.Errorf("no level %q: use %s", text, strings.Join(levelNames[:built+1], " or "))
}

const (
	// keptBack is what a caller keeps of its own deadline, so that it can still tell its caller that a callee was too slow.
	keptBack = 20 * time.Millisecond
	// longest is the deadline of a call whose caller gave none.
	longest = 5 * time.Second
)

// Flags are the peers' addresses and the protection level.
type Flags struct {
	level     Level
	addresses map[string]string
}

// AddFlags adds the flags to a service's set.
func AddFlags(set *flag.FlagSet) *Flags {
	f := &Flags{addresses: map[string]string{
		"posts": "127.0.0.1:7101", "comments": "127.0.0.1:7102", "moderation": "127.0.0.1:7103",
		"subscriptions": "127.0.0.1:7104",
	}}
	set.TextVar(&f.level, "level", Deadline, "protection level of calls to other services: naive or deadline")
	set.Func("peers", "addresses of other services as name=address,… (default: the lab's own, 7101 to 7104)", f.parsePeers)
	return f
}

func (f *Flags) parsePeers(text string) error {
	for pair := range strings.SplitSeq(text, ",") {
		name, address, ok := strings.Cut(pair, "=")
		if !ok || address == "" {
			return fmt.Errorf("%q is not name=address", pair)
		}
		if _, known := f.addresses[name]; !known {
			return fmt.Errorf("no service %q: use posts, comments, moderation or subscriptions", name)
		}
		f.addresses[name] = address
	}
	return nil
}

// Dial returns a connection to another service. It connects in the background, so that services can start in any order.
// The caller closes it.
func (f *Flags) Dial(name string) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient(f.addresses[name], append(service.DialOptions(), grpc.WithUnaryInterceptor(f.protect))...)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", name, err)
	}
	return conn, nil
}

// protect is where a call to a peer gets the protection of the level.
func (f *Flags) protect(
	ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	if f.level == Naive {
		return call(context.WithoutCancel(ctx), method, req, reply, conn, opts...)
	}
	ctx, cancel, err := shorten(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	return call(ctx, method, req, reply, conn, opts...)
}

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
