package cluster_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"tandem/bench/cluster"
	"tandem/bench/cluster/clustertest"
	"tandem/shared/mutant"
)

const bound = 20 * time.Second

func TestMain(m *testing.M) {
	clustertest.BeDouble()
	if filepath.Base(os.Args[0]) == parentName {
		beParent()
	}
	os.Exit(m.Run())
}

// config is a stack of doubles on free ports, with no goroutine left behind at the end of the test.
func config(t *testing.T, stack string) cluster.Config {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	return cluster.Config{Stack: stack, BinDir: clustertest.BinDir(t), Dir: t.TempDir(), FreePorts: true}
}

func start(t *testing.T, cfg cluster.Config) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Stop(context.Background()) })
	return c
}

func requireGone(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := cluster.Mark(pid)
		return errors.Is(err, cluster.ErrNoProcess)
	}, bound, 5*time.Millisecond, "process %d is still there", pid)
}

func logOf(t *testing.T, c *cluster.Cluster, part string) string {
	t.Helper()
	text, err := os.ReadFile(c.LogFile(part))
	require.NoError(t, err)
	return string(text)
}

func TestStartAndStop(t *testing.T) {
	for _, tc := range []struct {
		stack string
		parts []string
		flags []string // of comments
	}{
		{"sync", []string{"posts", "comments", "moderation", "subscriptions", "query"},
			[]string{"--peers posts=127.0.0.1:", ",moderation=127.0.0.1:", ",subscriptions=127.0.0.1:", "--level deadline"}},
		{"async", []string{"broker", "posts", "comments", "moderation", "subscriptions", "query"},
			[]string{"--brokers 127.0.0.1:", "--level outbox", "--acks all", "--unknown-post-after 2s"}},
	} {
		t.Run(tc.stack, func(t *testing.T) {
			cfg := config(t, tc.stack)
			cfg.SyncLevel, cfg.AsyncLevel, cfg.Acks, cfg.DBSync, cfg.Procs = "deadline", "outbox", "all", "full", 1
			cfg.UnknownPostAfter = 2 * time.Second
			c := start(t, cfg)
			require.Equal(t, tc.parts, c.Parts())
			require.Equal(t, tc.stack, c.Stack())
			require.Len(t, c.Addresses(), len(tc.parts))
			pids := make(map[int]bool)
			for _, part := range tc.parts {
				require.True(t, c.Has(part))
				require.NotZero(t, c.Pid(part), part)
				require.Positive(t, c.StartUp(part), part)
				require.DirExists(t, filepath.Join(cfg.Dir, "data", part))
				pids[c.Pid(part)] = true
				group, err := unix.Getpgid(c.Pid(part))
				require.NoError(t, err)
				require.Equal(t, c.Pid(part), group, "a Ctrl-C in the terminal reaches %s before us", part)
			}
			require.Len(t, pids, len(tc.parts))
			log := logOf(t, c, "comments")
			for _, flag := range append(tc.flags, "--db-sync full", "--drain-timeout 5s", "--stop-with-stdin", "GOMAXPROCS: 1",
				"--listen "+c.Address("comments"), "--data "+filepath.Join(cfg.Dir, "data", "comments")) {
				require.Contains(t, log, flag)
			}

			require.NoError(t, c.Stop(t.Context()))
			for pid := range pids {
				requireGone(t, pid)
			}
			require.Contains(t, logOf(t, c, "comments"), "stopped", "comments was killed, not asked to stop")
			require.Zero(t, c.Pid("comments"))
			_, open := <-c.Unexpected()
			require.False(t, open, "a stop that was asked for is not unexpected")
			_, err := c.Restart(t.Context(), "comments")
			require.ErrorIs(t, err, cluster.ErrStopped)
		})
	}
}

func TestUnknownNames(t *testing.T) {
	_, err := cluster.Start(t.Context(), cluster.Config{Stack: "both"})
	require.ErrorContains(t, err, `unknown stack "both"`)

	c := start(t, config(t, "sync"))
	require.False(t, c.Has("broker"))
	require.Zero(t, c.Pid("broker"))
	require.Empty(t, c.Address("broker"))
	require.ErrorContains(t, c.Kill(t.Context(), "broker"), `no part "broker"`)
}

func TestMissingBinary(t *testing.T) {
	cfg := config(t, "sync")
	require.NoError(t, os.Remove(filepath.Join(cfg.BinDir, "sync-moderation")))
	_, err := cluster.Start(t.Context(), cfg)
	require.ErrorContains(t, err, "no sync-moderation in "+cfg.BinDir)
	require.ErrorContains(t, err, "make build")
}

// TestMistakesNeedProgramsForTests: others would run as if no mistake had been asked of them.
func TestMistakesNeedProgramsForTests(t *testing.T) {
	cfg := config(t, "sync")
	cfg.Mistake = string(mutant.OffsetFirst)
	_, err := cluster.Start(t.Context(), cfg)
	require.ErrorContains(t, err, "no sync-posts, sync-comments")
	require.ErrorContains(t, err, "make build-lab")
	require.NoError(t, os.Symlink(cfg.BinDir, filepath.Join(cfg.BinDir, "lab"))) // built, and without the tag
	_, err = cluster.Start(t.Context(), cfg)
	require.ErrorContains(t, err, "that was built with the tag lab")
}

// onceFree does something that needs the usual ports, which other packages' tests take for a moment.
func onceFree[T any](t *testing.T, do func() (T, error)) (got T) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		got, err := do()
		if err == nil {
			return got
		}
		if time.Now().After(end) {
			clustertest.Lacking(t, "the usual ports are taken: "+err.Error())
		}
	}
}

func TestPortInUse(t *testing.T) {
	listener := onceFree(t, func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:7104") })
	defer listener.Close()
	cfg := config(t, "sync")
	cfg.FreePorts = false
	_, err := cluster.Start(t.Context(), cfg)
	require.ErrorIs(t, err, cluster.ErrPortInUse)
	require.ErrorContains(t, err, "127.0.0.1:7104 (subscriptions)")
	require.ErrorContains(t, err, "stop the program that has it")
}

func TestPortHeldByTandem(t *testing.T) {
	cfg := config(t, "sync")
	cfg.FreePorts = false
	first := onceFree(t, func() (*cluster.Cluster, error) { return cluster.Start(t.Context(), cfg) })
	defer func() { require.NoError(t, first.Stop(context.Background())) }()
	require.Equal(t, "127.0.0.1:7101", first.Address("posts"))
	require.Equal(t, "127.0.0.1:7105", first.Address("query"))

	cfg.Dir = t.TempDir()
	_, err := cluster.Start(t.Context(), cfg)
	require.ErrorIs(t, err, cluster.ErrPortInUse)
	require.ErrorContains(t, err, "127.0.0.1:7101 (posts)")
	require.ErrorContains(t, err, "tandem down")
}

// A part that fails takes the others with it, and the error holds its own last words, not those of an earlier run.
func TestPartEndsAtStart(t *testing.T) {
	cfg := config(t, "async")
	clustertest.Set(t, cfg.BinDir, "async-query", clustertest.Fail)
	require.NoError(t, os.MkdirAll(filepath.Join(cfg.Dir, "logs"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(cfg.Dir, "logs", "query.log"), []byte("from yesterday\n"), 0o600))
	_, err := cluster.Start(t.Context(), cfg)
	require.ErrorContains(t, err, "query ended (exit status 1)")
	require.ErrorContains(t, err, "the double was told to fail")
	require.NotContains(t, err.Error(), "from yesterday")
	requireNothingListens(t, cfg)
}

func TestPartNeverServing(t *testing.T) {
	cfg := config(t, "sync")
	cfg.StartTimeout = 2 * time.Second
	clustertest.Set(t, cfg.BinDir, "sync-posts", clustertest.Mute)
	_, err := cluster.Start(t.Context(), cfg)
	require.ErrorContains(t, err, "posts is not SERVING after 2")
	require.ErrorContains(t, err, "NOT_SERVING")
	require.ErrorContains(t, err, "msg=listening")
	requireNothingListens(t, cfg)
}

func TestInterruptedStart(t *testing.T) {
	cfg := config(t, "sync")
	clustertest.Set(t, cfg.BinDir, "sync-posts", clustertest.Mute)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := cluster.Start(ctx, cfg)
		ended <- err
	}()
	log := filepath.Join(cfg.Dir, "logs", "posts.log")
	require.Eventually(t, func() bool {
		text, _ := os.ReadFile(log)
		return strings.Contains(string(text), "listening")
	}, bound, 5*time.Millisecond)
	cancel()
	select {
	case err := <-ended:
		require.ErrorIs(t, err, context.Canceled)
	case <-time.After(bound):
		t.Fatal("Start did not notice that its context ended")
	}
	requireNothingListens(t, cfg)
}

// requireNothingListens looks at the addresses that the parts were told in their logs.
func requireNothingListens(t *testing.T, cfg cluster.Config) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(cfg.Dir, "logs", "*.log"))
	require.NoError(t, err)
	require.NotEmpty(t, logs)
	looked := 0
	for _, log := range logs {
		text, err := os.ReadFile(log)
		require.NoError(t, err)
		_, rest, found := strings.Cut(string(text), "--listen ")
		if !found {
			continue // it was killed before it could write
		}
		looked++
		address, _, _ := strings.Cut(rest, " ")
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		require.Error(t, err, "somebody still listens on %s", address)
	}
	require.NotZero(t, looked)
}

func TestKillAndRestart(t *testing.T) {
	for _, tc := range []struct{ stack, part string }{{"sync", "comments"}, {"async", "broker"}} {
		t.Run(tc.stack+" "+tc.part, func(t *testing.T) {
			c := start(t, config(t, tc.stack))
			pid, address := c.Pid(tc.part), c.Address(tc.part)
			_, err := c.Restart(t.Context(), tc.part)
			require.ErrorIs(t, err, cluster.ErrRunning)

			require.NoError(t, c.Kill(t.Context(), tc.part))
			requireGone(t, pid)
			_, err = net.Dial("tcp", address)
			require.Error(t, err)
			require.Zero(t, c.Pid(tc.part))
			require.ErrorIs(t, c.Kill(t.Context(), tc.part), cluster.ErrNotRunning)

			before := time.Now()
			at, err := c.Restart(t.Context(), tc.part)
			require.NoError(t, err)
			require.WithinRange(t, at, before, time.Now())
			require.NotEqual(t, pid, c.Pid(tc.part))
			require.Equal(t, address, c.Address(tc.part))
			conn, err := net.Dial("tcp", address)
			require.NoError(t, err)
			conn.Close()
			require.Equal(t, 2, strings.Count(logOf(t, c, tc.part), "args:"), "both lives share one log")
			require.NoError(t, c.Stop(t.Context()))
			_, open := <-c.Unexpected()
			require.False(t, open, "a kill that was asked for is not unexpected")
		})
	}
}

// A kill counts only if nobody answers at the address any more.
func TestKillNotConfirmed(t *testing.T) {
	c := start(t, config(t, "sync"))
	for range 50 { // who takes the address over races the probe, and must win once
		stop := takeOver(t, c.Address("posts"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err := c.Kill(ctx, "posts")
		cancel()
		if err == nil {
			stop()
			_, err = c.Restart(t.Context(), "posts")
			require.NoError(t, err)
			continue
		}
		defer stop()
		require.ErrorContains(t, err, "still accepts connections")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = c.Restart(t.Context(), "posts")
		require.ErrorIs(t, err, cluster.ErrPortInUse)
		return
	}
	t.Fatal("the address was never taken over in time")
}

// takeOver listens on an address as soon as it is free.
func takeOver(t *testing.T, address string) (stop func()) {
	t.Helper()
	taken, quit := make(chan net.Listener, 1), make(chan struct{})
	go func() {
		defer close(taken)
		for {
			select {
			case <-quit:
				return
			default:
			}
			if listener, err := net.Listen("tcp", address); err == nil {
				taken <- listener
				return
			}
			runtime.Gosched()
		}
	}()
	return func() {
		close(quit)
		if listener := <-taken; listener != nil {
			listener.Close()
		}
	}
}

func TestRestartThatFails(t *testing.T) {
	cfg := config(t, "sync")
	c := start(t, cfg)
	require.NoError(t, c.Kill(t.Context(), "query"))
	clustertest.Set(t, cfg.BinDir, "sync-query", clustertest.Fail)
	_, err := c.Restart(t.Context(), "query")
	require.ErrorContains(t, err, "the double was told to fail")
	require.Zero(t, c.Pid("query"))
	clustertest.Set(t, cfg.BinDir, "sync-query", clustertest.Serve)
	_, err = c.Restart(t.Context(), "query")
	require.NoError(t, err)
}

func TestUnexpectedEnd(t *testing.T) {
	c := start(t, config(t, "sync"))
	process, err := os.FindProcess(c.Pid("moderation"))
	require.NoError(t, err)
	require.NoError(t, process.Kill())
	select {
	case exit := <-c.Unexpected():
		require.Equal(t, "moderation", exit.Part)
		require.Equal(t, "signal: killed", exit.State)
		require.Contains(t, exit.Error(), "serving")
	case <-time.After(bound):
		t.Fatal("nobody noticed")
	}
	_, err = c.Restart(t.Context(), "moderation")
	require.NoError(t, err)
}

// Who kills a part from outside may ask for its restart the moment it is gone, before we have reaped it.
func TestRestartRightAfterAnEndFromOutside(t *testing.T) {
	c := start(t, config(t, "sync"))
	for range 20 {
		pid := c.Pid("moderation")
		process, err := os.FindProcess(pid)
		require.NoError(t, err)
		require.NoError(t, process.Kill())
		for end := time.Now().Add(bound); time.Now().Before(end); {
			if _, err := cluster.Mark(pid); errors.Is(err, cluster.ErrNoProcess) {
				break
			}
		}
		_, err = c.Restart(t.Context(), "moderation")
		require.NoError(t, err)
	}
}

func TestStopKillsWhatDoesNotStop(t *testing.T) {
	cfg := config(t, "sync")
	cfg.DrainTimeout = 10 * time.Millisecond
	clustertest.Set(t, cfg.BinDir, "sync-comments", clustertest.Stubborn)
	c := start(t, cfg)
	pid := c.Pid("comments")
	require.ErrorContains(t, c.Stop(t.Context()), "[comments] had to be killed")
	requireGone(t, pid)
	require.ErrorContains(t, c.Stop(t.Context()), "[comments] had to be killed", "a second Stop says the same")
}

func TestUsage(t *testing.T) {
	c := start(t, config(t, "sync"))
	before, ok := c.Usage("posts")
	if runtime.GOOS != "linux" {
		require.False(t, ok)
		return
	}
	require.True(t, ok)
	require.Greater(t, before.CPU, time.Millisecond/10)
	require.Less(t, before.CPU, time.Minute)
	require.Greater(t, before.RSS, int64(1<<20))

	require.NoError(t, c.Kill(t.Context(), "posts"))
	down, ok := c.Usage("posts")
	require.True(t, ok)
	require.Zero(t, down.RSS)
	require.Greater(t, down.CPU, before.CPU/2, "what the dead process used still counts")

	_, err := c.Restart(t.Context(), "posts")
	require.NoError(t, err)
	again, ok := c.Usage("posts")
	require.True(t, ok)
	require.Greater(t, again.CPU, down.CPU)
	require.Positive(t, again.RSS)
}

// parentName is the name by which the test binary starts a cluster and waits to be killed.
const parentName = "cluster-parent"

func beParent() {
	c, err := cluster.Start(context.Background(),
		cluster.Config{Stack: "sync", BinDir: os.Args[1], Dir: os.Args[2], FreePorts: true})
	if err != nil {
		fmt.Fprintln(os.Stdout, err)
		os.Exit(1)
	}
	for _, part := range c.Parts() {
		fmt.Fprintln(os.Stdout, c.Pid(part))
	}
	select {}
}

func TestNoChildOutlivesItsParent(t *testing.T) {
	for _, tc := range []struct {
		name      string
		behaviour clustertest.Behaviour
		only      string
	}{
		{"children that watch their standard input", clustertest.Serve, ""},
		{"children that listen to nobody", clustertest.Stubborn, "linux"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.only != "" && tc.only != runtime.GOOS {
				t.Skipf("only %s kills the children of a process with it", tc.only)
			}
			cfg := config(t, "sync")
			clustertest.Link(t, cfg.BinDir, parentName)
			clustertest.Set(t, cfg.BinDir, "sync-posts", tc.behaviour)
			parent, pids := startParent(t, cfg)
			require.NoError(t, parent.Process.Kill())
			_ = parent.Wait()
			for _, pid := range pids {
				requireGone(t, pid)
			}
		})
	}
}

func startParent(t *testing.T, cfg cluster.Config) (parent *exec.Cmd, pids []int) {
	t.Helper()
	parent = exec.Command(filepath.Join(cfg.BinDir, parentName), cfg.BinDir, cfg.Dir)
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	t.Cleanup(func() { _ = parent.Process.Kill() })
	lines := bufio.NewScanner(out)
	for len(pids) < 5 && lines.Scan() {
		pid, err := strconv.Atoi(lines.Text())
		require.NoError(t, err, lines.Text())
		_, err = cluster.Mark(pid)
		require.NoError(t, err)
		pids = append(pids, pid)
	}
	require.Len(t, pids, 5)
	return parent, pids
}

func TestMark(t *testing.T) {
	mark, err := cluster.Mark(os.Getpid())
	require.NoError(t, err)
	require.True(t, cluster.SameProcess(os.Getpid(), mark))
	require.False(t, cluster.SameProcess(os.Getppid(), mark))
	require.False(t, cluster.SameProcess(os.Getpid(), ""))

	child := exec.Command(os.Args[0], "-test.run=^$")
	require.NoError(t, child.Start())
	require.Eventually(t, func() bool { // it is a zombie until Wait, and counts as gone
		_, err := cluster.Mark(child.Process.Pid)
		return errors.Is(err, cluster.ErrNoProcess)
	}, bound, 5*time.Millisecond)
	require.NoError(t, child.Wait())
	_, err = cluster.Mark(child.Process.Pid)
	require.ErrorIs(t, err, cluster.ErrNoProcess)
}
