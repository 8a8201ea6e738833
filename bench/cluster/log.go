package cluster

import (
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	tailLines = 10
	tailBytes = 16 << 10
)

// tailOf returns the last lines of a log from a position on, or what keeps it from being read.
func tailOf(path string, from int64) string {
	file, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err.Error()
	}
	start := max(from, info.Size()-tailBytes)
	text, err := io.ReadAll(io.NewSectionReader(file, start, info.Size()-start))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}

func quoteLog(path, tail string) string {
	if tail == "" {
		return fmt.Sprintf("its log %s says nothing about it", path)
	}
	return fmt.Sprintf("its log %s ends with:\n  %s", path, strings.ReplaceAll(tail, "\n", "\n  "))
}
