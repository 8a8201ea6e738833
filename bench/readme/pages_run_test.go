//go:build readme

package readme

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/scenario"
)

// besideEachOther is how many pages run at the same time. Scenarios wait more than they work, and take free ports.
func besideEachOther() int { return max(4, 2*runtime.NumCPU()) }

// pageTimeout bounds one block of a page.
const pageTimeout = 5 * time.Minute

// exitUnknown is the exit code of a scenario whose run does not allow a verdict.
const exitUnknown = 4

// everyPage runs the blocks of every walkthrough: those that need nothing but the clone several pages at a time, and then
// those that need both stacks up, one after the other. A page that fails beside others is run once more alone, since the machine may
// have been the reason; only that counts.
func everyPage(t *testing.T, clone string) {
	text, err := os.ReadFile(filepath.Join(walkthroughs, index))
	require.NoError(t, err)
	first, err := parsePage(index, string(text))
	require.NoError(t, err)
	require.NotEmpty(t, first.commands, "how to build")
	require.NoError(t, runPage(t, clone, first, false))
	start := time.Now()
	names := chosen(t)
	failed := besides(t, clone, names)
	t.Logf("all pages beside each other: %v; to run again: %v", time.Since(start).Round(time.Second), failed)
	for _, name := range failed {
		t.Run("alone/"+name, func(t *testing.T) { require.NoError(t, runPage(t, clone, readPage(t, name), false)) })
	}
	if t.Failed() {
		return
	}
	startInBackground(t, clone, "make up")
	for _, name := range names {
		if p := readPage(t, name); slices.ContainsFunc(p.commands, func(c command) bool { return c.up }) {
			t.Run("up/"+name, func(t *testing.T) { require.NoError(t, runPage(t, clone, p, true)) })
		}
	}
	t.Logf("all pages: %v", time.Since(start).Round(time.Second))
}

// chosen are the pages to run: all, or those that the environment names, separated by commas, or a share such as 2/3, the second of
// three.
func chosen(t *testing.T) (names []string) {
	some := os.Getenv("PAGES")
	nth, of, isShare := strings.Cut(some, "/")
	switch {
	case some == "":
		return scenario.Names()
	case !isShare:
		return strings.Split(some, ",")
	}
	n, err := strconv.Atoi(nth)
	require.NoError(t, err, "PAGES=%s", some)
	shares, err := strconv.Atoi(of)
	require.NoError(t, err, "PAGES=%s", some)
	require.True(t, 1 <= n && n <= shares, "PAGES=%s: use 1/%d to %d/%d", some, shares, shares, shares)
	for i, name := range scenario.Names() {
		if i%shares == n-1 {
			names = append(names, name)
		}
	}
	return names
}

func newClone(t *testing.T) string {
	t.Helper()
	clone := filepath.Join(t.TempDir(), "tandem")
	out, err := exec.Command("git", "clone", "--quiet", "../..", clone).CombinedOutput()
	require.NoError(t, err, string(out))
	return clone
}

// besides runs pages beside each other, without what needs both stacks up, and returns those that failed.
func besides(t *testing.T, clone string, names []string) (failed []string) {
	var mu sync.Mutex
	var work sync.WaitGroup
	room := make(chan struct{}, besideEachOther())
	for _, name := range names {
		p := readPage(t, name)
		room <- struct{}{}
		work.Go(func() {
			defer func() { <-room }()
			if err := runPage(t, clone, p, false); err != nil {
				t.Logf("%s, beside others: %v", p.name, err)
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, p.name)
			}
		})
	}
	work.Wait()
	return failed
}

// runPage runs the blocks of a page that need both stacks up, or those that do not.
func runPage(t *testing.T, clone string, p page, up bool) error {
	start := time.Now()
	for _, c := range p.commands {
		if c.up != up {
			continue
		}
		out, err := runCommand(t.Context(), clone, c)
		t.Logf("%s (%v so far):\n%s%s", p.name, time.Since(start).Round(time.Second), c.text, out)
		if err != nil {
			return err
		}
	}
	return nil
}

// runCommand returns what a block printed, and an error if that is not what the page says. A machine that was too busy for a verdict
// is no error as long as all that the page expects has come true, but for what the machine may be the reason for.
func runCommand(ctx context.Context, dir string, c command) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	out, err := bash(ctx, dir, c.text).CombinedOutput()
	var exit *exec.ExitError
	busy := errors.As(err, &exit) && exit.ExitCode() == exitUnknown && strings.Contains(string(out), noVerdict) && c.expected != nil
	if missing := c.missing(string(out), busy); missing != "" {
		return string(out), fmt.Errorf("not printed, or not in this order: %q (%w)", missing, err)
	}
	if busy {
		return string(out), nil
	}
	return string(out), err
}

var (
	inlineCommand = regexp.MustCompile("`(?:bin/)?tandem ([a-z][^`]*)`")
	makeTarget    = regexp.MustCompile("`make ([a-z-]+)[^`]*`")
	longFlag      = regexp.MustCompile(`--[a-z][a-z-]*`)
)

// commandsInTheText looks at the commands that the pages only talk of: there must be such a command with such flags, or such a
// target of make.
func commandsInTheText(t *testing.T, clone string) {
	runBlock(t, clone, "make bin/tandem")
	makeHelp := output(t, clone, "make help")
	files, err := filepath.Glob(filepath.Join(walkthroughs, "*.md"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range inlineCommand.FindAllStringSubmatch(string(text), -1) {
			help := output(t, clone, "bin/tandem "+wordsOf(m[1])+" --help")
			for _, flag := range longFlag.FindAllString(m[1], -1) {
				require.Contains(t, help, flag+" ", "%s: %s", filepath.Base(file), m[0])
			}
		}
		for _, m := range makeTarget.FindAllStringSubmatch(string(text), -1) {
			require.Contains(t, makeHelp, "  "+m[1]+" ", "%s: %s", filepath.Base(file), m[0])
		}
	}
}

// wordsOf are the words of a command before its first flag or argument, for `--help`: a command and, of scenario, the one below it.
func wordsOf(command string) string {
	words := strings.Fields(command)
	if words[0] == "scenario" {
		return strings.Join(words[:min(2, len(words))], " ")
	}
	return words[0]
}

func output(t *testing.T, dir, text string) string {
	t.Helper()
	out, err := bash(t.Context(), dir, text).CombinedOutput()
	require.NoError(t, err, "%s:\n%s", text, out)
	return string(out)
}
