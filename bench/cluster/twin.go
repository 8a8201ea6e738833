package cluster

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
)

// StartTwin starts a second process of a part over the same data, at an address of its own that nobody is told, and returns once it
// is SERVING. It has a log of its own, <part>-twin.log. StopTwin ends it, and Stop too. ErrRunning if the part has one already,
// ErrStopped after Stop.
func (c *Cluster) StartTwin(ctx context.Context, name string) error {
	p, err := c.part(name)
	if err != nil {
		return err
	}
	p.twinOp.Lock()
	defer p.twinOp.Unlock()
	twin, err := c.twinOf(p)
	if err != nil {
		return fmt.Errorf("start a second %s: %w", name, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	if _, err := c.launch(ctx, twin); err != nil {
		return fmt.Errorf("start a second %s: %w", name, err)
	}
	return nil
}

// twinOf lays out a twin that can be started, and has Stop know of it.
func (c *Cluster) twinOf(p *part) (*part, error) {
	addresses, err := freeAddresses(filepath.Join(p.dataDir, "twin"), []string{p.name})
	if err != nil {
		return nil, err
	}
	twin := &part{
		name: p.name + "-twin", binary: p.binary, address: addresses[p.name], dataDir: p.dataDir,
		logFile: filepath.Join(filepath.Dir(p.logFile), p.name+"-twin.log"), args: slices.Clone(p.args), answers: p.answers,
	}
	twin.args[slices.Index(twin.args, "--listen")+1] = twin.address
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.twin != nil && p.twin.running() {
		return nil, ErrRunning
	}
	p.twin = twin
	return twin, nil
}

// StopTwin asks the second process of a part to stop, and returns once it is reaped. ErrNotRunning if there is none.
func (c *Cluster) StopTwin(ctx context.Context, name string) error {
	p, err := c.part(name)
	if err != nil {
		return err
	}
	p.twinOp.Lock()
	defer p.twinOp.Unlock()
	proc := c.claimTwin(p)
	if proc == nil {
		return fmt.Errorf("stop the second %s: %w", name, ErrNotRunning)
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DrainTimeout+stopGrace)
	defer cancel()
	proc.askToStop()
	if !proc.endsBefore(ctx) {
		return fmt.Errorf("stop the second %s: it did not end in time and was killed: see the logs in %s", name, filepath.Dir(p.logFile))
	}
	return nil
}

// claimTwin is claim of the twin of a part.
func (c *Cluster) claimTwin(p *part) *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.twin == nil || !p.twin.running() {
		return nil
	}
	p.twin.proc.asked = true
	return p.twin.proc
}

// stopTwins ends the twins that nobody has stopped, and returns the names of those that had to be killed. No new one can be started.
func (c *Cluster) stopTwins(ctx context.Context) (killed []string) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DrainTimeout+stopGrace)
	defer cancel()
	for _, p := range c.parts {
		p.twinOp.Lock() // a start under way has been told to end
		proc := c.claimTwin(p)
		p.twinOp.Unlock()
		if proc == nil {
			continue
		}
		proc.askToStop()
		if !proc.endsBefore(ctx) {
			killed = append(killed, p.twin.name)
		}
	}
	return killed
}

// TwinPid returns the process id of the second process of a part, or 0 if there is none.
func (c *Cluster) TwinPid(name string) int {
	p, err := c.part(name)
	if err != nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.twin == nil || !p.twin.running() {
		return 0
	}
	return p.twin.proc.cmd.Process.Pid
}
