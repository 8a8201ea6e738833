//go:build readme

package readme

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/cluster/clustertest"
)

// block is one fenced block of the README that a reader is meant to type.
type block struct {
	background bool // "```sh background": runs until the end of the README
	text       string
}

// blocks returns the README's ```sh blocks, in their order.
func blocks(t *testing.T, readme string) (found []block) {
	t.Helper()
	var current *block
	for line := range strings.Lines(readme) {
		switch {
		case current == nil && strings.HasPrefix(line, "```sh"):
			current = &block{background: strings.TrimSpace(line) == "```sh background"}
		case current != nil && strings.HasPrefix(line, "```"):
			found = append(found, *current)
			current = nil
		case current != nil:
			current.text += line
		}
	}
	require.Nil(t, current, "a block is not closed")
	return found
}

// testCommand is run by .ci/run before this test, and would run all that this test has just been started with.
const testCommand = "make test\n"

// TestEveryCommandBlock runs what readers are meant to type: the README's blocks in a fresh clone, and then, where that has built
// everything, those of the walkthroughs.
func TestEveryCommandBlock(t *testing.T) {
	clone := newClone(t)
	t.Run("readme", func(t *testing.T) { everyBlock(t, clone) })
	t.Run("walkthroughs", func(t *testing.T) { everyPage(t, clone) })
	t.Run("commands_in_the_text", func(t *testing.T) { commandsInTheText(t, clone) })
}

func everyBlock(t *testing.T, clone string) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	ci, err := os.ReadFile("../../.ci/run")
	require.NoError(t, err)
	all := blocks(t, string(readme))
	require.GreaterOrEqual(t, len(all), 5, "blocks were not recognised")
	for _, b := range all {
		t.Log("running:\n" + b.text)
		switch {
		case b.text == testCommand:
			require.Contains(t, string(ci), "\n"+testCommand, ".ci/run must call the README's test command")
		case b.background:
			startInBackground(t, clone, b.text)
		default:
			runBlock(t, clone, b.text)
		}
	}
}

func bash(ctx context.Context, dir, text string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", text)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	return cmd
}

// noVerdict is in what `tandem bench` and `tandem scenario run` say on a machine that was too busy for a verdict. That is an honest
// answer, not a broken README.
const noVerdict = "not allow a verdict"

func runBlock(t *testing.T, dir, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	out, err := bash(ctx, dir, text).CombinedOutput()
	t.Log(string(out))
	if err != nil && strings.Contains(string(out), noVerdict) {
		t.Log("accepted: the machine was too busy for a verdict")
		return
	}
	require.NoError(t, err, "block:\n%s", text)
}

// startInBackground runs a block until the end of the test, and returns once it says how to stop it.
func startInBackground(t *testing.T, dir, text string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := bash(ctx, dir, text)
	output := &clustertest.Output{}
	cmd.Stdout, cmd.Stderr = output, output
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	require.Eventually(t, func() bool { return strings.Contains(output.String(), "Ctrl-C") }, 5*time.Minute, 50*time.Millisecond)
	t.Log(output.String())
}
