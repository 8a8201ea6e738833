package cluster_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/bench/cluster"
)

func TestTwin(t *testing.T) {
	c := start(t, config(t, cluster.Sync))
	require.NoError(t, c.StartTwin(t.Context(), "query"))
	first, twin := c.Pid("query"), c.TwinPid("query")
	require.NotZero(t, twin)
	require.NotEqual(t, first, twin)
	require.ErrorIs(t, c.StartTwin(t.Context(), "query"), cluster.ErrRunning)
	require.NoError(t, c.StopTwin(t.Context(), "query"))
	requireGone(t, twin)
	require.ErrorIs(t, c.StopTwin(t.Context(), "query"), cluster.ErrNotRunning)
	require.NoError(t, c.Answers(t.Context(), "query"), "the first one is as it was")
	require.Equal(t, first, c.Pid("query"))
	require.NoError(t, c.StartTwin(t.Context(), "query"), "it may have another one")
	log, err := os.ReadFile(strings.TrimSuffix(c.LogFile("query"), ".log") + "-twin.log")
	require.NoError(t, err)
	require.NotEmpty(t, log)
	require.Empty(t, c.Unexpected())
}

// TestStopEndsTwinsToo: also one of a part that stands still.
func TestStopEndsTwinsToo(t *testing.T) {
	c := start(t, config(t, cluster.Sync))
	require.NoError(t, c.Pause(t.Context(), "query"))
	require.NoError(t, c.StartTwin(t.Context(), "query"))
	first, twin := c.Pid("query"), c.TwinPid("query")
	require.NoError(t, c.Stop(t.Context()))
	requireGone(t, first)
	requireGone(t, twin)
	require.ErrorIs(t, c.StartTwin(t.Context(), "query"), cluster.ErrStopped)
}
