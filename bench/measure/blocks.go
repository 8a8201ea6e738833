package measure

import (
	"cmp"
	"slices"
	"time"

	"tandem/bench/history"
)

// blockLength is how much of a run's time is drawn at once. Operations that come soon after each other share their fate (a pause
// of the garbage collector, a flush of the disk), so drawing them one by one would make far too narrow intervals.
const blockLength = time.Second

// Blocks contrasts the percentiles of the steady windows of two runs of the same schedule, from one run each. Their intervals are
// those of a bootstrap over blocks of 1 s of intended time (non-overlapping, Carlstein 1986), the same blocks of both runs,
// expanded for few blocks as in Estimate. A claim needs LeastRounds blocks, and as many operations in both runs as the percentile
// needs to lie below the largest of them with 95 % confidence. What it says is that the two runs differ: whether the machine or a
// setting made them, only more rounds can tell.
func Blocks(a, b *history.History) []Contrast {
	inA, inB := newSubject(a), newSubject(b)
	n := int(min(inA.steady.length(), inB.steady.length()) / blockLength)
	all := []Contrast{}
	for _, op := range inA.ops {
		ofA, ofB := inA.blocked(op, n), inB.blocked(op, n)
		for i := range ofA {
			p := blockPair{a: ofA[i].durations, b: ofB[i].durations, n: n}
			for _, percent := range ofA[i].percents {
				if len(p.a) > 0 && len(p.b) > 0 {
					all = append(all, p.contrast(percentileName(op, ofA[i].name, percent), percent))
				}
			}
		}
	}
	return all
}

// inBlock is a duration, and the block in which its operation was intended.
type inBlock struct {
	duration time.Duration
	block    int
}

// blockedMeasure is one measure of an operation, its durations ascending.
type blockedMeasure struct {
	name      string
	percents  []float64
	durations []inBlock
}

// blocked returns the measures of an operation over the first n blocks; its last block holds the rest of the steady window.
func (s *subject) blocked(op string, n int) []blockedMeasure {
	var answer, effect, staleness []inBlock
	m := Op{Op: op, Write: history.IsWrite(op)}
	for _, o := range s.in(s.steady) {
		if o.Op != op || o.Outcome != history.OK || n == 0 {
			continue
		}
		block := min(int((o.Intended-s.start)/blockLength), n-1)
		one := s.sample(&m, o)
		answer, effect = inThe(answer, block, one.answer), inThe(effect, block, one.effect)
		staleness = inThe(staleness, block, one.staleness)
	}
	all := []blockedMeasure{{"latency", []float64{50, 99}, answer}}
	if m.Write {
		all = []blockedMeasure{{"TTA", []float64{50, 99}, answer}, {"TTE", []float64{50, 99}, effect}, {"staleness", []float64{50}, staleness}}
	}
	for _, measure := range all {
		sortBlocks(measure.durations)
	}
	return all
}

func sortBlocks(list []inBlock) {
	slices.SortFunc(list, func(a, b inBlock) int { return cmp.Compare(a.duration, b.duration) })
}

func inThe(list []inBlock, block int, durations []time.Duration) []inBlock {
	for _, d := range durations {
		list = append(list, inBlock{max(0, d), block})
	}
	return list
}

// blockPair is one measure in two runs.
type blockPair struct {
	a, b []inBlock
	n    int // blocks
}

func (p *blockPair) contrast(name string, percent float64) Contrast {
	whole := make([]int, p.n)
	for i := range whole {
		whole[i] = 1
	}
	valueA, valueB := weighted(p.a, whole, percent, 0), weighted(p.b, whole, percent, 0)
	c := Contrast{
		Figure: name, Unit: "ms", LessIsBetter: true,
		A: Estimate{Median: valueA, Values: []*float64{&valueA}}, B: Estimate{Median: valueB, Values: []*float64{&valueB}},
		Difference: Estimate{Median: valueB - valueA, Values: []*float64{new(valueB - valueA)}},
	}
	if p.n >= LeastRounds && supported(len(p.a), percent) && supported(len(p.b), percent) {
		p.addIntervals(&c, percent)
	}
	c.Claimed = c.Difference.leavesOutZero()
	return c
}

// addIntervals draws blocks, and takes the percentile of what is in them. A draw without operations of a run says nothing new of it.
func (p *blockPair) addIntervals(c *Contrast, percent float64) {
	r, weights := newRand(), make([]int, p.n)
	ofA, ofB, differences := make([]float64, resamples), make([]float64, resamples), make([]float64, resamples)
	for i := range resamples {
		clear(weights)
		for range p.n {
			weights[r.IntN(p.n)]++
		}
		ofA[i], ofB[i] = weighted(p.a, weights, percent, c.A.Median), weighted(p.b, weights, percent, c.B.Median)
		differences[i] = ofB[i] - ofA[i]
	}
	c.A.Low, c.A.High = interval(p.n, ofA)
	c.B.Low, c.B.High = interval(p.n, ofB)
	c.Difference.Low, c.Difference.High = interval(p.n, differences)
}

// weighted is a percentile in milliseconds of ascending durations that count as often as their block was drawn, or otherwise if
// none does.
func weighted(durations []inBlock, weights []int, percent, otherwise float64) float64 {
	total := 0
	for _, d := range durations {
		total += weights[d.block]
	}
	left := rank(total, percent)
	for _, d := range durations {
		if left -= weights[d.block]; left <= 0 {
			return ms(d.duration)
		}
	}
	return otherwise
}
