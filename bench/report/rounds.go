package report

import (
	"fmt"
	"math"
	"strings"

	"tandem/bench/measure"
)

// roundsView sets the figures of several rounds beside each other.
type roundsView struct {
	Count     int
	Order     []string // the stacks of each round, as they ran
	Contrasts []contrastView
	Unclaimed int
	// TooFew says that so few rounds allow no claim at all; empty if they are enough.
	TooFew string
}

// contrastView is one figure of both sides with its interval, and whether a difference is claimed.
type contrastView struct {
	Figure, Unit     string
	A, B, Difference string
	Claimed          bool
	Says             string
	// Low, Median and High place the interval of the difference on a line of 0 to 100, with Zero in it. Without an interval
	// Drawn is false.
	Low, Width, Median, Zero int
	Drawn                    bool
}

func (r *Results) roundsView() *roundsView {
	if len(r.Rounds) < 2 && len(r.Contrasts) == 0 {
		return nil
	}
	v := &roundsView{Count: len(r.Rounds)}
	if v.Count < measure.LeastRounds {
		v.TooFew = fmt.Sprintf("%d rounds are not enough to claim a difference: it takes %d.", v.Count, measure.LeastRounds)
	}
	for _, round := range r.Rounds {
		var order []string
		for _, s := range round.Stacks {
			order = append(order, s.Stack)
		}
		v.Order = append(v.Order, strings.Join(order, ", "))
	}
	for _, c := range r.Contrasts {
		v.Contrasts = append(v.Contrasts, contrastOf(c))
		if !c.Claimed {
			v.Unclaimed++
		}
	}
	return v
}

func contrastOf(c measure.Contrast) contrastView {
	v := contrastView{
		Figure: c.Figure, Unit: c.Unit, A: estimate(c.A), B: estimate(c.B), Difference: estimate(c.Difference),
		Claimed: c.Claimed, Says: saysOf(c),
	}
	if c.Stack != "" {
		v.Figure = c.Stack + ": " + c.Figure
	}
	if c.Difference.Low != nil && c.Difference.High != nil {
		v.draw(*c.Difference.Low, c.Difference.Median, *c.Difference.High)
	}
	return v
}

// saysOf says what may be claimed: nothing, unless the interval leaves out 0.
func saysOf(c measure.Contrast) string {
	switch {
	case !c.Claimed:
		return "no difference claimed"
	case c.Difference.Median < 0 == c.LessIsBetter:
		return "async is better"
	}
	return "sync is better"
}

// margin is left free at both ends of the line.
const margin = 6

// draw places an interval on a line that holds 0 too.
func (v *contrastView) draw(low, median, high float64) {
	from, to := min(low, median, 0), max(high, median, 0)
	if from == to || math.IsInf(to-from, 0) || math.IsNaN(to-from) {
		return
	}
	at := func(x float64) int { return margin + int(math.Round((x-from)/(to-from)*(100-2*margin))) }
	v.Low, v.Width, v.Median, v.Zero, v.Drawn = at(low), max(1, at(high)-at(low)), at(median), at(0), true
}

// estimate is a median and, if there is one, its interval.
func estimate(e measure.Estimate) string {
	if e.Low == nil || e.High == nil {
		return signed(e.Median)
	}
	return fmt.Sprintf("%s (%s to %s)", signed(e.Median), signed(*e.Low), signed(*e.High))
}

// signed is a number with three digits that count.
func signed(v float64) string {
	text := fmt.Sprintf("%.3g", math.Abs(v))
	if math.Abs(v) >= 1000 {
		text = fmt.Sprintf("%.0f", math.Abs(v))
	}
	if v < 0 && text != "0" {
		return "−" + text
	}
	return text
}
