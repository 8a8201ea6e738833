package clustertest

import (
	"bytes"
	"os"
	"runtime"
	"sync"
	"testing"
)

// Output is what a process has written so far: it can be read while it grows.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String returns all of it.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Lacking ends a test that this machine cannot run. Where everything must be there, in CI as root on Linux, that is a failure.
func Lacking(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" && runtime.GOOS == "linux" && os.Geteuid() == 0 {
		t.Fatal("this must not be skipped here: ", why)
	}
	t.Skip(why)
}
