package cluster_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Linux kills a child when the thread that forked it ends. A part must not depend on the thread of whoever restarts it.
func TestPartOutlivesTheThreadThatAskedForIt(t *testing.T) {
	c := start(t, config(t, "sync"))
	require.NoError(t, c.Kill(t.Context(), "posts"))
	thread := onThreadThatEnds(func() {
		_, err := c.Restart(context.Background(), "posts")
		assert.NoError(t, err)
	})
	task := fmt.Sprintf("/proc/self/task/%d", thread)
	require.Eventually(t, func() bool {
		_, err := os.Stat(task)
		return os.IsNotExist(err)
	}, bound, 5*time.Millisecond)
	select {
	case exit := <-c.Unexpected():
		t.Fatal(exit)
	case <-time.After(200 * time.Millisecond): // the signal is sent before the thread is gone
	}
}

// onThreadThatEnds runs f on a thread of its own, which ends soon after, and returns the thread's id.
func onThreadThatEnds(f func()) (thread int) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if thread = unix.Gettid(); thread == os.Getpid() {
			defer runtime.UnlockOSThread() // the main thread never ends: keep it busy and take another
			thread = onThreadThatEnds(f)
			return
		}
		f() // never unlocked: the thread ends with the goroutine
	}()
	<-done
	return thread
}
