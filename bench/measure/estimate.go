package measure

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/aclements/go-moremath/stats"
)

// How intervals are computed.
const (
	resamples    = 10_000
	confidence   = 0.95
	estimateSeed = 20_261_125
	// leastForInterval is how many values an interval needs: of two any median is as likely as any other.
	leastForInterval = 3
)

// Estimate is one figure over several rounds of the same experiment: no round is left out as an outlier. Of a run with one round,
// where the figure is a percentile of operations, it is over blocks of the run's time; see Blocks.
type Estimate struct {
	Median float64 `json:"median"`
	// Low and High are the 95 % confidence interval of the median, by the percentile bootstrap (Efron and Tibshirani 1993), expanded
	// for few rounds (Hesterberg 2015), of 10,000 resamples with a seed of its own. With fewer than 3 rounds there is none, and both
	// are null.
	Low  *float64 `json:"low"`
	High *float64 `json:"high"`
	// Values are the figure of each round, in their order; null where a round does not have it.
	Values []*float64 `json:"values"`
}

// estimate computes the median of the values that are known, which must not be none, and its interval.
func estimate(values []*float64) Estimate {
	known := knownOf(values)
	e := Estimate{Median: median(known), Values: values}
	if len(known) >= leastForInterval {
		e.Low, e.High = bootstrap(len(known), resampler(known))
	}
	return e
}

// Over is the estimate of a figure that is known in each of some rounds, which must not be none.
func Over(values []float64) Estimate {
	known := make([]*float64, len(values))
	for i, v := range values {
		known[i] = new(v)
	}
	return estimate(known)
}

func knownOf(values []*float64) []float64 {
	var known []float64
	for _, v := range values {
		if v != nil {
			known = append(known, *v)
		}
	}
	return known
}

// bootstrap returns the interval of a figure of n things from what it is over resamples of them.
func bootstrap(n int, draw func(*rand.Rand) float64) (low, high *float64) {
	r := newRand()
	drawn := make([]float64, resamples)
	for i := range drawn {
		drawn[i] = draw(r)
	}
	return interval(n, drawn)
}

// newRand is where resamples come from: the same figures always have the same interval.
func newRand() *rand.Rand { return rand.New(rand.NewPCG(estimateSeed, 0)) } //nolint:gosec // no secret

// interval returns the 95 % interval of a figure of n things from its resamples, which it sorts. The middle 95 % of them would be
// too narrow for few things: of ten, they miss the truth one time in ten. So the interval is as much wider as Student's is than
// the normal one (the expanded percentile interval of Hesterberg, "What Teachers Should Know About the Bootstrap", 2015, 3.3).
func interval(n int, drawn []float64) (low, high *float64) {
	slices.Sort(drawn)
	t := -stats.InvCDF(stats.TDist{V: float64(n - 1)})((1-confidence)/2) * math.Sqrt(float64(n)/float64(n-1))
	tail := 100 * stats.StdNormal.CDF(-t)
	return new(drawn[rank(len(drawn), tail)-1]), new(drawn[rank(len(drawn), 100-tail)-1])
}

// resampler returns draws of the median of as many values as there are, each of them any number of times.
func resampler(values []float64) func(*rand.Rand) float64 {
	drawn := make([]float64, len(values))
	return func(r *rand.Rand) float64 {
		for i := range drawn {
			drawn[i] = values[r.IntN(len(values))]
		}
		slices.Sort(drawn)
		return middle(drawn)
	}
}

// median is the middle value, or the mean of the two in the middle.
func median(values []float64) float64 { return middle(slices.Sorted(slices.Values(values))) }

func middle(sorted []float64) float64 {
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// leavesOutZero tells whether an estimate has an interval, and 0 is not in it.
func (e Estimate) leavesOutZero() bool {
	return e.Low != nil && e.High != nil && (*e.Low > 0 || *e.High < 0)
}
