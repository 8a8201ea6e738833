package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tandem/bench/wire"
)

// network hurts one link, or all links to one part.
type network struct {
	e     Env
	s     Spec
	paths []*wire.Path
}

// newNetwork returns a fault of the network. All its links must go through the net: that is decided before the stack starts.
func newNetwork(e Env, s Spec) (Fault, error) {
	n := &network{e: e, s: s}
	links := s.Links(e.Stack.Stack())
	for _, link := range links {
		path, found := e.path(link)
		if !found {
			return nil, fmt.Errorf("the link %s goes through no proxy: give it to wire.New before the stack starts", link)
		}
		n.paths = append(n.paths, path)
	}
	return newTimed(s.Kind, s.Victim, e.Now, deed{
		absent: len(links) == 0, do: n.begin, undo: n.end, within: confirmWithin + 4*s.Delay,
	}), nil
}

func (e Env) path(link wire.Link) (*wire.Path, bool) {
	if e.Net == nil {
		return nil, false
	}
	return e.Net.Path(link)
}

func (n *network) begin(ctx context.Context) error {
	for _, p := range n.paths {
		if err := n.hurt(p); err != nil {
			return err
		}
	}
	return n.eachPath(ctx, n.isHurt)
}

// hurt does to one path what the fault says.
func (n *network) hurt(p *wire.Path) error {
	switch n.s.Kind {
	case Slow:
		return p.Slow(n.direction(wire.Answers), n.s.Delay, n.s.Jitter)
	case Bandwidth:
		return p.Throttle(n.direction(wire.BothWays), n.s.Rate)
	case Reset:
		return p.Reset()
	}
	if n.s.Refuse {
		return p.Refuse()
	}
	return p.BlackHole(n.direction(wire.BothWays))
}

func (n *network) direction(preset wire.Direction) wire.Direction {
	if n.s.Direction == "" {
		return preset
	}
	return n.s.Direction
}

func (n *network) end(ctx context.Context) error {
	var errs []error
	for _, p := range n.paths {
		errs = append(errs, p.Heal())
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return n.eachPath(ctx, func(ctx context.Context, p *wire.Path) error {
		return await(ctx, func(ctx context.Context) error { return n.ask(ctx, p) })
	})
}

// eachPath does something for every path side by side, and returns the first error.
func (n *network) eachPath(ctx context.Context, do func(context.Context, *wire.Path) error) error {
	results := make(chan error, len(n.paths))
	for _, p := range n.paths {
		go func() {
			if err := do(ctx, p); err != nil {
				results <- fmt.Errorf("%s: %w", p.Link, err)
				return
			}
			results <- nil
		}()
	}
	var errs []error
	for range n.paths {
		errs = append(errs, <-results)
	}
	return errors.Join(errs...)
}

// ask asks the callee through the path, on a connection of its own.
func (n *network) ask(ctx context.Context, p *wire.Path) error {
	return n.e.Stack.AnswersAt(ctx, p.Link.To, p.Address())
}

// isHurt is the probe of one path.
func (n *network) isHurt(ctx context.Context, p *wire.Path) error {
	switch {
	case n.s.Kind == Slow || n.s.Kind == Bandwidth:
		return n.isSlow(ctx, p)
	case n.s.Kind == Reset || n.s.Refuse:
		look, cancel := context.WithTimeout(ctx, silence)
		defer cancel()
		if n.ask(look, p) == nil {
			return errors.New("it still answers")
		}
		return nil
	}
	return silent(ctx, func(ctx context.Context) error { return n.ask(ctx, p) })
}

// handshake is the least that a question and its answer weigh on the wire, in bytes, in each direction: the preface and the settings
// of HTTP/2, or Kafka's question for the brokers.
const handshake = 50

// isSlow sees that an answer takes as long as it must.
func (n *network) isSlow(ctx context.Context, p *wire.Path) error {
	least := n.s.Delay - n.s.Jitter
	if n.s.Kind == Bandwidth {
		least = time.Duration(handshake * int64(time.Second) / (n.s.Rate * 1000))
	}
	start := time.Now()
	if err := n.ask(ctx, p); err != nil && ctx.Err() == nil && !strings.Contains(err.Error(), "deadline") {
		return err
	}
	if took := time.Since(start); took < least {
		return fmt.Errorf("it answered after %v, and must take %v", took, least)
	}
	return nil
}
