package cluster

import "golang.org/x/sys/unix"

// forbidGrowth has every write of a process that would make a file longer fail (EFBIG), as it would on a full disk (ENOSPC).
func forbidGrowth(pid int) error { return limitFiles(pid, func(unix.Rlimit) uint64 { return 0 }) }

// allowGrowth ends that.
func allowGrowth(pid int) error {
	return limitFiles(pid, func(old unix.Rlimit) uint64 { return old.Max })
}

// limitFiles sets how long a file that a process writes may become. The hard limit stays, so that nobody needs to be root to go back.
func limitFiles(pid int, limit func(old unix.Rlimit) uint64) error {
	var old unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, nil, &old); err != nil {
		return err
	}
	return unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit(old), Max: old.Max}, nil)
}
