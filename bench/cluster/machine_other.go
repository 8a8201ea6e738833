//go:build !linux

package cluster

import "time"

// MachineBusy returns how much CPU time all programs of this machine together have used. This system does not tell.
func MachineBusy() (busy time.Duration, ok bool) { return 0, false }
