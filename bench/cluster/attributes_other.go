//go:build !linux

package cluster

import "syscall"

// childAttributes keep a Ctrl-C in the terminal from the children until we decide. When we are gone their standard input
// ends, and they stop.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
