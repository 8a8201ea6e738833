package load

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tandem/bench/history"
	labv1 "tandem/proto/lab/v1"
	"tandem/shared/service"
)

// rewatch is how soon the watcher tries again to reach a service that is gone.
const rewatch = 50 * time.Millisecond

// WatchConfig says whose effects are watched.
type WatchConfig struct {
	Addresses []string // host:port of services; those that do not serve EffectsService are left alone
	Clock     Clock
	Sink      func(history.Effect) // called from several goroutines; must not block
	Log       *slog.Logger
}

// WatchEffects hears of every effect until ctx ends, and reconnects to a service within about 50 ms of its coming back. A
// service tells what it remembers to each watcher anew; the sink gets each effect once. An effect that a process was killed
// before it could tell is never heard of. It returns an error only for an address that is none.
func WatchEffects(ctx context.Context, cfg WatchConfig) error {
	watchers, ctx := errgroup.WithContext(ctx)
	for _, address := range cfg.Addresses {
		watchers.Go(func() error {
			// grpc-go's own pause between connection attempts grows; this one must not.
			steady := grpc.WithConnectParams(grpc.ConnectParams{
				Backoff: backoff.Config{BaseDelay: rewatch, Multiplier: 1, MaxDelay: rewatch}, MinConnectTimeout: time.Second,
			})
			conn, err := grpc.NewClient(address, append(service.DialOptions(), steady)...)
			if err != nil {
				return fmt.Errorf("watch the effects of %s: %w", address, err)
			}
			defer conn.Close()
			w := &watcher{cfg: cfg, client: labv1.NewEffectsServiceClient(conn), seen: map[effectKey]int{}}
			w.watch(ctx, address)
			return nil
		})
	}
	return watchers.Wait()
}

// effectKey tells effects apart. The time belongs to it: an event that is applied twice has two effects of one version. If that
// is in one commit, they are alike, and counted.
type effectKey struct {
	aggregate history.Aggregate
	id        string
	version   int64
	wall      int64 // ns
}

type watcher struct {
	cfg    WatchConfig
	client labv1.EffectsServiceClient
	seen   map[effectKey]int // how often the sink got each
}

// watch opens one stream after the other.
func (w *watcher) watch(ctx context.Context, address string) {
	for ctx.Err() == nil {
		err := w.stream(ctx)
		if status.Code(err) == codes.Unimplemented {
			w.cfg.Log.Debug("no effects to watch", "address", address)
			return
		}
		if ctx.Err() == nil {
			w.cfg.Log.Debug("effect stream ended", "address", address, "err", fmt.Sprint(err))
			sleep(ctx, rewatch)
		}
	}
}

// stream reads one stream to its end.
func (w *watcher) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Not to wait for the connection would end the call at once while the service is down; waiting resumes with it.
	stream, err := w.client.WatchEffects(ctx, &labv1.WatchEffectsRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	told := map[effectKey]int{}
	for {
		reply, err := stream.Recv()
		if err != nil {
			return err
		}
		for _, e := range reply.GetEffects() {
			w.take(e, told)
		}
	}
}

// take passes an effect on unless a stream before told of it: a stream tells from the beginning, so what it has told more often
// than any before it is new.
func (w *watcher) take(e *labv1.Effect, told map[effectKey]int) {
	wall := e.GetEffectTime().AsTime()
	k := effectKey{aggregateOf(e.GetAggregate()), e.GetId(), e.GetVersion(), wall.UnixNano()}
	told[k]++
	if told[k] <= w.seen[k] {
		return
	}
	w.seen[k] = told[k]
	w.cfg.Sink(history.Effect{Aggregate: k.aggregate, ID: k.id, Version: k.version, At: w.cfg.Clock.FromWall(wall)})
}

func aggregateOf(a labv1.Aggregate) history.Aggregate {
	switch a {
	case labv1.Aggregate_AGGREGATE_POST:
		return history.Post
	case labv1.Aggregate_AGGREGATE_COMMENT:
		return history.Comment
	case labv1.Aggregate_AGGREGATE_AUTHOR:
		return history.Author
	}
	return history.Aggregate(a.String())
}

// Effects collects effects; its Add is a sink. It may be used from many goroutines. NewEffects makes one.
type Effects struct {
	mu      sync.Mutex
	of      map[aggregateKey][]history.Effect
	highest map[aggregateKey]int64
	count   int
}

type aggregateKey struct {
	aggregate history.Aggregate
	id        string
}

// NewEffects returns an empty collection.
func NewEffects() *Effects {
	return &Effects{of: map[aggregateKey][]history.Effect{}, highest: map[aggregateKey]int64{}}
}

// Add takes an effect in.
func (e *Effects) Add(effect history.Effect) {
	e.mu.Lock()
	defer e.mu.Unlock()
	k := aggregateKey{effect.Aggregate, effect.ID}
	e.of[k] = append(e.of[k], effect)
	e.highest[k] = max(e.highest[k], effect.Version)
	e.count++
}

// Count is how many effects were taken in.
func (e *Effects) Count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.count
}

// List returns all effects in the order of their times.
func (e *Effects) List() []history.Effect {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]history.Effect, 0, e.count)
	for _, of := range e.of {
		list = append(list, of...)
	}
	slices.SortFunc(list, func(a, b history.Effect) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Aggregate, b.Aggregate), cmp.Compare(a.ID, b.ID),
			cmp.Compare(a.Version, b.Version))
	})
	return list
}

// ofWrite returns when the effect of an acknowledged write came: the first with its version or a later one. The reply of
// DeletePost tells no version; its effect is the first that came after it was sent, and never a post's first version.
func (e *Effects) ofWrite(o *history.Operation) (at time.Duration, found bool) {
	least, after := o.Version, time.Duration(-1<<63)
	if o.Op == DeletePost {
		least, after = 2, o.Sent
	}
	k := aggregateKey{o.Aggregate, o.ID}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.highest[k] < least {
		return 0, false
	}
	for _, effect := range e.of[k] {
		if effect.Version >= least && effect.At >= after && (!found || effect.At < at) {
			at, found = effect.At, true
		}
	}
	return at, found
}
