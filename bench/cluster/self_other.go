//go:build !unix

package cluster

import "time"

// OwnCPU returns the CPU time that this process has used, without its children's. This system does not tell.
func OwnCPU() (used time.Duration, ok bool) { return 0, false }
