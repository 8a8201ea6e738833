package report

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// shownOnTerminal returns what print writes to a terminal.
func shownOnTerminal(t *testing.T, print func(io.Writer) error) string {
	t.Helper()
	outside, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	defer outside.Close()
	require.NoError(t, unix.IoctlSetPointerInt(int(outside.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(outside.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	inside, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	text := make(chan string)
	go func() {
		var b strings.Builder
		_, _ = io.Copy(&b, outside) // ends with an error once the inside is closed
		text <- b.String()
	}()
	require.NoError(t, print(inside))
	require.NoError(t, inside.Close())
	return <-text
}

const (
	red   = "\x1b[31m"
	green = "\x1b[1;32m"
)

// lineOf returns the first line that begins with a word.
func lineOf(text, word string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), word) {
			return line
		}
	}
	return ""
}

func TestColoursOnATerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	r := someResults()
	r.Stacks[1].Check.Figures.Lost.Store.Count = 7
	text := shownOnTerminal(t, r.Print)
	_, verdict, _ := strings.Cut(text, "Verdict")
	require.Contains(t, lineOf(verdict, "sync"), green+"VALID")
	_, radius, _ := strings.Cut(text, "Blast")
	require.Contains(t, lineOf(radius, "CreateComment"), red+"0", "what does not work is red")
	require.NotContains(t, lineOf(text, "duplicated"), red, "that nothing was doubled is good")
	require.Regexp(t, `\x1b\[1;31m7`, lineOf(text, "lost in the store"))
}

func TestNoColours(t *testing.T) {
	t.Setenv("TERM", "xterm")
	for _, wish := range []string{"1", "yes"} {
		t.Setenv("NO_COLOR", wish)
		text := shownOnTerminal(t, someResults().Print)
		require.Contains(t, text, "Blast radius")
		require.NotContains(t, text, "\x1b")
	}
}
