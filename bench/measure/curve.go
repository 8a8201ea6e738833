package measure

import (
	"math"
	"time"
)

// Curve is a distribution of one operation in the steady window, for drawing: over the same operations as the percentiles.
type Curve struct {
	Op      string  `json:"op"`
	Measure string  `json:"measure"` // "latency", "tta" or "tte"
	Points  []Point `json:"points"`  // by rising percent; empty without operations
}

// Point is one point of a curve: so many percent took no longer than this.
type Point struct {
	Percent float64 `json:"percent"`
	MS      float64 `json:"ms"`
}

// curvePercents are where a curve has points, as far as its sample supports them.
func curvePercents() []float64 {
	return []float64{1, 5, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95, 97, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.98, 99.99}
}

// supported tells whether n durations tell anything of a percentile: the largest of them lies above the true percentile with
// 95 % confidence, which is pⁿ ≤ 0.05 and about three durations beyond it (the rule of three; for order statistics see Conover,
// Practical Nonparametric Statistics, 3.2). Beyond that a curve would draw the luck of single operations.
func supported(n int, percent float64) bool { return math.Pow(percent/100, float64(n)) <= 0.05 }

// curve draws a distribution.
func curve(op, measure string, durations []time.Duration) Curve {
	c := Curve{Op: op, Measure: measure, Points: []Point{}}
	sorted := ascending(durations)
	for _, percent := range curvePercents() {
		if supported(len(sorted), percent) {
			c.Points = append(c.Points, Point{percent, ms(sorted[rank(len(sorted), percent)-1])})
		}
	}
	return c
}

// curves are those of one operation.
func (m *Op) curves(steady samples) []Curve {
	if !m.Write {
		return []Curve{curve(m.Op, "latency", steady.answer)}
	}
	return []Curve{curve(m.Op, "tta", steady.answer), curve(m.Op, "tte", steady.effect)}
}
