package measure

import (
	"time"

	"tandem/bench/history"
)

// bucketLength is the step of the timelines.
const bucketLength = 100 * time.Millisecond

// Timeline is how an operation went over the load, in steps of 100 ms of intended time from the load's start; steps without
// operations are there too.
type Timeline struct {
	Op      string   `json:"op,omitempty"` // empty: all
	Buckets []Bucket `json:"buckets"`
}

// Bucket is one step of a timeline.
type Bucket struct {
	AtMS float64 `json:"at_ms"` // its start, in run time
	// OK are answers within the deadline, Failed all other operations that were intended in the step.
	OK     int `json:"ok"`
	Failed int `json:"failed"`
	// P50MS and P99MS are over the OK ones, by nearest rank; null if there are none.
	P50MS *float64 `json:"p50_ms"`
	P99MS *float64 `json:"p99_ms"`
}

// timelines returns that of all operations, then those of each, by name.
func (s *subject) timelines() []Timeline {
	var all []Timeline
	for _, op := range append([]string{""}, s.ops...) {
		all = append(all, s.timeline(op))
	}
	return all
}

func (s *subject) timeline(op string) Timeline {
	t := Timeline{Op: op}
	for from := s.start; from < s.end; from += bucketLength {
		t.Buckets = append(t.Buckets, s.bucket(op, window{from, from + bucketLength}))
	}
	return t
}

func (s *subject) bucket(op string, w window) Bucket {
	b := Bucket{AtMS: ms(w.from)}
	var latencies []time.Duration
	for _, o := range s.in(w) {
		if op != "" && o.Op != op {
			continue
		}
		if s.available(o) {
			b.OK++
			latencies = append(latencies, latency(o))
		} else {
			b.Failed++
		}
	}
	b.P50MS, b.P99MS = p50And99(latencies)
	return b
}

func latency(o *history.Operation) time.Duration { return o.Completed - o.Intended }
