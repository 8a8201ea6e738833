package fault_test

import (
	"context"
	"errors"
	"os"
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
				fault.Spec{Kind: fault.Crash, Victim: "posts", Point: "relay-after-sent:2"})
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
