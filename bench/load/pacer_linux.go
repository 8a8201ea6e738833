package load

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// newNap returns a sharp sleep. time.Sleep ends in an epoll_wait that counts in milliseconds, so it is 0.5 ms late at the
// median; a timer that is a file descriptor wakes the same epoll_wait when it fires: 0.06 ms late. Sleeping in the kernel on
// a thread of its own (clock_nanosleep) is as sharp and costs 1.6 times the CPU, because the runtime's monitor has to notice
// each time that the thread is away. Measured with BenchmarkFloorTimer and BenchmarkGenerator at 500 operations a second.
func newNap() (nap func(time.Duration), done func()) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return time.Sleep, func() {} //nolint:forbidigo // pacing is what it is for
	}
	timer := os.NewFile(uintptr(fd), "timer") // non-blocking: it waits in the runtime's poller
	poll, err := timer.SyscallConn()
	if err != nil {
		_ = timer.Close()
		return time.Sleep, func() {} //nolint:forbidigo // pacing is what it is for
	}
	nap = func(d time.Duration) {
		if err := waitFor(poll, d); err != nil {
			time.Sleep(d) //nolint:forbidigo // pacing is what it is for
		}
	}
	return nap, func() { _ = timer.Close() }
}

// waitFor arms a timer and waits in the runtime's poller until it fires. The poller's memory of it is reset before it is armed,
// so no firing is missed; and it is not read, which would cost two more system calls a nap and tell nothing.
func waitFor(timer syscall.RawConn, d time.Duration) error {
	armed := false
	var arm error
	err := timer.Read(func(fd uintptr) (done bool) {
		if armed {
			return true
		}
		armed = true
		arm = unix.TimerfdSettime(int(fd), 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}, nil)
		return arm != nil
	})
	return errors.Join(err, arm)
}
