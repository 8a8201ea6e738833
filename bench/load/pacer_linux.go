package load

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// newNap returns a sharp sleep. time.Sleep ends in an epoll_wait that counts in milliseconds, so it is 0.5 ms late at the
// median; a timer that is a file descriptor wakes the same epoll_wait when it fires: 0.06 ms late. Sleeping in the kernel on
// a thread of its own (clock_nanosleep) is as sharp and costs 1.6 times the CPU, because the runtime's monitor has to notice
// each time that the thread is away. Measured with BenchmarkTimerError and BenchmarkGenerator at 500 operations a second.
func newNap() (nap func(time.Duration), done func()) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return time.Sleep, func() {} //nolint:forbidigo // pacing is what it is for
	}
	timer := os.NewFile(uintptr(fd), "timer") // non-blocking: a read of it waits in the runtime's poller
	var expirations [8]byte
	nap = func(d time.Duration) {
		err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}, nil)
		if err == nil {
			_, err = timer.Read(expirations[:])
		}
		if err != nil {
			time.Sleep(d) //nolint:forbidigo // pacing is what it is for
		}
	}
	return nap, func() { _ = timer.Close() }
}
