// Package ladder sets the protection levels of a stack side by side: what each one buys and costs in the same experiment, and where
// it is worse than the one below it. It knows figures, and not how they came about.
package ladder

import (
	"math"
	"slices"
	"strings"

	"tandem/bench/check"
	"tandem/bench/fault"
	"tandem/bench/measure"
	"tandem/bench/report"
)

// Rung is one stack at one level in one scenario.
type Rung struct {
	Scenario string        `json:"scenario"`
	Stack    string        `json:"stack"`
	Level    string        `json:"level"`
	Folder   string        `json:"folder"`
	Verdict  check.Verdict `json:"verdict"`
	Reasons  []string      `json:"reasons,omitempty"`
	// OK of Intended operations that matter succeeded during the faults; Degraded of these were less than asked for, and said so.
	OK       int `json:"ok"`
	Intended int `json:"intended"`
	Degraded int `json:"degraded"`
	// WaitMS is the p99 of how long users waited during the faults for any answer, of the operation that matters and has the longest;
	// null if none was due.
	WaitMS *float64 `json:"wait_p99_ms"`
	// RPCs are the calls for each operation during the faults, if these leave the services able to tell (errors and slow calls), otherwise
	// those before any fault; 0 if they were not counted. Messages are those before any fault.
	RPCs     float64 `json:"rpcs_per_operation"`
	Messages float64 `json:"messages_per_operation"`
	// Lost and Duplicated are writes, Drift counters.
	Lost       int `json:"lost"`
	Duplicated int `json:"duplicated"`
	// RecoveryMS is the longest of all faults; null if the stack did not recover from one, or had no fault.
	RecoveryMS *float64 `json:"recovery_ms"`
	// Worse names the columns in which the level is worse than the one below it, beyond noise.
	Worse []string `json:"worse,omitempty"`
}

// The columns.
const (
	available  = "OK %"
	wait       = "p99 wait"
	rpcs       = "RPCs/op"
	messages   = "msgs/op"
	degraded   = "degraded"
	lost       = "lost"
	duplicated = "doubled"
	recovery   = "recovery"
)

// New computes a rung from what was found out about a stack. ops are the operations that matter.
func New(scenario, level, folder string, ops []string, s report.Stack) Rung {
	r := Rung{
		Scenario: scenario, Stack: s.Stack, Level: level, Folder: folder, Verdict: s.Check.Verdict, Reasons: s.Check.Reasons,
		RPCs: s.Cost.RPCs, Messages: s.Cost.Messages,
	}
	if s.Cost.RPCsInFaults > 0 {
		r.RPCs = s.Cost.RPCsInFaults
	}
	f := s.Check.Figures
	r.Lost = f.Lost.Store.Count + f.Lost.ReadModel.Count + f.Lost.Log.Count
	r.Duplicated = f.Duplicated.Store.Count + f.Duplicated.ReadModel.Count + f.CounterDrift.Count
	for _, one := range s.Figures.Faults {
		r.addFault(one, ops)
	}
	r.RecoveryMS = longestRecovery(s.Figures.Faults)
	return r
}

func (r *Rung) addFault(f measure.Fault, ops []string) {
	for _, w := range f.Ops {
		if !slices.Contains(ops, w.Op) {
			continue
		}
		r.OK, r.Intended, r.Degraded = r.OK+w.During.OK, r.Intended+w.During.Intended, r.Degraded+w.During.Degraded
		if w.Times == nil || w.Times.During.Answer == nil {
			continue
		}
		if p99 := w.Times.During.Answer.P99; r.WaitMS == nil || p99 > *r.WaitMS {
			r.WaitMS = &p99
		}
	}
}

// longestRecovery is null if one of the faults was not recovered from.
func longestRecovery(faults []measure.Fault) (longest *float64) {
	for _, f := range faults {
		switch {
		case f.Absent:
		case f.RecoveryMS == nil:
			return nil
		case longest == nil || *f.RecoveryMS > *longest:
			longest = f.RecoveryMS
		}
	}
	return longest
}

// Mattering are the operations that a fault is about: of a part, those that need it in sync and another one too, because no level protects
// those that its users ask of it alone; of a link from one part to another, those that need both; of anything else (the broker, a topic, all
// services) all of them. If there are none of these, it is whatever needs the part.
func Mattering(faults []fault.Spec, ops []string) []string {
	var matter, chained []string
	for _, op := range ops {
		if !slices.ContainsFunc(faults, func(f fault.Spec) bool { return concerns(f.Victim, op) }) {
			continue
		}
		matter = append(matter, op)
		if needs, _ := measure.Needs("sync", "", op); len(needs) > 1 || !slices.ContainsFunc(faults, ofService) {
			chained = append(chained, op)
		}
	}
	if len(chained) > 0 {
		return chained
	}
	return matter
}

// ofService tells whether a fault is that of one service.
func ofService(f fault.Spec) bool { return slices.Contains(services(), f.Victim) }

func services() []string {
	return []string{"posts", "comments", "moderation", "subscriptions", "query"}
}

func concerns(victim, op string) bool {
	needs, _ := measure.Needs("sync", "", op)
	for part := range strings.SplitSeq(victim, "->") {
		if slices.Contains(services(), part) && !slices.Contains(needs, part) {
			return false
		}
	}
	return true
}

// What is noise. One run has no interval of its own, so these bounds are wide: a cell that is marked is worth a look, and one that is not
// may still be worse.
const (
	certain     = 2.58 // standard deviations: 1 of 100 by chance
	leastShare  = 0.02 // of the operations that matter
	timesLonger = 1.5
	leastMS     = 100
	timesMore   = 1.2 // RPCs and messages, which are counts of thousands
)

// Mark marks where each rung of a stack is worse than the one before it. The order is that of the ladder. Degraded answers are not
// judged: they stand in place of failures.
func Mark(rungs []Rung) {
	for i := 1; i < len(rungs); i++ {
		if rungs[i].Scenario == rungs[i-1].Scenario && rungs[i].Stack == rungs[i-1].Stack {
			rungs[i].Worse = rungs[i].worseThan(rungs[i-1])
		}
	}
}

func (r Rung) worseThan(below Rung) (columns []string) {
	for _, c := range []struct {
		name string
		bad  bool
	}{
		{available, lessAvailable(r, below)},
		{wait, longer(r.WaitMS, below.WaitMS)},
		{rpcs, more(r.RPCs, below.RPCs)},
		{messages, more(r.Messages, below.Messages)},
		{lost, moreOf(r.Lost, below.Lost)},
		{duplicated, moreOf(r.Duplicated, below.Duplicated)},
		{recovery, longer(r.RecoveryMS, below.RecoveryMS) || r.RecoveryMS == nil && below.RecoveryMS != nil},
	} {
		if c.bad {
			columns = append(columns, c.name)
		}
	}
	return columns
}

// lessAvailable is the two-proportion z-test, and a difference that somebody would notice.
func lessAvailable(r, below Rung) bool {
	if r.Intended == 0 || below.Intended == 0 {
		return false
	}
	n, m := float64(r.Intended), float64(below.Intended)
	difference := float64(below.OK)/m - float64(r.OK)/n
	pooled := float64(r.OK+below.OK) / (n + m)
	return difference > leastShare && difference > certain*math.Sqrt(pooled*(1-pooled)*(1/n+1/m))
}

func longer(a, b *float64) bool {
	return a != nil && b != nil && *a > timesLonger**b && *a > *b+leastMS
}

func more(a, b float64) bool { return a > 0 && b > 0 && a > timesMore*b }

// moreOf compares counts of rare events, whose standard deviation is the root of their number.
func moreOf(a, b int) bool { return float64(a) > float64(b)+certain*math.Sqrt(float64(b)) }
