package main

import (
	"slices"
	"time"

	"tandem/bench/history"
)

// percents are the percentiles that are compared: those that ghz prints of 50 and above, but for 75 and 95.
func percents() []int { return []int{50, 90, 99} }

// turn is what one generator saw in one round.
type turn struct {
	Count  int `json:"count"` // operations sent
	Failed int `json:"failed"`
	// Call are the percentiles of the calls themselves, from the moment a call was made: what ghz measures. Intended are those from
	// the moment at which the schedule wanted it made, which ghz does not know of.
	Call     map[int]time.Duration `json:"call_ns"`
	Intended map[int]time.Duration `json:"intended_ns,omitempty"`
	CPU      time.Duration         `json:"cpu_ns"` // user and system time of the whole process
}

// turnOf sums up what the laboratory's generator saw. What failed is in no percentile, as with ghz.
func turnOf(ops []*history.Operation) turn {
	t := turn{Count: len(ops)}
	var calls, intended []time.Duration
	for _, o := range ops {
		if o.Outcome != history.OK {
			t.Failed++
			continue
		}
		calls = append(calls, o.Completed-o.Sent)
		intended = append(intended, o.Completed-o.Intended)
	}
	t.Call, t.Intended = ranks(calls), ranks(intended)
	return t
}

// ranks are the percentiles by nearest rank, as ghz reckons them: the smallest value that so many percent do not exceed.
func ranks(values []time.Duration) map[int]time.Duration {
	found := map[int]time.Duration{}
	if len(values) == 0 {
		return found
	}
	slices.Sort(values)
	for _, percent := range percents() {
		found[percent] = values[max(0, (len(values)*percent+99)/100-1)]
	}
	return found
}
