//go:build !linux

package e2e

import "testing"

// mountSmallDisk puts a disk of diskSize bytes on a folder until the test ends.
func mountSmallDisk(t *testing.T, _ string) {
	t.Helper()
	noDisk(t, "a small disk to fill is mounted on Linux only")
}
