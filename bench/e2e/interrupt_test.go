package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tandem/bench/cluster"
	"tandem/bench/fault"
	"tandem/bench/history"
	"tandem/bench/load"
	"tandem/bench/scenario"
)

// oneOfEachKind holds a fault of each kind that async can suffer.
func oneOfEachKind() map[string]fault.Spec {
	const delay = 50 * time.Millisecond
	return map[string]fault.Spec{
		fault.Kill: {Victim: "posts"}, fault.Stop: {Victim: "query"}, fault.Rolling: {}, fault.Pause: {Victim: cluster.Broker},
		fault.Slow: {Victim: "posts", Delay: delay}, fault.SlowCalls: {Victim: "posts", Delay: delay},
		fault.SlowEvents: {Victim: "query", Delay: delay}, fault.Errors: {Victim: "posts", Share: 1},
		fault.Partition: {Victim: "query->broker"}, fault.Reset: {Victim: "query"}, fault.Bandwidth: {Victim: "posts", Rate: 1},
		fault.DiskFull: {Victim: cluster.Broker}, fault.Poison: {Victim: "blog.posts"}, fault.Duplicate: {Victim: "blog.posts"},
		fault.Schema:  {Victim: "blog.subscriptions", Change: fault.Changes()[0]},
		fault.Rebuild: {Victim: "query"}, fault.Crash: {Victim: "posts", Point: "relay-after-publish"},
		fault.Burst: {Factor: 4}, fault.Zombie: {Victim: "query"},
	}
}

// TestInterruptedInEachFault interrupts a scenario while a fault of each kind is in effect, and once more at a point left to chance:
// no fault stays in place, and no process, stopped or running, and no proxy behind.
func TestInterruptedInEachFault(t *testing.T) {
	bin, err := buildLab()
	require.NoError(t, err)
	dependOnSources(t)
	before := goleak.IgnoreCurrent()
	chance := newChance(seed(t), 1<<33)
	t.Run("kinds", func(t *testing.T) { // which returns after all of its parallel parts
		for _, kind := range fault.Kinds() {
			spec, found := oneOfEachKind()[kind]
			require.True(t, found, "no example of the kind %q", kind)
			spec.Kind = kind
			i := interruption{bin: bin, spec: spec, at: 1 + chance.Int64N(700)}
			t.Run(strings.ReplaceAll(kind, " ", "_"), func(t *testing.T) {
				t.Parallel()
				t.Run("in_effect", i.inEffect)
				t.Run("at_any_point", i.atAnyPoint)
			})
		}
	})
	goleak.VerifyNone(t, before)
}

// interruption is a scenario of one fault that is interrupted.
type interruption struct {
	bin  string
	spec fault.Spec
	at   int64 // which sign of progress ends it, if it is not the fault
}

// tiny is as short as an experiment can be: only that the fault can take effect matters.
func (i interruption) tiny() scenario.Plan {
	p := scenario.DefaultPlan()
	p.World = load.WorldSize{Posts: 200, Comments: 200, Authors: 20, Subscriptions: 200}
	p.Rate, p.Steady, p.Sample = 100, 500*time.Millisecond, 5
	p.Steps = []scenario.Step{{Spec: i.spec, Before: 300 * time.Millisecond, For: 5 * time.Second, After: time.Second}}
	return p
}

func (i interruption) inEffect(t *testing.T) {
	h := i.run(t, func(p scenario.Progress) bool { return p.Down != "" })
	require.Len(t, h.Faults, 1)
	require.Empty(t, h.Faults[0].Problem)
	require.Positive(t, h.Faults[0].InEffect)
	require.Positive(t, h.Faults[0].Lifted)
}

func (i interruption) atAnyPoint(t *testing.T) {
	var signs atomic.Int64
	h := i.run(t, func(scenario.Progress) bool { return signs.Add(1) == i.at })
	for _, f := range h.Faults {
		require.True(t, f.Lifted > 0 || f.InEffect == 0, "%+v", f)
	}
}

// run interrupts the scenario at the first progress that says so, and returns what was recorded until then.
func (i interruption) run(t *testing.T, now func(scenario.Progress) bool) *history.History {
	experiment, err := scenario.New(i.tiny())
	require.NoError(t, err)
	dir := t.TempDir()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	running := make(chan []string, 1)
	lab := scenario.Lab{
		Cluster: cluster.Config{Stack: cluster.Async, BinDir: i.bin, Dir: dir, FreePorts: true},
		History: filepath.Join(dir, "history.jsonl"), Log: quiet(),
		Show: func(p scenario.Progress) {
			if ctx.Err() == nil && now(p) {
				select {
				case running <- processesOf(t, dir):
					interrupt()
				default:
				}
			}
		},
	}
	_, err = experiment.Run(ctx, lab)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, processesOf(t, dir))
	found := <-running
	if _, err := os.Stat(lab.History); err != nil { // it was interrupted before there was anything to record
		return &history.History{}
	}
	require.GreaterOrEqual(t, len(found), 4, "what runs must be found, or that nothing is left shows nothing")
	h, err := history.Read(lab.History)
	require.NoError(t, err)
	require.False(t, h.Complete)
	return h
}

// processesOf returns the processes whose arguments hold a text, stopped ones too, each with its state.
func processesOf(t *testing.T, text string) (found []string) {
	out, err := exec.Command("ps", "-axo", "pid=,stat=,args=").Output()
	if err != nil {
		t.Error(err) // from any goroutine
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, text) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}
