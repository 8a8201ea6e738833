package measure

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
