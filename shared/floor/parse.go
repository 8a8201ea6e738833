package floor

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Parse reads the output of `go test -bench` and returns what the rows' benchmarks reported, by the rows' names. Other lines are
// passed over; a row's line that cannot be read is an error.
func Parse(output io.Reader) (map[string]Measured, error) {
	measured := map[string]Measured{}
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		line, isRow := strings.CutPrefix(lines.Text(), prefix)
		fields := strings.Fields(line)
		if !isRow || len(fields) < 2 { // a benchmark that logs has its name on a line of its own first
			continue
		}
		m, err := parseMetrics(fields[2:])
		if err != nil {
			return nil, fmt.Errorf("read the benchmark's line %q: %w", lines.Text(), err)
		}
		measured[withoutProcs(fields[0])] = m
	}
	return measured, lines.Err()
}

// withoutProcs cuts the number of processors off a benchmark's name: "Feed-2" is "Feed".
func withoutProcs(name string) string {
	if i := strings.LastIndexByte(name, '-'); i >= 0 {
		return name[:i]
	}
	return name
}

// parseMetrics reads pairs of a figure and its unit.
func parseMetrics(fields []string) (m Measured, err error) {
	for i := 0; i+1 < len(fields); i += 2 {
		figure, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return m, err
		}
		switch unit := fields[i+1]; {
		case strings.HasPrefix(unit, floorMetric):
			m.Floor = figure
		case strings.HasPrefix(unit, oursMetric):
			m.Ours = figure
		case unit == ratioMetric:
			m.Ratio = figure
		}
	}
	return m, nil
}
