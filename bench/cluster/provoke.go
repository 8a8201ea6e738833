package cluster

import (
	"context"
	"fmt"
)

// Provoke runs provoke, and returns once the part that it is to end has ended and its address refuses connections. Unexpected
// does not report that end. It is an error if the part is still there when ctx ends, and ErrNotRunning if it is down already.
func (c *Cluster) Provoke(ctx context.Context, name string, provoke func() error) error {
	p, err := c.part(name)
	if err != nil {
		return err
	}
	p.op.Lock()
	defer p.op.Unlock()
	proc := c.claim(p)
	if proc == nil {
		return fmt.Errorf("end %s: %w", name, ErrNotRunning)
	}
	if err := provoke(); err != nil {
		c.unclaim(proc)
		return fmt.Errorf("end %s: %w", name, err)
	}
	select {
	case <-proc.done:
		return awaitRefused(ctx, p.address)
	case <-ctx.Done():
		c.unclaim(proc)
		return fmt.Errorf("end %s: it is still there: %w", name, ctx.Err())
	}
}

// unclaim takes back that the end of a process is asked for.
func (c *Cluster) unclaim(proc *process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	proc.asked = false
}
