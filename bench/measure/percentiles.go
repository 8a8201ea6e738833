package measure

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The range and precision of the histograms: 1 µs to 1 hour with three significant digits, so a percentile is at most 0.1 %
// above the true one. What lies outside is counted at the border.
const (
	highestMicros     = int64(time.Hour / time.Microsecond)
	significantDigits = 3
)

// Percentiles describes a distribution of durations, in milliseconds.
type Percentiles struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
	P999  float64 `json:"p99_9_ms"`
	Max   float64 `json:"max_ms"`
}

// percentiles returns nil for no durations. Those below 0 count as 0.
func percentiles(durations []time.Duration) *Percentiles {
	if len(durations) == 0 {
		return nil
	}
	h := hdrhistogram.New(1, highestMicros, significantDigits)
	for _, d := range durations {
		_ = h.RecordValue(min(max(0, d.Microseconds()), highestMicros)) // fails only out of range
	}
	at := func(percent float64) float64 { return float64(h.ValueAtPercentile(percent)) / 1000 }
	return &Percentiles{
		Count: h.TotalCount(), P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: float64(h.Max()) / 1000,
	}
}

// ms is a duration in milliseconds.
func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
