// Package testbed is a stack that is ready for an experiment: started, with a client for its users' work, listened to for its
// effects, and filled with a world. It breaks nothing, measures nothing and judges nothing.
package testbed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"tandem/bench/cluster"
	"tandem/bench/history"
	"tandem/bench/load"
	"tandem/bench/wire"
)

// Config says which stack, and what its client is about.
type Config struct {
	Cluster  cluster.Config // Dir gets data/ and logs/; it must be new, for a fresh state
	World    *load.World
	Clock    load.Clock
	Deadline time.Duration // of each operation of the load, from its intended send time
	Retries  int           // of each write of the load that ends UNAVAILABLE, within its deadline
	// WaitForPosition has clients of the load wait for what they wrote: see load.ClientConfig.
	WaitForPosition bool
	// OnSend hears of each operation of the load just before it is sent, from many goroutines; nil for none.
	OnSend func(*history.Operation)
	Log    *slog.Logger
}

// Testbed is a running stack with what loads and watches it.
type Testbed struct {
	Cluster *cluster.Cluster
	Client  *load.Client
	Effects *load.Effects // all that was heard of so far
	Clock   load.Clock

	log          *slog.Logger
	logs         string // folder
	stopWatching func()
}

// Start starts a stack, and watches its effects from the first one on. If it cannot, or ctx ends before all is SERVING, nothing
// is left running. Stop it.
func Start(ctx context.Context, cfg Config) (*Testbed, error) {
	stack, err := cluster.Start(ctx, cfg.Cluster)
	if err != nil {
		return nil, err
	}
	addresses, err := usersAddresses(stack, cfg.Cluster.Via)
	if err != nil {
		return nil, errors.Join(err, stack.Stop(context.WithoutCancel(ctx)))
	}
	client, err := load.NewClient(load.ClientConfig{
		Addresses: addresses, World: cfg.World, Clock: cfg.Clock, Deadline: cfg.Deadline,
		Retries: cfg.Retries, WaitForPosition: cfg.WaitForPosition, OnSend: cfg.OnSend,
	})
	if err != nil {
		return nil, errors.Join(err, stack.Stop(context.WithoutCancel(ctx)))
	}
	t := &Testbed{
		Cluster: stack, Client: client, Effects: load.NewEffects(), Clock: cfg.Clock,
		log: cfg.Log, logs: filepath.Join(cfg.Cluster.Dir, "logs"),
	}
	t.stopWatching = t.watch(ctx)
	return t, nil
}

// usersAddresses are where the stack's users find it.
func usersAddresses(stack *cluster.Cluster, via func(from, to, address string) (string, error)) (map[string]string, error) {
	addresses := stack.Addresses()
	for part, own := range addresses {
		if via == nil || part == cluster.Broker {
			continue
		}
		way, err := via(wire.Users, part, own)
		if err != nil {
			return nil, err
		}
		addresses[part] = way
	}
	return addresses, nil
}

// watch hears of effects until the returned function is called, which waits for the watchers.
func (t *Testbed) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var addresses []string
	for _, name := range load.Services() {
		addresses = append(addresses, t.Cluster.Address(name))
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := load.WatchEffects(ctx, load.WatchConfig{Addresses: addresses, Clock: t.Clock, Sink: t.Effects.Add, Log: t.log})
		if err != nil {
			t.log.Error("effects are not watched", "err", err.Error())
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// StopWatching hears of no more effects: after it Effects stays as it is.
func (t *Testbed) StopWatching() { t.stopWatching() }

// Stop ends the watchers, the client and the stack, and leaves no process behind. A stack that had to be killed for that is only
// logged: what was found out before stays true.
func (t *Testbed) Stop(ctx context.Context) error {
	t.stopWatching()
	err := t.Client.Close()
	if stop := t.Cluster.Stop(context.WithoutCancel(ctx)); stop != nil {
		t.log.Warn("the stack did not stop by itself", "err", stop.Error())
	}
	return err
}

// Filling is how a stack was filled.
type Filling struct {
	Operations []*history.Operation // by index; also those before an error
	Took       time.Duration        // until the last write was acknowledged
	Drained    time.Duration        // from there until all of it showed
}

// fillDrain bounds the wait until the world shows without progress.
const fillDrain = time.Minute

// Fill creates the client's world, and waits until all of it shows on query's pages: every stack begins in the same state. show
// hears how much shows of how much, from many goroutines; nil for none.
func (t *Testbed) Fill(ctx context.Context, show func(done, total int)) (f Filling, err error) {
	if show == nil {
		show = func(int, int) {}
	}
	began := t.Clock.Now()
	f.Operations, err = load.Preload(ctx, t.Client, load.PreloadConfig{Progress: show})
	if err != nil {
		return f, err
	}
	filled, total := t.Clock.Now(), len(f.Operations)
	drained := load.AwaitDrain(ctx, load.DrainConfig{
		Client: t.Client, Effects: t.Effects, Operations: f.Operations, Timeout: fillDrain,
		Progress: func(pending int) { show(total-pending, total) },
	})
	if ctx.Err() != nil {
		return f, context.Cause(ctx)
	}
	if drained.At == 0 {
		return f, fmt.Errorf("preload: %d of %d writes do not show on query's pages; see the logs in %s", len(drained.Pending), total, t.logs)
	}
	f.Took, f.Drained = filled-began, max(0, drained.At-filled)
	return f, nil
}

// Usage is what all parts of the stack have used so far together: CPU time of all their lives, and resident memory now. Both are
// 0 where the system does not tell.
func (t *Testbed) Usage() (sum cluster.Usage) {
	for _, part := range t.Cluster.Parts() {
		if u, ok := t.Cluster.Usage(part); ok {
			sum.CPU += u.CPU
			sum.RSS += u.RSS
		}
	}
	return sum
}
