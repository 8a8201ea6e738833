package scenario

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/fault"
	"tandem/bench/history"
	"tandem/bench/load"
)

func TestPlanCheck(t *testing.T) {
	require.NoError(t, DefaultPlan().Check())
	for name, c := range map[string]struct {
		spoil func(*Plan)
		want  string
	}{
		"no_rate":           {func(p *Plan) { p.Rate = 0 }, "rate 0"},
		"no_clients":        {func(p *Plan) { p.Clients = 0 }, "0 clients: use at least 1"},
		"witness_all_twice": {func(p *Plan) { p.WitnessShare = 2 }, "a share of 2 of the writes to witness: use 0 to 1"},
		"witness_below_0":   {func(p *Plan) { p.WitnessShare = -0.1 }, "use 0 to 1"},
		"witness_no_number": {func(p *Plan) { p.WitnessShare = math.NaN() }, "use 0 to 1"},
		"no_arrivals":       {func(p *Plan) { p.Arrivals = "" }, `arrivals "": use poisson or constant`},
		"zipf_below_0":      {func(p *Plan) { p.Zipf = -1 }, "zipf -1"},
		"no_mix":            {func(p *Plan) { p.Mix = nil }, "mix: the shares must have a sum above 0"},
		"unknown_operation": {func(p *Plan) { p.Mix = []load.Share{{Op: "Frob", Share: 1}} }, `unknown operation "Frob"`},
		"retries_below_0":   {func(p *Plan) { p.Retries = -1 }, "-1 retries: use 0"},
		"delay_on_hurt_links": {func(p *Plan) {
			p.Delay, p.Steps[0].Spec = time.Second, fault.Spec{Kind: fault.Reset, Victim: "posts"}
		}, "both hurt the same links"},
		"no_deadline":    {func(p *Plan) { p.Deadline = 0 }, "deadline 0s"},
		"no_steady":      {func(p *Plan) { p.Steady = 0 }, "steady 0s"},
		"negative_time":  {func(p *Plan) { p.Steps[0].Before = -time.Second }, "before -1s"},
		"no_down":        {func(p *Plan) { p.Steps[1].For = 0 }, "posts, before 1.5s, for 0s"},
		"unknown_victim": {func(p *Plan) { p.Steps = Kills(DefaultSlot(), "posts", "post") }, `no part "post": use posts, comments`},
	} {
		t.Run(name, func(t *testing.T) {
			p := DefaultPlan()
			c.spoil(&p)
			require.ErrorContains(t, p.Check(), c.want)
			_, err := New(p)
			require.Error(t, err)
		})
	}
}

func TestLengthHoldsEverySlot(t *testing.T) {
	p := Plan{Steady: 10 * time.Second, Steps: Kills(Slot{time.Second, 2 * time.Second, 3 * time.Second}, "posts", "query")}
	require.Equal(t, 22*time.Second, p.Length())
}

// TestSteadyLength: the plan's steady window is that of the history it leaves behind.
func TestSteadyLength(t *testing.T) {
	p := Plan{Steady: 10 * time.Second, Steps: Kills(Slot{time.Second, 1, 1}, "posts"), Deadline: 2 * time.Second}
	require.Equal(t, 9*time.Second, p.steadyLength())
	h := history.History{
		Header:     history.Header{Length: p.Length(), Deadline: p.Deadline},
		Operations: []*history.Operation{{Phase: history.PhaseLoad}}, Faults: []history.Fault{{Asked: p.Steady + time.Second}},
	}
	require.Equal(t, h.SteadyEnd(), p.steadyLength())
	p.Steps = nil
	require.Equal(t, p.Length(), p.steadyLength())
}

func TestDueBefore(t *testing.T) {
	s := &load.Schedule{Ops: []load.Planned{{At: 1}, {At: 2}, {At: 2}, {At: 3}}}
	for at, want := range map[time.Duration]int{0: 0, 1: 0, 2: 1, 3: 3, 4: 4} {
		require.Equal(t, want, dueBefore(s, at), "before %d", at)
	}
}

func TestDefaultPlanLeavesTimeForBothStacks(t *testing.T) {
	require.LessOrEqual(t, 2*DefaultPlan().Length(), 2*time.Minute, "the load alone must leave a minute of three for the rest")
}

// TestSameSeedSameWork: what two stacks get is drawn twice, and must be the same.
func TestSameSeedSameWork(t *testing.T) {
	small := DefaultPlan()
	small.World = load.WorldSize{Posts: 500, Comments: 500, Authors: 20, Subscriptions: 500}
	draw := func(p Plan) string {
		e, err := New(p)
		require.NoError(t, err)
		return e.Schedule.Hash()
	}
	require.Equal(t, draw(small), draw(small))
	other := small
	other.Seed = 2
	require.NotEqual(t, draw(small), draw(other))
}

func TestAWorldThatIsTooSmallIsRefused(t *testing.T) {
	p := DefaultPlan()
	p.World = load.WorldSize{Posts: 1, Comments: 0, Authors: 1, Subscriptions: 0}
	_, err := New(p)
	require.Error(t, err)
}

func TestPerThousand(t *testing.T) {
	require.Equal(t, 4*time.Second, perThousand(2*time.Second, 500))
	require.Equal(t, time.Duration(0), perThousand(0, 0))
}
