package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// Mark returns when a process was started, in an opaque form. Together with the id it names one process for ever, where the
// id alone may be given to another. ErrNoProcess if there is none.
func Mark(pid int) (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return "", fmt.Errorf("process %d: %w", pid, ErrNoProcess)
	}
	if err != nil {
		return "", err
	}
	return parseStat(pid, string(text))
}

// isStopped tells whether a process is stopped by a signal: its state is T.
func isStopped(pid int) (bool, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	return len(fields) > 0 && fields[0] == "T", nil
}

// parseStat reads fields 3 (state) and 22 (start time in clock ticks after boot) of /proc/<pid>/stat (see proc_pid_stat(5)).
// Field 2 is the program's name in brackets, and may hold spaces and brackets itself.
func parseStat(pid int, text string) (string, error) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	const state, startTime = 0, 22 - 3 // the split starts at field 3
	if len(fields) <= startTime {
		return "", fmt.Errorf("process %d: unexpected form of its stat file: %q", pid, text)
	}
	if strings.ContainsAny(fields[state], "ZX") {
		return "", fmt.Errorf("process %d: %w: it has ended", pid, ErrNoProcess)
	}
	return fields[startTime], nil
}
