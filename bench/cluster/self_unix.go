//go:build unix

package cluster

import (
	"time"

	"golang.org/x/sys/unix"
)

// OwnCPU returns the CPU time that this process has used, without its children's. ok is false where the system does not tell.
func OwnCPU() (used time.Duration, ok bool) {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0, false
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), true
}
