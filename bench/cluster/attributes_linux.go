package cluster

import "syscall"

// childAttributes keep a Ctrl-C in the terminal from the children until we decide, and have the system kill them when we are
// gone: the one case that closing their standard input cannot cover is a child too broken to read it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
