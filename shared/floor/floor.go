// Package floor sets what the project does beside a floor: the least program of the same parts. Both are measured in one run,
// in turn, so that a noisy machine is noisy for both; what counts is the ratio. The rows and their targets are in Rows.
package floor

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// prefix is what the names of all benchmarks of rows begin with.
const prefix = "BenchmarkFloor"

// Round measures one thing once and returns its figure, in the unit of its row.
type Round func() float64

// Compare measures the floor and ours in turn, one round of each an iteration, and reports the medians. The one that goes first
// changes each time, so that neither always finds what the other left. The row is the one that the benchmark is named for. It
// never fails for being slow.
func Compare(b *testing.B, floor, ours Round) {
	b.Helper()
	var floors, ourses, ratios []float64
	for i := 0; b.Loop(); i++ {
		f, o := inTurn(i, floor, ours)
		floors, ourses, ratios = append(floors, f), append(ourses, o), append(ratios, o/f)
	}
	report(b, Measured{Floor: Median(floors), Ours: Median(ourses), Ratio: Median(ratios)})
}

// Alone is Compare for a row that has no floor.
func Alone(b *testing.B, ours Round) {
	b.Helper()
	var ourses []float64
	for b.Loop() {
		ourses = append(ourses, ours())
	}
	report(b, Measured{Ours: Median(ourses)})
}

func inTurn(i int, floor, ours Round) (f, o float64) {
	if i%2 == 0 {
		f = floor()
		return f, ours()
	}
	o = ours()
	return floor(), o
}

// The metrics in which a benchmark reports, each but the ratio followed by the row's unit.
const (
	floorMetric = "floor-"
	oursMetric  = "ours-"
	ratioMetric = "ratio"
)

func report(b *testing.B, m Measured) {
	b.Helper()
	name, isRow := strings.CutPrefix(b.Name(), prefix)
	i := slices.IndexFunc(Rows(), func(r Row) bool { return r.Name == name })
	if !isRow || i < 0 {
		b.Fatalf("%s measures no row: name it %s and one of the names in Rows", b.Name(), prefix)
	}
	unit := Rows()[i].Unit
	b.ReportMetric(0, "ns/op") // of a round, which says nothing
	b.ReportMetric(m.Ours, oursMetric+unit)
	if m.Floor > 0 {
		b.ReportMetric(m.Floor, floorMetric+unit)
		b.ReportMetric(m.Ratio, ratioMetric)
	}
}

// Median returns the middle of some figures; of none, 0.
func Median(figures []float64) float64 { return Quantile(figures, 0.5) }

// Quantile returns the figure that a share q of them, 0 to 1, do not exceed (nearest rank); of none, 0.
func Quantile(figures []float64, q float64) float64 {
	if len(figures) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(figures))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// Micros returns a time in microseconds.
func Micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// Times does something n times and returns how long each took, in microseconds.
func Times(n int, do func()) []float64 {
	took := make([]float64, n)
	for i := range took {
		began := time.Now()
		do()
		took[i] = Micros(time.Since(began))
	}
	return took
}

// PerSecond does n things with do and returns the rate.
func PerSecond(n int, do func(n int)) float64 {
	began := time.Now()
	do(n)
	return float64(n) / time.Since(began).Seconds()
}
