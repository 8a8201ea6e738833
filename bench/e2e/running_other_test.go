//go:build !linux

package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// running returns the processes whose program lies in a folder, as "pid program".
func running(dir string) (found []string, err error) {
	out, err := exec.Command("ps", "-axo", "pid=,command=").Output()
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) > 1 && strings.HasPrefix(fields[1], dir+"/") {
			found = append(found, fields[0]+" "+filepath.Base(fields[1]))
		}
	}
	return found, nil
}
