package measure

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/aclements/go-moremath/stats"
)

// significance is how often a difference may be claimed where there is none: one time in 20, for each figure.
const significance = 1 - confidence

// LeastRounds is how many rounds a claim needs. That all of n pairs differ in one direction happens by chance with probability
// 2·½ⁿ (the sign test; Conover, Practical Nonparametric Statistics, 3.4), which is below 5 % from n = 6 on: whoever claims more of
// fewer rounds assumes to know how they are distributed. For the same reason benchstat gives no interval below 6.
const LeastRounds = 6

// Contrast sets one figure of two sides beside each other: sync and async of one run, or one stack of two runs.
type Contrast struct {
	Stack  string   `json:"stack,omitempty"` // of which both sides are; empty if the sides are the stacks
	Figure string   `json:"figure"`          // for example "CreateComment, TTA p50"
	Unit   string   `json:"unit"`            // "ms", "%", "" ...
	A      Estimate `json:"a"`
	B      Estimate `json:"b"`
	// Difference is B − A. In a run with several rounds it is taken round by round.
	Difference Estimate `json:"difference"`
	// Claimed tells whether the interval of the difference leaves out 0, and, over rounds, a test that assumes no distribution says
	// the same at 5 %. (Over blocks the interval decides alone.) What is not claimed must not be said. Of figures that do not differ, up to one in 20 may be claimed by chance.
	Claimed bool `json:"claimed"`
	// LessIsBetter tells what the sign means.
	LessIsBetter bool `json:"less_is_better"`
}

// Paired contrasts the figures of two sides over rounds: a and b hold those of each round, in the same order. The difference is
// taken within each round, so what the machine does to a whole round hurts no comparison. A claim needs LeastRounds pairs, and
// the sign test.
func Paired(a, b [][]Figure) []Contrast {
	return contrasts(a, b, func(a, b []*float64) (Estimate, bool) {
		differences := make([]*float64, len(a))
		for i := range a {
			if a[i] != nil && b[i] != nil {
				differences[i] = new(*b[i] - *a[i])
			}
		}
		known := knownOf(differences)
		if len(known) == 0 { // no round has both
			return Estimate{Median: median(knownOf(b)) - median(knownOf(a)), Values: differences}, false
		}
		return estimate(differences), signTest(known) < significance
	})
}

// Unpaired contrasts the figures of two runs over their rounds, which have nothing to do with each other. The difference is that
// of the medians. A claim needs LeastRounds rounds in each, and the test of Mann and Whitney, which is exact for so few.
func Unpaired(a, b [][]Figure) []Contrast {
	return contrasts(a, b, func(a, b []*float64) (Estimate, bool) {
		ofA, ofB := knownOf(a), knownOf(b)
		e := Estimate{Median: median(ofB) - median(ofA), Values: []*float64{}}
		least := min(len(ofA), len(ofB))
		if least >= leastForInterval {
			drawA, drawB := resampler(ofA), resampler(ofB)
			e.Low, e.High = bootstrap(least, func(r *rand.Rand) float64 { return drawB(r) - drawA(r) })
		}
		if least < LeastRounds {
			return e, false
		}
		test, err := stats.MannWhitneyUTest(ofA, ofB, stats.LocationDiffers)
		return e, err == nil && test.P < significance // an error: all values are the same
	})
}

// contrasts puts the figures of two sides together. One that either side never has is left out: there is nothing beside it.
func contrasts(a, b [][]Figure, differ func(a, b []*float64) (Estimate, bool)) []Contrast {
	figures, ofA := collect(a)
	_, ofB := collect(b)
	all := []Contrast{}
	for _, f := range figures {
		valuesA, valuesB := ofA[f.Name], ofB[f.Name]
		if len(knownOf(valuesA)) == 0 || len(knownOf(valuesB)) == 0 {
			continue
		}
		difference, tested := differ(valuesA, valuesB)
		all = append(all, Contrast{
			Figure: f.Name, Unit: f.Unit, LessIsBetter: f.LessIsBetter,
			A: estimate(valuesA), B: estimate(valuesB), Difference: difference, Claimed: tested && difference.leavesOutZero(),
		})
	}
	return all
}

// collect returns the figures in their order, and the value of each in each round.
func collect(rounds [][]Figure) (figures []Figure, values map[string][]*float64) {
	values = map[string][]*float64{}
	for i, round := range rounds {
		for _, f := range round {
			if values[f.Name] == nil {
				figures, values[f.Name] = append(figures, f), make([]*float64, len(rounds))
			}
			values[f.Name][i] = f.Value
		}
	}
	return figures, values
}

// signTest is the two-sided probability that so many of the differences, or more, have one sign by chance. Those of 0 have none,
// and speak against a difference.
func signTest(differences []float64) float64 {
	n := len(differences)
	up := len(slices.DeleteFunc(slices.Clone(differences), func(d float64) bool { return d <= 0 }))
	down := len(slices.DeleteFunc(slices.Clone(differences), func(d float64) bool { return d >= 0 }))
	p, ways := 0.0, 1.0 // ways to choose k of n
	for k := range n - max(up, down) + 1 {
		p += ways / math.Pow(2, float64(n))
		ways *= float64(n-k) / float64(k+1)
	}
	return min(1, 2*p)
}
