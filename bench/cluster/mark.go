package cluster

import "errors"

// ErrNoProcess marks a process id that no living process has. A process that has ended and waits to be reaped counts as gone.
var ErrNoProcess = errors.New("no such process")

// SameProcess tells whether the process that Mark described is still alive, and its id not another's by now.
func SameProcess(pid int, mark string) bool {
	now, err := Mark(pid)
	return err == nil && mark != "" && now == mark
}
