package load

import (
	"context"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"tandem/bench/history"
)

// The metadata by which a client reads what it has just written: the reply to a write says where it shows, and a page that is asked for
// with that is answered when it does, within the deadline. Both are async's; sync tells no positions, so nobody waits for one.
const (
	headerPosition = "tandem-position"
	headerWaitFor  = "tandem-wait-for"
	mostPositions  = 10 // that a request may name
)

// session is what one client has written, and has not been shown yet as far as it knows.
type session struct {
	mu      sync.Mutex
	pending []string // positions, oldest first
}

// note keeps where a write shows.
func (s *session) note(positions ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, positions...)
}

// carried is what a read of a thing waits for: what the client wrote of that thing, and then whatever it wrote last.
func (s *session) carried(thing string) (positions []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	newest := slices.Clone(s.pending)
	slices.Reverse(newest)
	slices.SortStableFunc(newest, func(a, b string) int { return isOf(b, thing) - isOf(a, thing) })
	return newest[:min(len(newest), mostPositions)]
}

// isOf is 1 of a position of a thing, and 0 of others.
func isOf(position, thing string) int {
	if strings.HasPrefix(position, thing+"@") {
		return 1
	}
	return 0
}

// shown forgets what a read has waited for.
func (s *session) shown(positions []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = slices.DeleteFunc(s.pending, func(p string) bool { return slices.Contains(positions, p) })
}

// sessions are those of all clients, by number.
type sessions struct {
	mu  sync.Mutex
	all map[int]*session
}

func (s *sessions) of(client int) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[client] == nil {
		s.all[client] = &session{}
	}
	return s.all[client]
}

// visit is one call of a session; its context carries it to the interceptor.
type visit struct {
	*session
	thing string // that is read, as positions name it; empty if it is no single one
}

type visitKey struct{}

// visits has an operation's calls belong to its client's session.
func (c *Client) visits(ctx context.Context, o *history.Operation) context.Context {
	if !c.cfg.WaitForPosition {
		return ctx
	}
	v := &visit{session: c.sessions.of(o.Client)}
	if o.Aggregate != "" && o.ID != "" {
		v.thing = string(o.Aggregate) + ":" + o.ID
	}
	return context.WithValue(ctx, visitKey{}, v)
}

const queryService = "/blog.v1.QueryService/"

// keepPositions is the interceptor of a client whose sessions wait for what they wrote. Calls of no session (the preload, and looks) are
// left alone.
func keepPositions(
	ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	v, found := ctx.Value(visitKey{}).(*visit)
	if !found {
		return invoke(ctx, method, req, reply, conn, opts...)
	}
	if strings.HasPrefix(method, queryService) {
		return v.read(ctx, func(ctx context.Context) error { return invoke(ctx, method, req, reply, conn, opts...) })
	}
	var header metadata.MD
	err := invoke(ctx, method, req, reply, conn, append(opts, grpc.Header(&header))...)
	if err == nil {
		v.note(header.Get(headerPosition)...)
	}
	return err
}

// read asks for a page that shows what the session has written. A page that there is none of has been waited for as well.
func (v *visit) read(ctx context.Context, call func(context.Context) error) error {
	positions := v.carried(v.thing)
	for _, p := range positions {
		ctx = metadata.AppendToOutgoingContext(ctx, headerWaitFor, p)
	}
	err := call(ctx)
	if code := codeOf(err); code == "OK" || code == codeNotFound {
		v.shown(positions)
	}
	return err
}
