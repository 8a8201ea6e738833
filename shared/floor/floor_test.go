package floor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		output string
		want   map[string]Measured
	}{
		"ratio": {
			"BenchmarkFloorFeed-2   \t 3\t 80.5 floor-µs\t 100 ours-µs\t 1.24 ratio\n",
			map[string]Measured{"Feed": {Floor: 80.5, Ours: 100, Ratio: 1.24}},
		},
		"no_floor":    {"BenchmarkFloorTimer-16 1 199 ours-µs\n", map[string]Measured{"Timer": {Ours: 199}}},
		"one_core":    {"BenchmarkFloorTimer 1 199 ours-µs\n", map[string]Measured{"Timer": {Ours: 199}}},
		"other_lines": {"goos: linux\nBenchmarkHop-2 1 3 ns/op\nBenchmarkFloorFeed-2\n    log: 3\nPASS\n", map[string]Measured{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(strings.NewReader(c.output))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestParseDamaged(t *testing.T) {
	_, err := Parse(strings.NewReader("BenchmarkFloorFeed-2 3 fast ours-µs\n"))
	require.ErrorContains(t, err, "BenchmarkFloorFeed")
}

func TestIsMet(t *testing.T) {
	for name, c := range map[string]struct {
		target Target
		got    Measured
		want   bool
	}{
		"ratio_at_most":        {timesFloor(AtMost, 1.3), Measured{Floor: 100, Ours: 130, Ratio: 1.3}, true},
		"ratio_above_most":     {timesFloor(AtMost, 1.3), Measured{Floor: 100, Ours: 131, Ratio: 1.31}, false},
		"ratio_at_least":       {timesFloor(AtLeast, 0.7), Measured{Floor: 100, Ours: 70, Ratio: 0.7}, true},
		"ratio_below_least":    {timesFloor(AtLeast, 0.7), Measured{Floor: 100, Ours: 69, Ratio: 0.69}, false},
		"absolute_at_most":     {absolute(AtMost, 500), Measured{Ours: 500}, true},
		"absolute_above_most":  {absolute(AtMost, 500), Measured{Ours: 501}, false},
		"absolute_below_least": {absolute(AtLeast, 50_000), Measured{Floor: 1, Ours: 49_999, Ratio: 49_999}, false},
		"no_target":            {Target{}, Measured{Ours: 1e9}, true},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, c.target.IsMet(c.got)) })
	}
}

func TestQuantile(t *testing.T) {
	figures := []float64{5, 1, 4, 2, 3}
	require.InDelta(t, 3, Median(figures), 0)
	require.InDelta(t, 1, Quantile(figures, 0), 0)
	require.InDelta(t, 5, Quantile(figures, 0.99), 0)
	require.InDelta(t, 5, Quantile(figures, 1), 0)
	require.Zero(t, Median(nil))
	require.Equal(t, []float64{5, 1, 4, 2, 3}, figures, "the caller's order is kept")
}

func TestInTurn(t *testing.T) {
	var order string
	note := func(name string, figure float64) Round {
		return func() float64 { order += name; return figure }
	}
	for i := range 3 {
		f, o := inTurn(i, note("f", 1), note("o", 2))
		require.Equal(t, []float64{1, 2}, []float64{f, o})
	}
	require.Equal(t, "fo"+"of"+"fo", order)
}

// TestEveryRowIsMeasured: a row that nothing measures would be missing from the table for ever.
func TestEveryRowIsMeasured(t *testing.T) {
	for _, r := range Rows() {
		t.Run(r.Name, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join("..", "..", r.Package, "*_test.go"))
			require.NoError(t, err)
			found := 0
			for _, file := range files {
				text, err := os.ReadFile(file)
				require.NoError(t, err)
				found += strings.Count(string(text), "func "+prefix+r.Name+"(b *testing.B)")
			}
			require.Equal(t, 1, found, "write %s%s in %s", prefix, r.Name, r.Package)
		})
	}
}
