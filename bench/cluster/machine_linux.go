package cluster

import (
	"bytes"
	"fmt"
	"os"
	"time"
)

// tick is the unit of /proc/stat: USER_HZ is 100 on every architecture that Go runs on.
const tick = time.Second / 100

// MachineBusy returns how much CPU time all programs of this machine together, its kernel and, on a virtual machine, its
// neighbours have used since it started. ok is false where the system does not tell (anywhere but on Linux).
func MachineBusy() (busy time.Duration, ok bool) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, false
	}
	busy, err = parseBusy(text)
	return busy, err == nil
}

// parseBusy reads the first line of /proc/stat (see proc_stat(5)). Time of guests is in user and nice already; time in which
// the hypervisor ran somebody else (steal) is not ours and not idle.
func parseBusy(text []byte) (time.Duration, error) {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	var user, nice, system, idle, iowait, irq, softirq, steal int64
	_, err := fmt.Sscanf(string(line), "cpu %d %d %d %d %d %d %d %d",
		&user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal)
	return time.Duration(user+nice+system+irq+softirq+steal) * tick, err
}
