package e2e

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tandem/bench/cluster/clustertest"
)

// mountSmallDisk puts a disk of diskSize bytes on a folder until the test ends.
func mountSmallDisk(t *testing.T, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		clustertest.Lacking(t, "only root may mount a small disk to fill")
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", diskSize)); err != nil {
		clustertest.Lacking(t, "this system does not let us mount a small disk to fill: "+err.Error())
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
}
