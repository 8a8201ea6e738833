package fault

import (
	"context"
	"fmt"

	"tandem/bench/cluster"
)

// rolling restarts one service after the other, as a deployment does: each is asked to stop, and the next one's turn comes when it is
// SERVING again.
type rolling struct {
	stack Stack
	down  chan struct{} // closed when the first service is down
	done  chan error
}

func newRolling(e Env) Fault {
	r := &rolling{stack: e.Stack, down: make(chan struct{}), done: make(chan error, 1)}
	return newTimed(Rolling, "", e.Now, deed{do: r.begin, undo: r.end, within: liftWithin})
}

// begin returns when the first service is down; the others follow beside the load.
func (r *rolling) begin(ctx context.Context) error {
	go func() { r.done <- r.roll() }()
	select {
	case <-r.down:
		return nil
	case err := <-r.done:
		r.done <- err
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end waits for the last service.
func (r *rolling) end(ctx context.Context) error {
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the rolling restart is not done: %w", ctx.Err())
	}
}

func (r *rolling) roll() error {
	first := true
	for _, part := range r.stack.Parts() {
		if part == cluster.Broker {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), liftWithin)
		err := r.stack.StopPart(ctx, part)
		if first {
			first = false
			close(r.down)
		}
		if err == nil {
			_, err = r.stack.Restart(ctx, part)
		}
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}
