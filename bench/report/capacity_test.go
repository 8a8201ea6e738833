package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/capacity"
	"tandem/bench/measure"
)

// stepAt is a step at a rate whose answers had a p99.
func stepAt(rate, p99 float64, outcome capacity.Outcome, reasons ...string) capacity.Step {
	n := int(5 * rate)
	s := capacity.Step{
		Offered: rate, Availability: 1, DrainMS: new(12.0), Outcome: outcome, Reasons: reasons,
		Overall: measure.Overall{
			Operations: n, Sent: n, OK: n, AchievedRate: rate, Answer: &measure.Percentiles{Count: int64(n), P50: p99 / 10, P99: p99},
			TTE:  &measure.Percentiles{P99: 2 * p99},
			Load: measure.Load{Operations: n, Late: n / 100, Generator: &measure.Generator{CPUShare: rate / 10_000, Cores: 2}},
		},
	}
	return s
}

func unanswered(rate float64) capacity.Step {
	s := stepAt(rate, 1, capacity.Missed, "Nothing was answered.", "The stack did not catch up.")
	s.Answer, s.TTE, s.DrainMS, s.Availability, s.AchievedRate, s.OK = nil, nil, nil, 0, 0, 0
	return s
}

// kneeAt is a search that found the knee of a stack.
func kneeAt(rate float64) capacity.Result {
	return capacity.Result{
		Steps: []capacity.Step{
			stepAt(rate/2, 4, capacity.Held), stepAt(rate*2, 900, capacity.Missed, "p99 was above 50ms."), unanswered(rate * 2),
			stepAt(rate, 31, capacity.Held), stepAt(rate*1.04, 77, capacity.Missed, "p99 was above 50ms."), stepAt(rate*1.04, 61, capacity.Missed, "p99 was above 50ms."),
		},
		Holds: new(rate), Misses: new(rate * 1.04), Limit: capacity.LimitStack,
	}
}

// limited is a search that something else than the stack ended.
func limited(rate float64, limit capacity.Limit, outcome capacity.Outcome) capacity.Result {
	r := kneeAt(rate)
	r.Limit = limit
	for i := range r.Steps {
		if r.Steps[i].Outcome == capacity.Missed {
			r.Steps[i].Outcome = outcome
		}
	}
	return r
}

func capacityOf(stacks map[string][]capacity.Result) *Capacity {
	c := &Capacity{
		Schema: CapacitySchema, Name: "capacity", Start: time.Date(2026, 11, 25, 18, 0, 0, 0, time.UTC),
		Settings: CapacitySettings{Plan: capacity.DefaultPlan(), Repeat: 1, SyncLevel: "deadline", AsyncLevel: "dead-letter", Procs: 1},
		Machine:  Machine{OS: "linux/amd64", Cores: 2, Go: "go1.26"},
	}
	for _, stack := range []string{"sync", "async"} {
		for _, r := range stacks[stack] {
			c.Add(stack, r)
		}
	}
	return c
}

func capacities() map[string]*Capacity {
	several := map[string][]capacity.Result{}
	for i := range 6 {
		several["sync"] = append(several["sync"], kneeAt(1500+10*float64(i)))
		several["async"] = append(several["async"], kneeAt(900-10*float64(i)))
	}
	none := limited(1000, capacity.LimitLeast, capacity.Missed)
	none.Holds = nil
	most := kneeAt(50_000)
	most.Steps, most.Misses, most.Limit = most.Steps[:1], nil, capacity.LimitMost
	cut := kneeAt(3000)
	cut.Steps, cut.Misses, cut.Limit = cut.Steps[:1], nil, capacity.LimitCut
	coarse := kneeAt(3000)
	coarse.Coarse = true
	one := func(sync, async capacity.Result) map[string][]capacity.Result {
		return map[string][]capacity.Result{"sync": {sync}, "async": {async}}
	}
	return map[string]*Capacity{
		"found":   capacityOf(one(kneeAt(1500), kneeAt(900))),
		"several": capacityOf(several),
		"limited": capacityOf(one(limited(1500, capacity.LimitGenerator, capacity.Generator), limited(900, capacity.LimitOthers, capacity.Others))),
		"bounded": capacityOf(one(none, most)),
		"short":   capacityOf(one(cut, coarse)),
	}
}

func TestCapacityText(t *testing.T) {
	for name, c := range capacities() {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			require.NoError(t, c.Print(&out))
			requireGolden(t, "capacity-"+name+".txt", out.String())
			for line := range strings.Lines(out.String()) {
				require.LessOrEqual(t, len([]rune(strings.TrimRight(line, "\n"))), width, line)
			}
		})
	}
}

func TestCapacityIsKnownOnlyIfEachSearchFoundIt(t *testing.T) {
	known := map[string]bool{"found": true, "several": true}
	for name, c := range capacities() {
		require.Equal(t, known[name], c.Known() && name != "short", name)
	}
	mixed := capacityOf(map[string][]capacity.Result{
		"sync":  {kneeAt(1000), limited(1100, capacity.LimitGenerator, capacity.Generator), kneeAt(1200)},
		"async": {kneeAt(100), kneeAt(200), kneeAt(300)},
	})
	require.False(t, mixed.Known())
	require.InEpsilon(t, 1100.0, mixed.Stacks[0].Rate.Median, 1e-9)
	require.Empty(t, mixed.Contrasts, "what is only known at least is not compared")
}

// TestCapacityPage demands a whole page that says what the tables in the terminal say, and asks for nothing.
func TestCapacityPage(t *testing.T) {
	for name, c := range capacities() {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, c.Write(dir))
			page, err := os.ReadFile(filepath.Join(dir, PageName))
			require.NoError(t, err)
			text := string(page)
			require.NotContains(t, text, "<script")
			require.NotContains(t, text, "http://")
			require.NotContains(t, text, "https://")
			require.NotContains(t, text, "NaN")
			require.NotContains(t, text, "ZgotmplZ", "html/template refused a value")
			for _, s := range c.Stacks {
				require.Contains(t, text, s.sentence())
				for _, r := range s.Searches {
					require.GreaterOrEqual(t, strings.Count(text, "<title>"+s.Stack+": "), len(r.Steps))
				}
			}
			saved := &Capacity{}
			kept, err := os.ReadFile(filepath.Join(dir, CapacityFileName))
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(kept, saved))
			again, err := saved.Page()
			require.NoError(t, err)
			require.Equal(t, text, string(again), "capacity.json holds all that the page needs")
		})
	}
}

// TestTheKneeIsDrawnWhereItIs: a rate above another is drawn to its right, a longer time above a shorter one.
func TestTheKneeIsDrawnWhereItIs(t *testing.T) {
	d := capacities()["found"].drawing()
	require.Len(t, d.Lines, 2)
	sync, async := d.Lines[0], d.Lines[1]
	require.Greater(t, sync.Knee.At, async.Knee.At)
	held, missed := sync.Points[3], sync.Points[4]
	require.InDelta(t, sync.Knee.At, held.X, 1e-9)
	require.True(t, held.Held)
	require.Greater(t, held.Y, d.Bound, "y grows downwards: what keeps the bound lies below it")
	require.False(t, missed.Held)
	require.Less(t, missed.Y, d.Bound)
	require.Greater(t, missed.X, held.X)
	for _, p := range sync.Points {
		require.GreaterOrEqual(t, p.X, d.Left)
		require.LessOrEqual(t, p.X, d.Right)
		require.GreaterOrEqual(t, p.Y, d.Top)
		require.LessOrEqual(t, p.Y, d.Bottom)
	}
}
