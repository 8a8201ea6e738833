package cluster_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/cluster"
	"tandem/bench/cluster/clustertest"
)

func TestPauseAndResume(t *testing.T) {
	c := start(t, config(t, cluster.Sync))
	require.NoError(t, c.Pause(t.Context(), "posts"))
	require.NoError(t, c.Pause(t.Context(), "posts"), "pausing twice is no harm")
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.Error(t, c.Answers(short, "posts"))
	require.NoError(t, c.Resume(t.Context(), "posts"))
	require.NoError(t, c.Resume(t.Context(), "posts"))
	require.NoError(t, c.Answers(t.Context(), "posts"))
}

func TestStopEndsAPausedPart(t *testing.T) {
	c := start(t, config(t, cluster.Sync))
	pid := c.Pid("query")
	require.NoError(t, c.Pause(t.Context(), "query"))
	require.NoError(t, c.Stop(t.Context()), "it must be woken to stop in good order")
	requireGone(t, pid)
}

func TestStopPart(t *testing.T) {
	cfg := config(t, cluster.Sync)
	c := start(t, cfg)
	pid := c.Pid("comments")
	require.NoError(t, c.StopPart(t.Context(), "comments"))
	requireGone(t, pid)
	require.ErrorIs(t, c.StopPart(t.Context(), "comments"), cluster.ErrNotRunning)
	require.ErrorIs(t, c.Pause(t.Context(), "comments"), cluster.ErrNotRunning)
	_, err := c.Restart(t.Context(), "comments")
	require.NoError(t, err)
	require.Empty(t, c.Unexpected(), "an end that was asked for is no news")
}

func TestStopPartKillsWhatDoesNotStop(t *testing.T) {
	cfg := config(t, cluster.Sync)
	cfg.DrainTimeout = 10 * time.Millisecond
	clustertest.Set(t, cfg.BinDir, "sync-posts", clustertest.Stubborn)
	c := start(t, cfg)
	require.ErrorContains(t, c.StopPart(t.Context(), "posts"), "was killed")
}

// TestVia: every part is told the address that Via gives for each of its links.
func TestVia(t *testing.T) {
	for stack, want := range map[string][]string{
		cluster.Sync:  {"moderation=127.0.0.1:1111"},
		cluster.Async: {"--broker-via ", "=127.0.0.1:1111"},
	} {
		t.Run(stack, func(t *testing.T) {
			cfg := config(t, stack)
			cfg.Via = func(from, to, address string) (string, error) {
				if from == "comments" && (to == "moderation" || to == cluster.Broker) {
					return "127.0.0.1:1111", nil
				}
				return address, nil
			}
			c := start(t, cfg)
			for _, part := range c.Parts() {
				for _, flag := range want {
					require.Equal(t, part == "comments", strings.Contains(logOf(t, c, part), flag), part)
				}
			}
		})
	}
}

func TestViaThatFails(t *testing.T) {
	cfg := config(t, cluster.Sync)
	cfg.Via = func(string, string, string) (string, error) { return "", errors.New("no proxy today") }
	_, err := cluster.Start(t.Context(), cfg)
	require.ErrorContains(t, err, "no proxy today")
}
