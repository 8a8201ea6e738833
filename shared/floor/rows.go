package floor

import (
	"fmt"
	"slices"
	"strconv"
)

// Row is one path through the system, with what is demanded of it. It is measured by BenchmarkFloor<Name> in Package.
type Row struct {
	Name    string
	Package string
	Path    string
	Unit    string // of the floor and of ours
	Target  Target
}

// Target is the bound on a row. Its zero value demands nothing.
type Target struct {
	Bound   Bound
	Value   float64
	OfFloor bool // Value is a multiple of the floor; else it is in the row's unit
}

// Bound is the side on which a target bounds.
type Bound string

// The bounds.
const (
	None    Bound = ""
	AtMost  Bound = "≤"
	AtLeast Bound = "≥"
)

// timesFloor is a target that is a ratio.
func timesFloor(bound Bound, value float64) Target { return Target{bound, value, true} }

// absolute is a target in the row's own unit.
func absolute(bound Bound, value float64) Target { return Target{bound, value, false} }

// Measured is what the benchmark of a row found: medians over its rounds.
type Measured struct {
	Floor float64 // 0: the row has none
	Ours  float64
	Ratio float64 // the median of the rounds' ratios, which is not the ratio of the medians; 0 without a floor
}

// IsMet tells whether a target holds.
func (t Target) IsMet(m Measured) bool {
	got := m.Ours
	if t.OfFloor {
		got = m.Ratio
	}
	switch t.Bound {
	case AtMost:
		return got <= t.Value
	case AtLeast:
		return got >= t.Value
	default:
		return true
	}
}

// Text returns the target in words, given the row's unit.
func (t Target) Text(unit string) string {
	switch {
	case t.Bound == None:
		return "none"
	case t.OfFloor:
		return fmt.Sprintf("%s %s × floor", t.Bound, Number(t.Value))
	default:
		return fmt.Sprintf("%s %s %s", t.Bound, Number(t.Value), unit)
	}
}

// Number writes a figure with three digits, or whole from 100 on.
func Number(f float64) string {
	if f >= 100 {
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	return strconv.FormatFloat(f, 'g', 3, 64)
}

// Packages returns where the rows are measured, each once, in the order of the rows.
func Packages() (packages []string) {
	for _, r := range Rows() {
		if !slices.Contains(packages, r.Package) {
			packages = append(packages, r.Package)
		}
	}
	return packages
}

// The packages in which rows are measured.
const (
	inService = "./shared/service"
	inPosts   = "./async/posts"
	inBus     = "./async/internal/bus"
	inQuery   = "./async/query"
	inE2E     = "./bench/e2e"
	inLoad    = "./bench/load"
)

// Rows returns every row, in the order in which they are shown. It is the only place that holds a target.
func Rows() []Row {
	return []Row{
		{"HopLatency", inService, "unary hop, 1 in flight, p50", "µs", timesFloor(AtMost, 1.3)},
		{"HopThroughput", inService, "unary hop, 64 in flight", "calls/s", timesFloor(AtLeast, 0.7)},
		{"WriteLatency", inPosts, "accepted write, 1 in flight, p50", "µs", timesFloor(AtMost, 1.3)},
		{"WriteThroughput", inPosts, "accepted write, 64 in flight", "writes/s", timesFloor(AtLeast, 0.6)},
		{"Produce", inBus, "commit → event acknowledged by the broker, p50", "µs", timesFloor(AtMost, 1.3)},
		{"Consumed", inBus, "commit → event consumed, p50", "µs", Target{}},
		{"Apply", inBus, "consume and apply, inbox and offset in one transaction", "events/s", absolute(AtLeast, 20_000)},
		{"CreatePost", inE2E, "time to effect of CreatePost, p50", "µs", timesFloor(AtMost, 1.5)},
		{"CreateComment", inE2E, "time to effect of CreateComment, p50", "µs", timesFloor(AtMost, 1.5)},
		{"CatchUp", inE2E, "async service killed: exec → caught up", "ms", absolute(AtMost, 1000)},
		{"CallerBack", inE2E, "sync callee SERVING again → first call through its caller", "ms", absolute(AtMost, 500)},
		{"Feed", inQuery, "feed page at 1,000,000 posts (floor: at 1,000), p99", "µs", timesFloor(AtMost, 1.5)},
		{"Rebuild", inE2E, "read model rebuilt from the log, from exec on", "events/s", absolute(AtLeast, 50_000)},
		{"Timer", inLoad, "load generator: timer error, p99", "µs", absolute(AtMost, 200)},
	}
}
