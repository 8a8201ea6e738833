package fault_test

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tandem/bench/cluster"
	"tandem/bench/cluster/clustertest"
	"tandem/bench/fault"
	"tandem/bench/history"
)

func TestMain(m *testing.M) {
	clustertest.BeDouble()
	os.Exit(m.Run())
}

var _ fault.Stack = (*cluster.Cluster)(nil)

// processes is a stack that does what it is told, and takes one tick of the clock for each step.
type processes struct {
	ticks                time.Duration
	killErr, restartErr  error
	hang                 bool // Kill never sees an effect
	kills, restarts      int
	restartCtxHadEnded   bool
	killBound, liftBound time.Duration
}

func (p *processes) now() time.Duration {
	p.ticks++
	return p.ticks
}

func (p *processes) Has(part string) bool { return part != cluster.Broker }

func (p *processes) Kill(ctx context.Context, _ string) error {
	p.kills++
	deadline, _ := ctx.Deadline()
	p.killBound = time.Until(deadline)
	if p.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return p.killErr
}

func (p *processes) Restart(ctx context.Context, _ string) (time.Time, error) {
	p.restarts++
	deadline, _ := ctx.Deadline()
	p.liftBound = time.Until(deadline)
	p.restartCtxHadEnded = ctx.Err() != nil
	return time.Now(), p.restartErr
}

func TestKillRecords(t *testing.T) {
	broken := errors.New("broken")
	for _, tc := range []struct {
		name       string
		victim     string
		processes  processes
		injectErr  error
		liftErr    error
		restarts   int
		want       history.Fault
		hasProblem string
	}{
		{name: "killed and restarted", victim: "posts", restarts: 1,
			want: history.Fault{Asked: 1, InEffect: 2, LiftAsked: 3, Lifted: 4}},
		{name: "a part that the stack lacks", victim: cluster.Broker,
			want: history.Fault{Asked: 1, Absent: true}},
		{name: "not seen to take effect", victim: "posts", processes: processes{hang: true, restartErr: cluster.ErrRunning},
			injectErr: context.DeadlineExceeded, restarts: 1,
			want: history.Fault{Asked: 1, LiftAsked: 2}, hasProblem: "not seen to take effect within 2s"},
		{name: "took effect and was not confirmed", victim: "posts", processes: processes{killErr: broken},
			injectErr: broken, restarts: 1,
			want: history.Fault{Asked: 1, LiftAsked: 2, Lifted: 3}, hasProblem: "not seen to take effect"},
		{name: "not lifted", victim: "posts", processes: processes{restartErr: broken}, liftErr: broken, restarts: 1,
			want: history.Fault{Asked: 1, InEffect: 2, LiftAsked: 3}, hasProblem: "not lifted: broken"},
		{name: "somebody else restarted it", victim: "posts", processes: processes{restartErr: cluster.ErrRunning},
			liftErr: cluster.ErrRunning, restarts: 1,
			want: history.Fault{Asked: 1, InEffect: 2, LiftAsked: 3}, hasProblem: "not lifted"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := &tc.processes
			kill := fault.NewKill(p, tc.victim, p.now)
			require.ErrorIs(t, kill.Inject(t.Context()), tc.injectErr)
			require.ErrorIs(t, kill.Lift(t.Context()), tc.liftErr)
			got := kill.Record()
			require.Equal(t, tc.restarts, p.restarts)
			if tc.hasProblem == "" {
				require.Empty(t, got.Problem)
			}
			require.Contains(t, got.Problem, tc.hasProblem)
			tc.want.Name, tc.want.Victim, tc.want.Problem = "kill", tc.victim, got.Problem
			require.Equal(t, tc.want, got)
		})
	}
}

func TestKillIsLiftedAlsoWhenTheRunIsInterrupted(t *testing.T) {
	p := &processes{}
	kill := fault.NewKill(p, "posts", p.now)
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, kill.Inject(ctx))
	require.LessOrEqual(t, p.killBound, 2*time.Second)
	cancel()
	require.NoError(t, kill.Lift(ctx))
	require.False(t, p.restartCtxHadEnded)
	require.Positive(t, p.liftBound)
}

func TestLiftWithoutInject(t *testing.T) {
	p := &processes{}
	require.NoError(t, fault.NewKill(p, "posts", p.now).Lift(t.Context()))
	require.Zero(t, p.restarts)
}

func TestKillOnRealProcesses(t *testing.T) {
	defer goleak.VerifyNone(t)
	c, err := cluster.Start(t.Context(),
		cluster.Config{Stack: cluster.Sync, BinDir: clustertest.BinDir(t), Dir: t.TempDir(), FreePorts: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Stop(context.Background())) }()
	begin := time.Now()
	kill := fault.NewKill(c, "comments", func() time.Duration { return time.Since(begin) })

	require.NoError(t, kill.Inject(t.Context()))
	_, err = net.Dial("tcp", c.Address("comments"))
	require.Error(t, err)
	require.NoError(t, kill.Lift(t.Context()))
	conn, err := net.Dial("tcp", c.Address("comments"))
	require.NoError(t, err)
	conn.Close()

	r := kill.Record()
	require.Positive(t, r.Asked)
	require.Greater(t, r.InEffect, r.Asked)
	require.Greater(t, r.LiftAsked, r.InEffect)
	require.Greater(t, r.Lifted, r.LiftAsked)
	require.Empty(t, r.Problem)
}
