package e2e

import (
	"os"
	"path/filepath"
	"strings"
)

// running returns the processes whose program lies in a folder, as "pid program".
func running(dir string) (found []string, err error) {
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return nil, err
	}
	for _, link := range links {
		program, err := os.Readlink(link)
		if err == nil && strings.HasPrefix(program, dir+"/") { // what we may not read is not ours
			found = append(found, filepath.Base(filepath.Dir(link))+" "+filepath.Base(program))
		}
	}
	return found, nil
}
