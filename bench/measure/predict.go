package measure

import (
	"math"
	"slices"
	"time"

	"tandem/bench/history"
)

// call is one service that another one calls for an operation.
type call struct {
	service string
	times   int  // how often, all at the same time
	spared  bool // at sync's level fallback the operation does without it
}

// recipe is how an operation is made: the service that its user calls, and what that one calls, stage after stage. The calls of a stage
// are under way together.
type recipe struct {
	first  string
	stages [][]call
}

// feedPosts is how many posts the laboratory's users ask for on a page of the feed.
const feedPosts = 10

// recipes are those of the operations of sync that more than one service makes, as the services' outbound.go have them. GetPostPage asks
// for the followers when it has the post, and for the comments beside both.
func recipes() map[string]recipe {
	posts := call{service: "posts", times: 1}
	return map[string]recipe{
		"DeletePost":    {"posts", [][]call{{{service: "comments", times: 1}}}},
		"CreateComment": {"comments", [][]call{{posts}, {{"moderation", 1, true}}}},
		"GetPostPage":   {"query", [][]call{{posts, {"comments", 1, true}}, {{"subscriptions", 1, true}}}},
		"ListFeed":      {"query", [][]call{{posts}, {{"comments", feedPosts, true}, {"subscriptions", feedPosts, true}}}},
		"GetAuthorPage": {"query", [][]call{{posts, {"subscriptions", 1, true}}}},
	}
}

// recipeOf returns how an operation is made; false if nobody knows.
func (s *subject) recipeOf(op string) (r recipe, known bool) {
	needed, known := Needs(s.h.Header.Stack, "", op)
	if !known {
		return recipe{}, false
	}
	if len(needed) == 1 {
		return recipe{first: needed[0]}, true
	}
	r, known = recipes()[op]
	return r, known
}

// What retries do in sync; see docs/design.md.
const (
	attempts      = 4
	budgetEarnsIt = 0.1 // of a token for each success; a failure costs one
)

// span is a figure with its 95 % interval.
type span struct{ low, value, high float64 }

func exactly(v float64) span { return span{v, v, v} }

// each applies a function that rises.
func (a span) each(f func(float64) float64) span { return span{f(a.low), f(a.value), f(a.high)} }

func (a span) times(b span) span { return span{a.low * b.low, a.value * b.value, a.high * b.high} }
func (a span) plus(b span) span  { return span{a.low + b.low, a.value + b.value, a.high + b.high} }
func (a span) apart(b span) bool { return a.low > b.high || b.low > a.high }

func (a span) longer(b span) span {
	return span{max(a.low, b.low), max(a.value, b.value), max(a.high, b.high)}
}

// wilson is a share with Wilson's interval.
func wilson(ok, n int) span {
	p, m := float64(ok)/float64(n), float64(n)
	const z = 1.96
	middle := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return span{max(0, min(p, middle-half)), p, min(1, max(p, middle+half))}
}

// quantile is that of sorted times, in ms, with the interval that their order gives.
func quantile(sorted []time.Duration, q float64) span {
	n := float64(len(sorted))
	half := 1.96 * math.Sqrt(n*q*(1-q))
	at := func(rank float64) float64 { return ms(sorted[min(max(int(math.Ceil(rank)), 1), len(sorted))-1]) }
	return span{at(n*q - half), at(n * q), at(n*q + half)}
}

// single is what was measured of one service alone, in a window: by the operations that need no other.
type single struct {
	ok, intended int
	times        []time.Duration // of the OK ones, ascending
}

// singleOf measures a service by all operations that need it alone, but for the one that is to be predicted.
func (s *subject) singleOf(service, without string, w window) (m single) {
	for _, o := range s.in(w) {
		needed, _ := Needs(s.h.Header.Stack, "", o.Op)
		if o.Op == without || len(needed) != 1 || needed[0] != service {
			continue
		}
		m.intended++
		if s.available(o) {
			m.ok++
			m.times = append(m.times, latency(o))
		}
	}
	m.times = ascending(m.times)
	return m
}

// availability is what a service did. One that answers everything, and is not what the fault hurts, is taken as well: a prediction that
// doubts all services could not be wrong about a page with twenty calls.
func (p *prediction) availability(service string, m single) span {
	if m.ok == m.intended && p.fault.Victim != service && p.fault.Victim != "" {
		return exactly(1)
	}
	return wilson(m.ok, m.intended)
}

// prediction composes what single services did into what an operation should have done.
type prediction struct {
	s     *subject
	op    string
	fault history.Fault
	w     window

	available span
	took      span // p50, ms
	timed     bool // took is known: every service that is needed answered something
}

// predict predicts an operation during a fault; false if the services were not measured on their own.
func (s *subject) predict(op string, f history.Fault, w window) (p prediction, ok bool) {
	p = prediction{s: s, op: op, fault: f, w: w, available: exactly(1), timed: true}
	r, known := s.recipeOf(op)
	if !known || !p.addFirst(r) {
		return p, false
	}
	for _, stage := range r.stages {
		if !p.addStage(r.first, stage) {
			return p, false
		}
	}
	if p.timed && p.took.value > ms(s.h.Header.Deadline) {
		p.available = exactly(0)
	}
	return p, true
}

// addFirst adds the service that the user calls. Sync's query owns nothing, so nothing tells of it alone: its part is taken to be that of
// the quickest service, and to be well unless the fault is its own.
func (p *prediction) addFirst(r recipe) bool {
	if r.first == "query" && len(r.stages) > 0 {
		p.took = p.quickest()
		return p.fault.Victim != "query"
	}
	m := p.s.singleOf(r.first, p.op, p.w)
	if m.intended < surpriseAtLeast {
		return false
	}
	p.available = p.availability(r.first, m)
	if p.timed = len(m.times) > 0; p.timed {
		p.took = quantile(m.times, 0.5)
	}
	return true
}

// quickest is the time of the quickest single service.
func (p *prediction) quickest() (least span) {
	for _, service := range []string{"posts", "comments", "moderation", "subscriptions"} {
		m := p.s.singleOf(service, p.op, p.w)
		if len(m.times) == 0 {
			continue
		}
		if t := quantile(m.times, 0.5); least.value == 0 || t.value < least.value {
			least = t
		}
	}
	return least
}

// addStage adds calls that are under way together: all must succeed, and the slowest decides.
func (p *prediction) addStage(caller string, stage []call) bool {
	longest := span{}
	for _, c := range stage {
		if c.spared && p.s.h.Header.Level == "fallback" {
			continue
		}
		m := p.s.singleOf(c.service, p.op, p.w)
		if m.intended < surpriseAtLeast {
			return false
		}
		delay := 0.0
		if p.fault.Victim == caller+"->"+c.service {
			delay = ms(p.fault.Delay)
		}
		if p.cuts(caller, c.service) {
			p.available = exactly(0)
		}
		one := p.availability(c.service, m).each(p.withRetries)
		p.available = p.available.times(one.each(func(a float64) float64 { return math.Pow(a, float64(c.times)) }))
		if len(m.times) == 0 {
			p.timed = false
			continue
		}
		longest = longest.longer(quantile(m.times, math.Pow(0.5, 1/float64(c.times))).plus(exactly(delay)))
	}
	p.took = p.took.plus(longest)
	return true
}

// cuts tells whether the fault takes the link between two services away. Those are both well, and neither tells of it alone.
func (p *prediction) cuts(from, to string) bool {
	return p.fault.Name == "partition" && p.fault.Victim == from+"->"+to
}

// withRetries is the availability of a call that is tried again at the level of the run. A budget that failures use up faster than
// successes fill it allows no retries.
func (p *prediction) withRetries(a float64) float64 {
	switch level := p.s.h.Header.Level; {
	case p.s.h.Header.Stack != "sync" || level == "naive" || level == "deadline" || level == "":
		return a
	case level != "retry" && 1-a > budgetEarnsIt*a:
		return a
	}
	return 1 - math.Pow(1-a, attempts)
}

// leastLatencyMS is what a prediction may be off by: it knows no commits and no hops of its own.
const leastLatencyMS = 5

// addPrediction sets a cell beside what follows from the services on their own.
func (s *subject) addPrediction(c *Cell, f history.Fault, w window) {
	p, ok := s.predict(c.Op, f, w)
	if !ok || c.Availability == nil {
		return
	}
	measured := wilson(int(math.Round(*c.Availability*float64(c.Samples))), c.Samples)
	c.Predicted, c.PredictedLow, c.PredictedHigh = &p.available.value, &p.available.low, &p.available.high
	off := math.Abs(measured.value - p.available.value)
	c.Surprise = c.Samples >= surpriseAtLeast && off > surpriseAbove && measured.apart(p.available)
	var took []time.Duration
	for _, o := range s.in(w) {
		if o.Op == c.Op && s.available(o) {
			took = append(took, latency(o))
		}
	}
	if !p.timed || p.available.value == 0 || len(took) < surpriseAtLeast {
		return
	}
	slices.Sort(took)
	m := quantile(took, 0.5)
	c.P50MS, c.PredictedP50MS = &m.value, &p.took.value
	c.SlowSurprise = m.apart(p.took) && math.Abs(m.value-p.took.value) > leastLatencyMS
}
