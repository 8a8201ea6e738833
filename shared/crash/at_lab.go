//go:build lab

package crash

import (
	"os"
	"path/filepath"
	"sync/atomic"
)

// watched is the process's own: the points are all over the program, and none of the places is handed anything for its sake.
var watched struct {
	folder atomic.Pointer[string]
	passes atomic.Int64
}

// Watch has the points look for what is armed in a data folder. Before it is called they do nothing.
func Watch(folder string) { watched.folder.Store(&folder) }

// At ends the process if this is the pass that was armed. It does not return then.
func At(point Point) {
	folder := watched.folder.Load()
	if folder == nil {
		return
	}
	file := filepath.Join(*folder, armedFile)
	text, err := os.ReadFile(file)
	if err != nil { // nothing is armed
		return
	}
	pass, err := Parse(string(text))
	if err != nil || pass.Point != point || watched.passes.Add(1) < pass.N {
		return
	}
	if os.Rename(file, filepath.Join(*folder, crashedFile)) != nil { // it would crash again and again
		return
	}
	if self, err := os.FindProcess(os.Getpid()); err == nil && self.Kill() == nil {
		select {} // the signal is on its way
	}
}
