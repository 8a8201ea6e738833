package measure

import (
	"math"
	"slices"
	"time"
)

// Percentiles describes a distribution of durations, in milliseconds. Each is by nearest rank (definition 1 of Hyndman and Fan
// 1996): the smallest of the durations that at least so many percent of them do not exceed. Nothing is rounded or interpolated.
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
	sorted := ascending(durations)
	at := func(percent float64) float64 { return ms(sorted[rank(len(sorted), percent)-1]) }
	return &Percentiles{
		Count: int64(len(sorted)), P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: ms(sorted[len(sorted)-1]),
	}
}

// ascending returns a sorted copy in which what is below 0 counts as 0.
func ascending(durations []time.Duration) []time.Duration {
	sorted := make([]time.Duration, len(durations))
	for i, d := range durations {
		sorted[i] = max(0, d)
	}
	slices.Sort(sorted)
	return sorted
}

// rank is the nearest rank, from 1, of a percentile of n durations. Percents have at most two decimals.
func rank(n int, percent float64) int {
	const whole = 100_00
	return max(1, (int(math.Round(float64(n)*percent*100))+whole-1)/whole)
}

// ms is a duration in milliseconds.
func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
