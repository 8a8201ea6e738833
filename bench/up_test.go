package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tandem/bench/cluster"
	"tandem/bench/cluster/clustertest"
)

const bound = 20 * time.Second

// terminal is one `tandem up` in a process of its own.
type terminal struct {
	t              *testing.T
	bin            string
	dir            stateDir
	cmd            *exec.Cmd
	stdout, stderr clustertest.Output
	ended          chan struct{}
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	bin := clustertest.BinDir(t)
	clustertest.Link(t, bin, "tandem")
	return &terminal{t: t, bin: bin, dir: stateDir(filepath.Join(t.TempDir(), "state"))}
}

// up starts `tandem up`. It is killed at the end of the test if it is still there.
func (term *terminal) up(args ...string) {
	term.t.Helper()
	args = append([]string{"up", "--bin", term.bin, "--dir", string(term.dir), "--free-ports"}, args...)
	term.cmd = exec.Command(filepath.Join(term.bin, "tandem"), args...)
	term.cmd.Stdout, term.cmd.Stderr = &term.stdout, &term.stderr
	require.NoError(term.t, term.cmd.Start())
	term.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		_ = cmd.Wait()
	}(term.cmd, term.ended)
	term.t.Cleanup(term.killUp)
}

func (term *terminal) killUp() {
	_ = term.cmd.Process.Kill()
	<-term.ended
}

func (term *terminal) awaitSays(o *clustertest.Output, text string) {
	term.t.Helper()
	require.Eventually(term.t, func() bool { return strings.Contains(o.String(), text) }, bound, 5*time.Millisecond,
		"it never said %q", text)
}

func (term *terminal) awaitExit() int {
	term.t.Helper()
	select {
	case <-term.ended:
		return term.cmd.ProcessState.ExitCode()
	case <-time.After(bound):
		term.t.Fatalf("tandem up did not end; it said:\n%s", term.stderr.String())
		return -1
	}
}

// other runs a command from another terminal.
func (term *terminal) other(args ...string) (code int, said string) {
	term.t.Helper()
	code, stdout, stderr := tandem(term.t, append(args, "--dir", string(term.dir))...)
	return code, stdout + stderr
}

func (term *terminal) state() upState {
	term.t.Helper()
	state, err := term.dir.load()
	require.NoError(term.t, err)
	return state
}

func requireAllGone(t *testing.T, state upState) {
	t.Helper()
	require.NotEmpty(t, state.Parts)
	for _, p := range state.Parts {
		require.False(t, p.Process.alive(), "%s %s is still there", p.Stack, p.Part)
	}
}

func TestUpAndDown(t *testing.T) {
	term := newTerminal(t)
	term.up()
	term.awaitSays(&term.stderr, "Up until Ctrl-C")
	state := term.state()
	require.Len(t, state.Parts, 11)
	for _, p := range state.Parts {
		require.True(t, p.Process.alive(), p.Part)
		term.awaitSays(&term.stdout, p.Address) // stdout and stderr are two pipes: one may be read before the other
	}
	require.Eventually(t, func() bool {
		return strings.Count(term.stdout.String(), "blog.v1.PostsService/CreatePost") == 2
	}, bound, 5*time.Millisecond)

	code, said := term.other("up", "--bin", term.bin)
	require.Equal(t, exitFailed, code)
	require.Contains(t, said, "running already")
	require.Contains(t, said, "tandem down --dir "+string(term.dir))

	code, said = term.other("down")
	require.Equal(t, exitOK, code, said)
	require.Contains(t, said, "stopped")
	require.Equal(t, exitOK, term.awaitExit(), term.stderr.String())
	requireAllGone(t, state)

	code, said = term.other("down")
	require.Equal(t, exitOK, code)
	require.Equal(t, "nothing is running\n", said)
}

func TestDownWhereNothingEverWas(t *testing.T) {
	term := newTerminal(t)
	code, said := term.other("down")
	require.Equal(t, exitOK, code)
	require.Equal(t, "nothing is running\n", said)
	require.NoDirExists(t, string(term.dir))
	for _, command := range []string{"kill", "restart"} {
		code, said = term.other(command, "sync", "posts")
		require.Equal(t, exitFailed, code)
		require.Contains(t, said, "nothing is running")
	}
}

func TestCtrlC(t *testing.T) {
	term := newTerminal(t)
	term.up("sync")
	term.awaitSays(&term.stderr, "Up until Ctrl-C")
	state := term.state()
	require.Len(t, state.Parts, 5)
	require.NoError(t, term.cmd.Process.Signal(os.Interrupt))
	require.Equal(t, exitOK, term.awaitExit(), term.stderr.String())
	requireAllGone(t, state)
	require.NoFileExists(t, term.dir.file("up.json"))
}

func TestCtrlCWhileStarting(t *testing.T) {
	term := newTerminal(t)
	clustertest.Set(t, term.bin, "async-query", clustertest.Mute)
	term.up()
	log := filepath.Join(term.dir.stack("async"), "logs", "query.log")
	require.Eventually(t, func() bool {
		text, _ := os.ReadFile(log)
		return strings.Contains(string(text), "listening")
	}, bound, 5*time.Millisecond)
	state := term.state()
	require.NoError(t, term.cmd.Process.Signal(os.Interrupt))
	require.Equal(t, exitFailed, term.awaitExit())
	require.Contains(t, term.stderr.String(), "context canceled")
	requireAllGone(t, state) // sync, which was up by then
}

func TestPartThatDoesNotStart(t *testing.T) {
	term := newTerminal(t)
	clustertest.Set(t, term.bin, "sync-query", clustertest.Fail)
	term.up("sync")
	require.Equal(t, exitFailed, term.awaitExit())
	require.Contains(t, term.stderr.String(), "the double was told to fail")
	require.Empty(t, term.stdout.String())
}

func TestKillAndRestart(t *testing.T) {
	term := newTerminal(t)
	term.up("sync")
	term.awaitSays(&term.stderr, "Up until Ctrl-C")
	before, _ := term.state().find("sync", "comments")

	code, said := term.other("restart", "sync", "comments")
	require.Equal(t, exitFailed, code)
	require.Contains(t, said, "is running")

	code, said = term.other("kill", "sync", "comments")
	require.Equal(t, exitOK, code, said)
	require.False(t, before.Process.alive())
	code, said = term.other("restart", "sync", "comments")
	require.Equal(t, exitOK, code, said)
	require.Contains(t, said, "SERVING again on "+before.Address)
	term.awaitSays(&term.stderr, "comments ended (signal: killed); restart it with: tandem restart sync comments")

	after, _ := term.state().find("sync", "comments")
	require.True(t, after.Process.alive())
	require.NotEqual(t, before.Process, after.Process)
	others, _ := term.state().find("sync", "posts")
	require.True(t, others.Process.alive(), "the others stay")

	code, said = term.other("kill", "sync", "broker")
	require.Equal(t, exitUsage, code)
	require.Contains(t, said, "sync broker is not up (there are: sync posts")
}

func TestKillOfAPartThatIsDown(t *testing.T) {
	term := newTerminal(t)
	term.up("sync")
	term.awaitSays(&term.stderr, "Up until Ctrl-C")
	for _, want := range []int{exitOK, exitFailed} {
		code, said := term.other("kill", "sync", "query")
		require.Equal(t, want, code, said)
	}
}

func TestDataIsFreshUnlessKept(t *testing.T) {
	term := newTerminal(t)
	mine := filepath.Join(term.dir.stack("sync"), "data", "posts", "mine")
	for _, tc := range []struct {
		args []string
		kept bool
	}{{[]string{"sync"}, false}, {[]string{"sync", "--keep"}, true}, {[]string{"sync"}, false}} {
		term.stderr = clustertest.Output{}
		term.up(tc.args...)
		term.awaitSays(&term.stderr, "Up until Ctrl-C")
		_, err := os.Stat(mine)
		require.Equal(t, tc.kept, err == nil, "%v", tc.args)
		require.NoError(t, os.WriteFile(mine, nil, 0o600))
		code, said := term.other("down")
		require.Equal(t, exitOK, code, said)
		require.Equal(t, exitOK, term.awaitExit())
	}
}

func TestForeignFolderIsLeftAlone(t *testing.T) {
	term := newTerminal(t)
	precious := filepath.Join(string(term.dir), "sync", "data", "thesis")
	require.NoError(t, os.MkdirAll(filepath.Dir(precious), 0o755))
	require.NoError(t, os.WriteFile(precious, nil, 0o600))
	code, said := term.other("up", "sync", "--bin", term.bin)
	require.Equal(t, exitFailed, code)
	require.Contains(t, said, "holds other things")
	require.FileExists(t, precious)
}

// A `tandem up` that was killed takes its parts with it, and the next command is not confused by what it left.
func TestUpKilled(t *testing.T) {
	term := newTerminal(t)
	term.up("sync")
	term.awaitSays(&term.stderr, "Up until Ctrl-C")
	state := term.state()
	term.killUp()
	for _, p := range state.Parts {
		require.True(t, p.Process.awaitGone(bound), p.Part)
	}
	code, said := term.other("kill", "sync", "posts")
	require.Equal(t, exitFailed, code)
	require.Contains(t, said, "nothing is running")
	code, said = term.other("down")
	require.Equal(t, exitOK, code)
	require.Equal(t, "nothing is running\n", said)

	term.stderr = clustertest.Output{}
	term.up("sync")
	term.awaitSays(&term.stderr, "Up until Ctrl-C")
}

// down kills what a dead `tandem up` left, and nothing that merely has the same process id.
func TestDownKillsLeftovers(t *testing.T) {
	term := newTerminal(t)
	leftover, bystander := sleeper(t), sleeper(t)
	release, err := term.dir.claim()
	require.NoError(t, err)
	release()
	require.NoError(t, term.dir.save(upState{Parts: []upPart{
		{Stack: "sync", Part: "posts", Process: refTo(leftover)},
		{Stack: "sync", Part: "query", Process: processRef{bystander, "long ago"}},
	}}))
	code, said := term.other("down")
	require.Equal(t, exitOK, code, said)
	require.Contains(t, said, "killed what it had left: sync posts\n")
	require.Equal(t, processRef{}, refTo(leftover))
	require.NotEqual(t, processRef{}, refTo(bystander))
	require.ErrorIs(t, processRef{bystander, "long ago"}.signal(syscall.SIGKILL), os.ErrProcessDone)
}

// sleeper is a process that waits to be killed.
func sleeper(t *testing.T) (pid int) {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

func TestSocketPath(t *testing.T) {
	short, err := stateDir("/tmp/a").socket()
	require.NoError(t, err)
	require.Equal(t, "/tmp/a/up.sock", short)
	seen := make(map[string]bool)
	for _, end := range []string{"a", "b"} {
		long, err := stateDir("/" + strings.Repeat("deep/", 40) + end).socket()
		require.NoError(t, err)
		require.LessOrEqual(t, len(long), longestSocket)
		seen[long] = true
	}
	require.Len(t, seen, 2, "two folders need two sockets")
}

func TestControl(t *testing.T) {
	defer goleak.VerifyNone(t)
	path := filepath.Join(t.TempDir(), "up.sock")
	left, err := net.Listen("unix", path)
	require.NoError(t, err)
	left.(*net.UnixListener).SetUnlinkOnClose(false) // as a killed process leaves it
	left.Close()
	c, err := serveControl(path, func(_ context.Context, stack, part string) (string, error) {
		if part == "broker" {
			return "", cluster.ErrRunning
		}
		return stack + " " + part, nil
	})
	require.NoError(t, err)
	defer c.close()
	said, err := askRestart(t.Context(), path, "sync", "posts")
	require.NoError(t, err)
	require.Equal(t, "sync posts", said)
	_, err = askRestart(t.Context(), path, "async", "broker")
	require.EqualError(t, err, cluster.ErrRunning.Error())
	_, err = askRestart(t.Context(), path+".gone", "sync", "posts")
	require.ErrorContains(t, err, "ask the running `tandem up`")
}
