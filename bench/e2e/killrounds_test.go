package e2e

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/check"
	"tandem/bench/cluster"
	"tandem/bench/fault"
	"tandem/bench/history"
	"tandem/bench/load"
)

const (
	killRounds      = 50
	killRoundsShort = 5
	// killBound is the most that the rounds of one stack may take.
	killBound = 90 * time.Second
	// killWriters and killGap make about 150 writes a second.
	killWriters = 6
	killGap     = 40 * time.Millisecond
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// TestKillRounds kills parts at random under a steady stream of writes. In the end everything that was acknowledged must be
// there, once, in the owner's store and on query's pages.
func TestKillRounds(t *testing.T) {
	for _, stack := range []string{cluster.Sync, cluster.Async} {
		t.Run(stack, func(t *testing.T) {
			t.Parallel()
			seed := seed(t)
			c := start(t, cluster.Config{Stack: stack})
			world, err := load.NewWorld(seed, load.WorldSize{Posts: 1, Authors: 1}) // never stored
			require.NoError(t, err)
			clock := load.NewClock()
			watching := observe(t, c, world, clock)
			writing := &traffic{blog: connect(t, c), clock: clock, seed: seed, gap: killGap}

			stop := writing.inBackground(t, killWriters)
			writing.awaitAcknowledged(t, 50)
			k := &killer{t: t, cluster: c, writing: writing, chance: newChance(seed, 1<<32), now: clock.Now}
			k.rounds()
			stop()

			h := &history.History{
				Header: history.Header{
					Schema: history.Schema, Stack: stack, Seed: seed, Start: clock.Start(), Length: clock.Now(), Deadline: attemptTimeout,
				},
				Operations: writing.operations(), Faults: k.faults, Complete: true,
			}
			h.Drained = watching.drain(t, h.Operations)
			h.Effects = watching.effects.List()
			h.Finals, err = load.Observe(t.Context(), watching.client, h.Operations, 0)
			require.NoError(t, err)
			result := check.Check(h)
			tell(t, h, result, k)
			require.True(t, result.Verdict == check.Valid || result.OnlyDisturbed(), "%q", result.Reasons)
		})
	}
}

// tell logs what the rounds were worth.
func tell(t *testing.T, h *history.History, result check.Result, k *killer) {
	t.Helper()
	again, longest := 0, time.Duration(0)
	for _, o := range h.Operations {
		if o.Attempts > 1 {
			again++
		}
		longest = max(longest, o.Completed-o.Sent)
	}
	last := h.Faults[len(h.Faults)-1].Lifted
	t.Logf("%d writes (%d sent more than once, the longest took %v), %d kills and %d more of parts that were starting; "+
		"drained %v after the last restart; %d finals; verdict %s", len(h.Operations), again, longest.Round(time.Millisecond),
		len(h.Faults), k.whileStarting, (h.Drained - last).Round(time.Millisecond), len(h.Finals), result.Verdict)
	t.Logf("lost %d+%d, duplicated %d+%d, unexpected %d+%d, counter drift %d, wrong status %d",
		result.Figures.Lost.Store.Count, result.Figures.Lost.ReadModel.Count,
		result.Figures.Duplicated.Store.Count, result.Figures.Duplicated.ReadModel.Count,
		result.Figures.Unexpected.Store.Count, result.Figures.Unexpected.ReadModel.Count,
		result.Figures.CounterDrift.Count, result.Figures.WrongStatus.Count)
}

// killer goes through the rounds.
type killer struct {
	chance
	t             *testing.T
	cluster       *cluster.Cluster
	writing       *traffic
	now           fault.Clock
	faults        []history.Fault
	whileStarting int
}

func (k *killer) rounds() {
	n, ctx := killRounds, k.t.Context()
	if testing.Short() {
		n = killRoundsShort
	}
	ctx, cancel := context.WithTimeout(ctx, killBound)
	defer cancel()
	for range n {
		pause(ctx, k.between(0, 500*time.Millisecond))
		k.round(ctx)
		require.NoError(k.t, ctx.Err(), "the rounds take longer than %v", killBound)
	}
}

// round kills a part once; or once more while it starts; or, as soon as it is back and has what it missed to catch up with, the
// same part or another one.
func (k *killer) round(ctx context.Context) {
	parts := k.cluster.Parts()
	victim := parts[k.IntN(len(parts))]
	switch k.IntN(4) {
	case 0:
		k.killFor(ctx, victim, func() { k.killWhileStarting(ctx, victim) })
	case 1:
		second := victim
		if k.IntN(2) == 0 {
			second = parts[k.IntN(len(parts))]
		}
		k.killFor(ctx, victim, func() {})
		pause(ctx, k.between(0, 40*time.Millisecond))
		k.killFor(ctx, second, func() {})
	default:
		k.killFor(ctx, victim, func() {})
	}
}

// killFor kills a part, keeps it down for a while, and restarts it. meanwhile runs before the restart.
func (k *killer) killFor(ctx context.Context, victim string, meanwhile func()) {
	f := fault.NewKill(k.cluster, victim, k.now)
	if k.IntN(2) == 0 { // so that the kill falls between publishing and noting so, which under a trickle it hardly ever does
		k.writing.hurry.Store(true)
		pause(ctx, k.between(20*time.Millisecond, 100*time.Millisecond))
	}
	require.NoError(k.t, f.Inject(ctx))
	k.writing.hurry.Store(false)
	pause(ctx, k.between(0, 600*time.Millisecond))
	meanwhile()
	require.NoError(k.t, f.Lift(ctx))
	record := f.Record()
	record.End = k.now()
	k.faults = append(k.faults, record)
}

// killWhileStarting starts a part and kills it before it is SERVING, or just after.
func (k *killer) killWhileStarting(ctx context.Context, victim string) {
	started := make(chan error, 1)
	go func() {
		_, err := k.cluster.Restart(ctx, victim)
		started <- err
	}()
	pid := 0
	require.Eventually(k.t, func() bool {
		pid = k.cluster.Pid(victim)
		return pid > 0
	}, bound, time.Millisecond)
	process, err := os.FindProcess(pid) // at once: the id is this process's still
	require.NoError(k.t, err)
	pause(ctx, k.between(0, 60*time.Millisecond))
	require.NoError(k.t, process.Kill())
	<-started // an error if it was killed before it was SERVING
	require.Eventually(k.t, func() bool { return k.cluster.Pid(victim) == 0 }, bound, time.Millisecond)
	k.whileStarting++
}
