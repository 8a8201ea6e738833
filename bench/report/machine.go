package report

import (
	"bufio"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// Machine is where a run was done, and with what.
type Machine struct {
	OS      string `json:"os"` // for example "linux/amd64"
	CPU     string `json:"cpu,omitempty"`
	Cores   int    `json:"cores"`
	Memory  int64  `json:"memory_bytes,omitempty"`
	Go      string `json:"go"`
	Version string `json:"version"` // of tandem: the commit, or "unknown"
	// Libraries are the versions of what the figures depend on most.
	Libraries map[string]string `json:"libraries"`
}

// ThisMachine describes the machine as far as it can.
func ThisMachine() Machine {
	m := Machine{
		OS: runtime.GOOS + "/" + runtime.GOARCH, CPU: firstValue("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(),
		Go: runtime.Version(), Version: "unknown", Libraries: map[string]string{},
	}
	if kb, err := strconv.ParseInt(strings.TrimSuffix(firstValue("/proc/meminfo", "MemTotal"), " kB"), 10, 64); err == nil {
		m.Memory = kb << 10
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return m
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			m.Version = s.Value
		}
	}
	for _, dep := range info.Deps {
		switch dep.Path {
		case "google.golang.org/grpc", "github.com/segmentio/kafka-go", "google.golang.org/protobuf":
			m.Libraries[dep.Path] = dep.Version
		}
	}
	return m
}

// firstValue returns the value of the first "key: value" line of a file, or "".
func firstValue(path, key string) string {
	f, err := os.Open(path)
	if err != nil {
		return "" // not on Linux
	}
	defer func() { _ = f.Close() }() // only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
