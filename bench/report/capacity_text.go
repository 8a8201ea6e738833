package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"tandem/bench/capacity"
	"tandem/bench/measure"
)

// Print writes the answer, and the steps of each search with its knee drawn.
func (c *Capacity) Print(w io.Writer) error {
	parts := []string{c.answer()}
	for _, s := range c.Stacks {
		for n := range s.Searches {
			parts = append(parts, c.stepTable(s, n))
		}
	}
	_, err := lipgloss.Fprintln(w, strings.Join(parts, "\n\n"))
	return err
}

// answer says what each stack holds, and what kept it or the search from more.
func (c *Capacity) answer() string {
	lines := []string{title("Capacity")}
	for _, s := range c.Stacks {
		lines = append(lines, "  "+wrapped(s.sentence(), "    "))
		if reason := s.reason(c.Settings.Plan); reason != "" {
			lines = append(lines, "    "+wrapped(reason, "    "))
		}
	}
	for _, x := range c.Contrasts {
		lines = append(lines, "  "+wrapped(contrastSentence(x), "    "))
	}
	return strings.Join(append(lines, "  "+wrapped(dim().Render(promise(c.Settings.Plan)), "    ")), "\n")
}

// sentence is the answer for one stack.
func (s *StackCapacity) sentence() string {
	if s.Rate == nil {
		return s.Stack + ": no rate was held."
	}
	least := ""
	if !s.Known {
		least = "at least "
	}
	text := fmt.Sprintf("%s holds %s%s operations a second", s.Stack, least, perSecond(s.Rate.Median))
	if n := len(s.Searches); n > 1 {
		text += fmt.Sprintf(" (median of %d searches, %s to %s%s)", n, perSecond(slices.Min(s.rates())), perSecond(slices.Max(s.rates())), interval(*s.Rate))
	}
	return text + "."
}

func interval(e measure.Estimate) string {
	if e.Low == nil || e.High == nil {
		return ""
	}
	return fmt.Sprintf("; 95 %% interval %s to %s", perSecond(*e.Low), perSecond(*e.High))
}

// reason says why the first search that is not like it should be, or else the first one, did not find more.
func (s *StackCapacity) reason(p capacity.Plan) string {
	r := s.Searches[max(0, slices.IndexFunc(s.Searches, func(r capacity.Result) bool { return !r.Known() }))]
	why := ""
	if step := firstMiss(r); step != nil {
		why = fmt.Sprintf(" At %s: %s", perSecond(step.Offered), strings.Join(step.Reasons, " "))
	}
	switch r.Limit {
	case capacity.LimitGenerator:
		return "The generator was the limit, so this is not the stack's capacity." + why
	case capacity.LimitOthers:
		return "Other programs were the limit, so this is not the stack's capacity." + why
	case capacity.LimitMost:
		return fmt.Sprintf("%s is the highest rate that may be tried: allow more with --most.", perSecond(p.Bounds.Most))
	case capacity.LimitLeast:
		return fmt.Sprintf("%s is the lowest rate that may be tried: allow less with --least, or ask for less with --objective.", perSecond(p.Bounds.Least)) + why
	case capacity.LimitCut:
		return "The search ended before it was known: allow more with --time or --steps, or begin elsewhere with --start." + why
	}
	if r.Coarse {
		return "The search ended before the rates that were held and missed were close: see the steps." + why
	}
	return strings.TrimSpace(why)
}

// firstMiss is a step at the lowest rate that was missed, or nil.
func firstMiss(r capacity.Result) *capacity.Step {
	if r.Misses == nil {
		return nil
	}
	for i := range r.Steps {
		if s := &r.Steps[i]; s.Offered == *r.Misses && s.Outcome != capacity.Held {
			return s
		}
	}
	return nil
}

func contrastSentence(x measure.Contrast) string {
	if !x.Claimed {
		return "The searches do not tell the two apart."
	}
	more, other := "async", "sync"
	if x.Difference.Median < 0 {
		more, other = other, more
	}
	return fmt.Sprintf("%s holds more than %s, by %s operations a second.", more, other, perSecond(math.Abs(x.Difference.Median)))
}

// promise is what it means to hold a rate.
func promise(p capacity.Plan) string {
	o := p.Objective
	text := fmt.Sprintf("Held: over %v, p99 of the answers at most %v from the intended send, at least %g %% OK within %v, and everything shows within %v after the load",
		p.Length, o.P99, 100*o.Availability, p.Deadline, o.Drain)
	if o.TTE > 0 {
		text += fmt.Sprintf("; time to effect at most %v at p99", o.TTE)
	}
	return text + "."
}

// stepTable is the steps of a search by rising rate, so that the knee can be seen.
func (c *Capacity) stepTable(s StackCapacity, n int) string {
	r := s.Searches[n]
	heading := "Steps of " + s.Stack
	if len(s.Searches) > 1 {
		heading += fmt.Sprintf(", search %d of %d", n+1, len(s.Searches))
	}
	t := table{lead: []string{"step"}, heads: stepHeads(), stacks: []string{""}}
	for _, i := range byRate(r.Steps) {
		t.add([]string{fmt.Sprint(i + 1)}, append(stepCells(r.Steps[i]), p99Bar(r.Steps[i], c.Settings.Plan.Objective.P99), mean(r.Steps[i].Outcome)))
	}
	head := append(slices.Clone(t.lead), t.heads...)
	widths := t.widths(head)
	lines := []string{title(heading), dim().Render(t.line(head, widths))}
	for _, row := range t.rows {
		line := t.line(row, widths)
		if knee(row, r) {
			line = lipgloss.NewStyle().Bold(true).Render(line)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// knee tells whether a row is of the highest rate that was held.
func knee(row []string, r capacity.Result) bool {
	return r.Holds != nil && row[1] == perSecond(*r.Holds) && row[len(row)-1] == mean(capacity.Held)
}

// byRate are the steps' places by rising rate.
func byRate(steps []capacity.Step) []int {
	places := make([]int, len(steps))
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(steps[a].Offered, steps[b].Offered) })
	return places
}

func stepHeads() []string {
	return []string{"offered/s", "OK/s", "OK %", "p50 ms", "p99 ms", "TTE p99", "drained", "late %", "own CPU", "p99, log scale", ""}
}

// stepCells are the figures of a step, in the order of stepHeads.
func stepCells(s capacity.Step) []string {
	drained := none
	if s.DrainMS != nil {
		drained = duration(time.Duration(*s.DrainMS * float64(time.Millisecond)))
	}
	own := none
	if g := s.Load.Generator; g != nil {
		own = fmt.Sprintf("%.2f", g.CPUShare*float64(g.Cores))
	}
	return []string{
		perSecond(s.Offered), perSecond(s.AchievedRate), share(measure.Availability{Share: &s.Availability}), at(s.Answer, 50), at(s.Answer, 99),
		at(s.TTE, 99), drained, fmt.Sprintf("%.1f", 100*float64(s.Load.Late+s.Load.Dropped)/float64(max(1, s.Operations))), own,
	}
}

// at is the p50 or the p99 of a distribution.
func at(p *measure.Percentiles, percent int) string {
	switch {
	case p == nil:
		return none
	case percent == 50:
		return millis(p.P50)
	}
	return millis(p.P99)
}

// The bars of p99 are from 0.1 ms to 10 s, four characters for each factor of ten.
const (
	barFrom    = 0.1
	barDecade  = 4
	barDecades = 5
)

// p99Bar draws p99 beside the bound that it must keep.
func p99Bar(s capacity.Step, bound time.Duration) string {
	length := barDecade * barDecades // nothing was answered
	if s.Answer != nil {
		length = barLength(s.Answer.P99)
	}
	line := []rune(strings.Repeat("█", length) + strings.Repeat(" ", barDecade*barDecades-length))
	if at := barLength(float64(bound) / float64(time.Millisecond)); at < len(line) {
		line[at] = '│'
	}
	return string(line)
}

func barLength(ms float64) int {
	return min(barDecade*barDecades, max(0, int(math.Round(barDecade*math.Log10(max(ms, barFrom)/barFrom)))))
}

// mean says what a step showed: who stood in the way of the rate, if it was not held.
func mean(o capacity.Outcome) string {
	switch o {
	case capacity.Generator:
		return "generator?"
	case capacity.Others:
		return "others?"
	}
	return string(o)
}

// perSecond is a number of operations a second.
func perSecond(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.3g", v)
	}
	text := fmt.Sprintf("%.0f", v)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
