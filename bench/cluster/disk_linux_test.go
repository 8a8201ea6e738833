package cluster_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tandem/bench/cluster"
)

// room is how long a file of a process may become.
func room(t *testing.T, pid int) uint64 {
	var limit unix.Rlimit
	require.NoError(t, unix.Prlimit(pid, unix.RLIMIT_FSIZE, nil, &limit))
	return limit.Cur
}

func TestFullDisk(t *testing.T) {
	c := start(t, config(t, cluster.Sync))
	before, other := room(t, c.Pid("posts")), room(t, c.Pid("query"))
	require.NoError(t, c.FillDisk("posts"))
	require.Zero(t, room(t, c.Pid("posts")))
	require.Equal(t, other, room(t, c.Pid("query")), "of this part alone")
	require.NoError(t, c.FreeDisk("posts"))
	require.Equal(t, before, room(t, c.Pid("posts")))

	require.NoError(t, c.FillDisk("posts"))
	require.NoError(t, c.Kill(t.Context(), "posts"))
	require.ErrorIs(t, c.FillDisk("posts"), cluster.ErrNotRunning)
	require.ErrorIs(t, c.FreeDisk("posts"), cluster.ErrNotRunning)
	_, err := c.Restart(t.Context(), "posts")
	require.NoError(t, err)
	require.Equal(t, before, room(t, c.Pid("posts")), "a new process has room")
	require.ErrorContains(t, c.FillDisk("likes"), "likes")
}
