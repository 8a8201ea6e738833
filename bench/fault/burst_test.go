package fault_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/fault"
)

// generator sends evenly, at a rate that can be changed.
type generator struct {
	before float64 // sent until since
	since  time.Time
	rate   float64
}

func (g *generator) at(rate float64) {
	*g = generator{before: float64(g.sent()), since: time.Now(), rate: rate}
}

func (g *generator) sent() int64 { return int64(g.before + g.rate*time.Since(g.since).Seconds()) }

func TestBurst(t *testing.T) {
	for name, tc := range map[string]struct {
		during, after         float64
		injected, notInjected string
	}{
		"sent":                {during: 300, after: 100},
		"not_sent":            {during: 100, after: 100, injected: "operations a second were sent, and not 300"},
		"nothing_sent":        {during: 0.01, after: 100, injected: "0 operations a second were sent, and not 300"},
		"does_not_end":        {during: 300, after: 300, notInjected: "operations a second are still sent, and not 100"},
		"sent_nearly_in_full": {during: 220, after: 130},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				g := &generator{since: start}
				g.at(tc.during)
				f, err := fault.New(fault.Env{
					Now: func() time.Duration { return time.Since(start) }, Sent: g.sent, Rate: 100,
				}, fault.Spec{Kind: fault.Burst, Factor: 3})
				require.NoError(t, err)
				requireSays(t, tc.injected, f.Inject(t.Context()))
				g.at(tc.after)
				requireSays(t, tc.notInjected, f.Lift(t.Context()))
				require.Equal(t, tc.injected == "", f.Record().InEffect > 0)
				require.Equal(t, tc.notInjected == "", f.Record().Lifted > 0)
			})
		})
	}
}

func requireSays(t *testing.T, want string, err error) {
	t.Helper()
	if want == "" {
		require.NoError(t, err)
		return
	}
	require.ErrorContains(t, err, want)
}

func TestBurstNeedsALoad(t *testing.T) {
	_, err := fault.New(fault.Env{}, fault.Spec{Kind: fault.Burst, Factor: 3})
	require.ErrorContains(t, err, "needs a load")
}
