package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/report"
	"tandem/bench/scenario"
	"tandem/shared/floor"
)

func TestLines(t *testing.T) {
	all := lines(map[string]floor.Measured{
		"HopLatency": {Floor: 100, Ours: 150, Ratio: 1.5}, "Timer": {Ours: 150}, "Consumed": {Floor: 1, Ours: 2, Ratio: 2},
	})
	require.Len(t, all, len(floor.Rows()))
	got := map[string][]string{}
	for i, r := range floor.Rows() {
		got[r.Name] = all[i][1:]
	}
	require.Equal(t, []string{"100 µs", "150 µs", "1.50", "≤ 1.3 × floor", "MISSED"}, got["HopLatency"])
	require.Equal(t, []string{"", "150 µs", "", "≤ 200 µs", "met"}, got["Timer"])
	require.Equal(t, []string{"1 µs", "2 µs", "2.00", "none", "no target"}, got["Consumed"])
	require.Equal(t, []string{"", "", "", "≥ 50000 events/s", "not measured"}, got["Rebuild"])
}

func TestTable(t *testing.T) {
	text := table([][]string{{"a path", "1 µs", "2 µs", "2.00", "≤ 1.3 × floor", "MISSED"}, {"b", "", "", "", "none", ""}})
	rows := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	require.Len(t, rows, 4)
	require.Equal(t, "| a path | 1 µs  | 2 µs | 2.00  | ≤ 1.3 × floor | MISSED |", rows[2])
	for _, row := range rows {
		require.Len(t, []rune(row), len([]rune(rows[0])))
	}
}

func TestLinesOfRun(t *testing.T) {
	dir := t.TempDir()
	for _, line := range linesOfRun(dir) {
		require.Equal(t, "not measured", line[5])
	}
	start := time.Now().Add(-200 * time.Second)
	results := &report.Results{Schema: report.Schema, Start: start, Stacks: []report.Stack{
		{Cost: scenario.Cost{StartUp: time.Second, Memory: 200e6}}, {Cost: scenario.Cost{StartUp: 1500 * time.Millisecond, Memory: 400e6}},
	}}
	require.NoError(t, results.Write(dir))
	require.NoError(t, os.Chtimes(filepath.Join(dir, report.FileName), time.Time{}, start.Add(190*time.Second)))
	got := linesOfRun(dir)
	require.Equal(t, []string{"190 s", "MISSED"}, []string{got[0][2], got[0][5]})
	require.Equal(t, []string{"2.5 s", "met"}, []string{got[1][2], got[1][5]})
	require.Equal(t, []string{"600 MB", "MISSED"}, []string{got[2][2], got[2][5]})
}
