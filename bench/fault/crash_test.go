package fault_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/bench/cluster"
	"tandem/bench/cluster/clustertest"
	"tandem/bench/fault"
	"tandem/shared/crash"
)

// fragile is a stack whose parts die when they are provoked, if so of what has just been armed.
type fragile struct {
	*cluster.Cluster
	dies bool
}

func (f fragile) Provoke(ctx context.Context, part string, provoke func() error) error {
	if !f.dies {
		return errors.Join(provoke(), cluster.ErrNotRunning)
	}
	return f.Cluster.Provoke(ctx, part, func() error {
		process, err := os.FindProcess(f.Pid(part))
		return errors.Join(provoke(), err, process.Kill())
	})
}

func TestCrash(t *testing.T) {
	for name, tc := range map[string]struct {
		dies    bool
		problem string
	}{
		"comes":         {true, ""},
		"does_not_come": {false, "the crash was not seen to take effect within 5s"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := cluster.Start(t.Context(),
				cluster.Config{Stack: cluster.Sync, BinDir: clustertest.BinDir(t), Dir: t.TempDir(), FreePorts: true})
			require.NoError(t, err)
			defer func() { require.NoError(t, c.Stop(context.Background())) }()
			p := &processes{}
			f, err := fault.New(fault.Env{Stack: fragile{c, tc.dies}, Now: p.now},
				fault.Spec{Kind: fault.Crash, Victim: "posts", Point: "request-after-commit:2"})
			require.NoError(t, err)
			require.Equal(t, tc.dies, f.Inject(t.Context()) == nil)
			require.NoError(t, f.Lift(t.Context()))
			require.Contains(t, f.Record().Problem, tc.problem)
			require.Equal(t, tc.dies, f.Record().Lifted > 0)
			crashed, err := crash.Disarm(c.DataDir("posts"))
			require.NoError(t, err)
			require.Equal(t, !tc.dies, crashed, "it is armed until it crashes, and no longer than the fault")
		})
	}
}

// ofStack is a stack of which only the name is asked.
type ofStack struct {
	unasked
	stack string
}

type unasked = fault.Stack // by another name, because a field Stack would hide the method

func (s ofStack) Stack() string         { return s.stack }
func (s ofStack) Has(string) bool       { return true }
func (s ofStack) DataDir(string) string { return "" }

// TestCrashPointsOfTheOtherStack: a point that no service of a stack comes to is no fault of that stack.
func TestCrashPointsOfTheOtherStack(t *testing.T) {
	for point, where := range map[crash.Point]string{
		crash.RequestAfterCommit: "sync async", crash.RelayAfterPublish: "async", crash.ConsumerAfterCommit: "async", crash.PeerAfterCall: "sync",
	} {
		for _, stack := range []string{cluster.Sync, cluster.Async} {
			f, err := fault.New(fault.Env{Stack: ofStack{stack: stack}}, fault.Spec{Kind: fault.Crash, Victim: "posts", Point: string(point)})
			require.NoError(t, err)
			require.Equal(t, !slices.Contains(strings.Fields(where), stack), f.Record().Absent, "%s in %s", point, stack)
		}
	}
}
