//go:build !linux

package load

import "time"

// newNap returns a sleep: the runtime's, where no sharper one is known.
func newNap() (nap func(time.Duration), done func()) { return time.Sleep, func() {} }
