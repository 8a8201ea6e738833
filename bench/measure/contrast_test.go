package measure

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/history"
)

// known makes values of which −1 is missing.
func known(values ...float64) []*float64 {
	var list []*float64
	for _, v := range values {
		if v < 0 {
			list = append(list, nil)
		} else {
			list = append(list, &v)
		}
	}
	return list
}

func TestMedian(t *testing.T) {
	values := []float64{9, 1, 5}
	require.Equal(t, 5.0, median(values))
	require.Equal(t, []float64{9, 1, 5}, values, "not sorted in place")
	require.Equal(t, 3.0, median([]float64{5, 1}))
}

func TestEstimate(t *testing.T) {
	for _, tt := range []struct {
		name      string
		values    []*float64
		want      float64
		low, high float64 // −1: none
	}{
		{"one_round", known(5), 5, -1, -1},
		{"two_rounds", known(5, 7), 6, -1, -1},
		{"two_known_of_three", known(5, -1, 7), 6, -1, -1},
		{"three_rounds_say_little", known(5, 7, 6), 6, 5, 7},
		{"all_the_same", known(5, 5, 5, 5), 5, 5, 5},
		{"no_outlier_is_dropped", known(5, 5, 6, 1000), 5.5, 5, 1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := estimate(tt.values)
			require.Equal(t, tt.want, e.Median)
			require.Equal(t, tt.values, e.Values)
			if tt.low < 0 {
				require.Nil(t, e.Low)
				require.Nil(t, e.High)
				return
			}
			require.Equal(t, []float64{tt.low, tt.high}, []float64{*e.Low, *e.High})
		})
	}
	many := make([]*float64, 100)
	for i := range many {
		many[i] = new(float64(i + 1))
	}
	e := estimate(many)
	require.InDelta(t, 40, *e.Low, 4, "by order statistics 40")
	require.InDelta(t, 61, *e.High, 4, "by order statistics 61")
	require.Equal(t, e, estimate(many), "the same figures have the same interval")
}

func TestSignTest(t *testing.T) {
	for _, tt := range []struct {
		differences []float64
		want        float64
	}{
		{[]float64{1, 1, 1, 1, 1}, 0.0625}, {[]float64{1, 1, 1, 1, 1, 1}, 0.03125}, {[]float64{-1, -1, -1, -1, -1, -1}, 0.03125},
		{[]float64{1, 1, 1, 1, 1, -1}, 0.21875}, {[]float64{1, 1, 1, 1, 1, 0}, 0.21875}, {[]float64{0, 0, 0}, 1}, {[]float64{1, -1}, 1}, {nil, 1},
	} {
		require.InDelta(t, tt.want, signTest(tt.differences), 1e-12, "%v", tt.differences)
	}
}

// figures are rounds of one figure, −1 for a round without it.
func figures(values ...float64) (rounds [][]Figure) {
	for _, v := range known(values...) {
		rounds = append(rounds, []Figure{{Name: "x", Unit: "ms", LessIsBetter: true, Value: v}})
	}
	return rounds
}

func TestClaims(t *testing.T) {
	for _, tt := range []struct {
		name             string
		a, b             [][]Figure
		paired, unpaired bool
		difference       float64
	}{
		{"five_rounds_are_too_few", figures(1, 2, 3, 4, 5), figures(101, 102, 103, 104, 105), false, false, 100},
		{"six_rounds_are_enough", figures(1, 2, 3, 4, 5, 6), figures(101, 102, 103, 104, 105, 106), true, true, 100},
		{"six_of_which_one_lacks_it", figures(1, 2, 3, 4, 5, 6), figures(101, 102, 103, -1, 105, 106), false, false, 100},
		{"less_than_before", figures(101, 102, 103, 104, 105, 106), figures(1, 2, 3, 4, 5, 6), true, true, -100},
		{"one_goes_the_other_way", figures(1, 2, 3, 4, 5, 6), figures(101, 102, 103, 104, 105, 5), false, true, 99},
		{"only_in_pairs", figures(1, 20, 300, 4000, 50_000, 600_000), figures(2, 21, 301, 4001, 50_001, 600_001), true, false, 1},
		{"itself", figures(1, 2, 3, 4, 5, 6), figures(1, 2, 3, 4, 5, 6), false, false, 0},
		{"always_the_same", figures(7, 7, 7, 7, 7, 7), figures(7, 7, 7, 7, 7, 7), false, false, 0},
		{"one_round", figures(1), figures(1000), false, false, 999},
	} {
		t.Run(tt.name, func(t *testing.T) {
			paired, unpaired := Paired(tt.a, tt.b), Unpaired(tt.a, tt.b)
			require.Len(t, paired, 1)
			require.Len(t, unpaired, 1)
			require.Equal(t, []bool{tt.paired, tt.unpaired}, []bool{paired[0].Claimed, unpaired[0].Claimed})
			require.InDelta(t, tt.difference, paired[0].Difference.Median, 1)
			require.Equal(t, []any{"x", "ms", true}, []any{paired[0].Figure, paired[0].Unit, paired[0].LessIsBetter})
		})
	}
}

func TestContrastsOfWhatOneSideLacks(t *testing.T) {
	require.Empty(t, Paired(figures(-1, -1, -1), figures(1, 2, 3)))
	require.Empty(t, Paired(figures(1, 2, 3), [][]Figure{{}, {}, {}}))
	never := Paired(figures(1, -1), figures(-1, 2))
	require.False(t, never[0].Claimed, "no round has both")
	require.Equal(t, 1.0, never[0].Difference.Median)
}

// TestClaimsByChance: where there is no difference, one is claimed no more often than promised. Twice as often is allowed here,
// which is 2.5 standard deviations.
func TestClaimsByChance(t *testing.T) {
	const experiments = 120
	r := rand.New(rand.NewPCG(7, 7))
	drawn := func(n int) (rounds [][]Figure) {
		for range n {
			rounds = append(rounds, figures(r.ExpFloat64())...)
		}
		return rounds
	}
	paired, unpaired, blocks := 0, 0, 0
	for range experiments {
		a, b := drawn(8), drawn(8)
		if Paired(a, b)[0].Claimed {
			paired++
		}
		if Unpaired(a, b)[0].Claimed {
			unpaired++
		}
		p := blockPair{a: stalling(r), b: stalling(r), n: 10}
		if p.contrast("x", 50).Claimed {
			blocks++
		}
	}
	for name, claims := range map[string]int{"paired": paired, "unpaired": unpaired, "blocks": blocks} {
		require.LessOrEqual(t, claims, experiments/10, name)
	}
}

// stalling draws ten blocks of durations that have something in common within each block.
func stalling(r *rand.Rand) (list []inBlock) {
	for block := range 10 {
		shared := r.ExpFloat64() / 2
		for range 20 {
			list = append(list, inBlock{time.Duration((1 + shared + r.ExpFloat64()) * float64(msec)), block})
		}
	}
	sortBlocks(list)
	return list
}

// steadyRun loads 10 s with reads and writes that take a few milliseconds, and slow longer for one operation.
func steadyRun(seed uint64, op string, slow time.Duration) *history.History {
	r := newRun("async")
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range 2000 {
		name := []string{"GetPost", "ListFeed", "CreatePost", "GetPost"}[i%4]
		r.do(name, 1000+i*5, 0)
		o := r.h.Operations[i]
		o.Completed = o.Intended + time.Duration((2+random.ExpFloat64())*float64(msec))
		if name == op {
			o.Completed += slow
		}
		if name == "CreatePost" {
			about(history.Post, string(rune(i)), 1)(o)
			r.h.Effects = append(r.h.Effects, history.Effect{Aggregate: history.Post, ID: o.ID, Version: 1, At: o.Completed + 3*msec})
		}
	}
	return r.h
}

func claimed(contrasts []Contrast) (names []string) {
	for _, c := range contrasts {
		if c.Claimed {
			names = append(names, c.Figure)
		}
	}
	return names
}

func TestBlocks(t *testing.T) {
	base := steadyRun(1, "", 0)
	require.Empty(t, claimed(Blocks(base, base)), "a run differs from itself")
	slower := Blocks(base, steadyRun(2, "GetPost", 20*msec))
	require.Equal(t, []string{"GetPost, latency p50", "GetPost, latency p99"}, claimed(slower))
	require.InDelta(t, 20, slower[len(slower)-4].Difference.Median, 1)
	require.Contains(t, claimed(Blocks(base, steadyRun(2, "CreatePost", 20*msec))), "CreatePost, TTE p99")
	faster := Blocks(steadyRun(2, "ListFeed", 20*msec), base)
	require.Equal(t, []string{"ListFeed, latency p50", "ListFeed, latency p99"}, claimed(faster))
	require.Less(t, *faster[len(faster)-1].Difference.High, -15.0)
}

func TestBlocksClaimNothingOfTooLittle(t *testing.T) {
	for name, spoil := range map[string]func(h *history.History){
		"few_blocks": func(h *history.History) { h.Header.Length = 5900 * msec },
		"few_operations": func(h *history.History) {
			h.Operations = h.Operations[:4]
		},
		"nothing_left": func(h *history.History) { h.Operations = nil },
		"no_answers": func(h *history.History) {
			for _, o := range h.Operations {
				unknown(o)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			base, slow := steadyRun(1, "", 0), steadyRun(2, "GetPost", 20*msec)
			spoil(base)
			spoil(slow)
			require.Empty(t, claimed(Blocks(base, slow)))
		})
	}
}

func TestFigures(t *testing.T) {
	r := broken("sync").do("CreatePost", 1000, 4, about(history.Post, "p", 1)).effect(history.Post, "p", 1, 1006).
		kill("posts", 10_200, 10_300, 10_400, 10_500, 10_600).kill("broker", 10_700, 0, 0, 0, 10_800)
	r.h.Faults[2].Absent = true
	report := Measure(r.h)
	values := map[string]*float64{}
	for _, f := range report.Figures() {
		require.NotContains(t, values, f.Name, "twice")
		values[f.Name] = f.Value
	}
	require.Equal(t, 4.0, *values["CreatePost, TTA p50"])
	require.Equal(t, 6.0, *values["CreatePost, TTE p99"])
	require.Equal(t, 2.0, *values["CreatePost, staleness p50"])
	require.Equal(t, 2.0, *values["GetVerdict, latency p99"])
	require.Equal(t, 50.0, *values["kill posts, availability"])
	require.Equal(t, 450.0, *values["kill posts, recovery"])
	require.Contains(t, values, "kill posts (2), drain")
	require.NotContains(t, values, "kill broker, availability")
}
