package cluster_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/cluster"
)

func TestProvoke(t *testing.T) {
	c := start(t, config(t, cluster.Sync))
	require.NoError(t, c.Provoke(t.Context(), "posts", func() error {
		process, err := os.FindProcess(c.Pid("posts"))
		return errors.Join(err, process.Kill())
	}))
	require.Empty(t, c.Unexpected(), "an end that was asked for is no news")
	require.ErrorIs(t, c.Provoke(t.Context(), "posts", func() error { return nil }), cluster.ErrNotRunning)
	_, err := c.Restart(t.Context(), "posts")
	require.NoError(t, err)
}

func TestProvokeInVain(t *testing.T) {
	c := start(t, config(t, cluster.Sync))
	broken := errors.New("broken")
	require.ErrorIs(t, c.Provoke(t.Context(), "posts", func() error { return broken }), broken)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, c.Provoke(short, "posts", func() error { return nil }), context.DeadlineExceeded)

	process, err := os.FindProcess(c.Pid("posts"))
	require.NoError(t, err)
	require.NoError(t, process.Kill())
	select {
	case exit := <-c.Unexpected():
		require.Equal(t, "posts", exit.Part, "an end after that is news again")
	case <-time.After(10 * time.Second):
		require.Fail(t, "the end of posts was not reported")
	}
}
