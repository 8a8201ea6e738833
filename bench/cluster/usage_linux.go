package cluster

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const usageKnown = true

// usageOf asks for the CPU clock of a process, which counts nanoseconds and threads that have ended; /proc/<pid>/stat counts
// hundredths of a second.
func usageOf(pid int) (Usage, bool) {
	var spent unix.Timespec
	if err := unix.ClockGettime(cpuClock(pid), &spent); err != nil {
		return Usage{}, false
	}
	pages, err := residentPages(pid)
	if err != nil {
		return Usage{}, false
	}
	return Usage{CPU: time.Duration(spent.Nano()), RSS: pages * int64(os.Getpagesize())}, true
}

// cpuClock is clock_getcpuclockid(3): ~pid above three bits, of which 2 is the scheduler's clock of a whole process.
func cpuClock(pid int) int32 { return int32(^pid<<3 | 2) }

// residentPages reads the second number of /proc/<pid>/statm (see proc_pid_statm(5)).
func residentPages(pid int) (pages int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	var size int64
	_, err = fmt.Sscan(string(text), &size, &pages)
	return pages, err
}
