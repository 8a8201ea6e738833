//go:build !linux

package e2e

import (
	"testing"

	"tandem/bench/cluster/clustertest"
)

// mountSmallDisk puts a disk of diskSize bytes on a folder until the test ends.
func mountSmallDisk(t *testing.T, _ string) {
	t.Helper()
	clustertest.Lacking(t, "a small disk to fill is mounted on Linux only")
}
