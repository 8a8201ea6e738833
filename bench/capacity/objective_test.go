package capacity

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/history"
)

const msec = time.Millisecond

// loaded is a history of 1,000 operations in a second, each sent when it was intended and answered after 10 ms.
func loaded() *history.History {
	h := &history.History{
		Header:    history.Header{OfferedRate: 1000, Length: time.Second, Deadline: time.Second},
		Generator: &history.Generator{CPU: 300 * msec, Wall: time.Second, Cores: 2},
	}
	for i := range 1000 {
		at := 5*time.Second + time.Duration(i)*msec
		h.Operations = append(h.Operations, &history.Operation{
			Index: int64(i), Phase: history.PhaseLoad, Op: "GetPost", Intended: at, Woken: at, Sent: at, Completed: at + 10*msec,
			Outcome: history.OK, Code: "OK",
		})
	}
	return h
}

// end is when the load of loaded ends.
const end = 6 * time.Second

// each changes every nth operation.
func each(nth int, change func(*history.Operation)) func(*history.History) {
	return func(h *history.History) {
		for i, o := range h.Operations {
			if i%nth == 0 {
				change(o)
			}
		}
	}
}

func fail(o *history.Operation) { o.Outcome, o.Code = history.Fail, "UNAVAILABLE" }

func answerAfter(d time.Duration) func(*history.Operation) {
	return func(o *history.Operation) { o.Completed = o.Sent + d }
}

func sendLate(d time.Duration) func(*history.Operation) {
	return func(o *history.Operation) { o.Sent, o.Completed = o.Sent+d, o.Completed+d }
}

func notSent(o *history.Operation) {
	o.Sent, o.Outcome, o.Code = 0, history.Fail, "DEADLINE_EXCEEDED"
}

// write makes an operation an acknowledged write whose effect came after a time.
func write(after time.Duration) func(*history.History) {
	return func(h *history.History) {
		o := h.Operations[0]
		o.Op, o.Aggregate, o.ID, o.Version = "CreatePost", history.Post, "p", 1
		h.Effects = append(h.Effects, history.Effect{Aggregate: history.Post, ID: "p", Version: 1, At: o.Intended + after})
	}
}

func TestOutcomeOfAStep(t *testing.T) {
	all := func(changes ...func(*history.History)) []func(*history.History) { return changes }
	for name, c := range map[string]struct {
		changes []func(*history.History)
		drained time.Duration
		want    Outcome
		says    string
	}{
		"held":                     {nil, end, Held, ""},
		"held_at_the_bounds":       {all(each(1, answerAfter(50*msec)), each(1000, fail)), end + 2*time.Second, Held, ""},
		"held_though_a_bit_late":   {all(each(1, sendLate(20*msec))), end, Held, ""},
		"slow":                     {all(each(50, answerAfter(51*msec))), end, Missed, "p99 was above 50ms"},
		"one_in_a_hundred_is_slow": {all(each(100, answerAfter(900*msec))), end, Held, ""},
		"failures":                 {all(each(500, fail)), end, Missed, "Fewer than 99.9 % were OK"},
		"nothing_answered":         {all(each(1, fail)), end, Missed, "Nothing was answered"},
		"drained_late":             {nil, end + 2001*msec, Missed, "longer than 2s"},
		"never_drained":            {nil, 0, Missed, "did not catch up"},
		"effects_late":             {all(write(201 * msec)), end, Missed, "time to effect"},
		"effects_in_time":          {all(write(200 * msec)), end, Held, ""},
		"generator_late":           {all(each(50, sendLate(45*msec))), end, Generator, "counted from the actual send"},
		"generator_did_not_send":   {all(each(100, notSent)), end, Generator, "counted from the actual send"},
		"late_and_slow":            {all(each(50, sendLate(45*msec)), each(50, answerAfter(60*msec))), end, Missed, "p99"},
		"generator_used_the_cpu": {all(each(50, answerAfter(60*msec)), func(h *history.History) { h.Generator.CPU = 950 * msec }), end,
			Generator, "it used 0.95 of the machine's 2 cores"},
		"others_used_the_cpu": {all(each(50, answerAfter(60*msec)), func(h *history.History) { h.Generator.Stolen = time.Second }), end,
			Others, "Other programs used 50 %"},
		"held_on_a_busy_machine": {all(func(h *history.History) { h.Generator.Stolen = time.Second }), end, Held, ""},
		"system_does_not_tell":   {all(each(50, answerAfter(60*msec)), func(h *history.History) { h.Generator = nil }), end, Missed, "p99"},
	} {
		t.Run(name, func(t *testing.T) {
			h := loaded()
			for _, change := range c.changes {
				change(h)
			}
			objective := DefaultObjective()
			objective.TTE = 200 * msec
			got := objective.NewStep(h, c.drained)
			require.Equal(t, c.want, got.Outcome, got.Reasons)
			require.InEpsilon(t, 1000.0, got.Offered, 1e-9)
			if c.want == Held {
				require.Empty(t, got.Reasons)
				return
			}
			require.Condition(t, func() bool { return len(got.Reasons) > 0 })
			require.Contains(t, got.Reasons[0]+got.Reasons[len(got.Reasons)-1], c.says)
		})
	}
}

func TestFiguresOfAStep(t *testing.T) {
	h := loaded()
	each(10, fail)(h)
	each(20, notSent)(h)
	write(30 * msec)(h)
	h.Operations[0].Outcome, h.Operations[0].Sent = history.OK, h.Operations[0].Intended
	s := DefaultObjective().NewStep(h, end+100*msec)
	require.Equal(t, 1000, s.Operations)
	require.Equal(t, 951, s.Sent)
	require.Equal(t, 901, s.OK)
	require.InEpsilon(t, 0.901, s.Availability, 1e-9)
	require.InEpsilon(t, 901.0, s.AchievedRate, 1e-9)
	require.InEpsilon(t, 10.0, s.Answer.P99, 1e-9)
	require.InEpsilon(t, 30.0, s.TTE.P50, 1e-9)
	require.InEpsilon(t, 100.0, *s.DrainMS, 1e-9)
}

func TestObjectiveCheck(t *testing.T) {
	require.NoError(t, DefaultObjective().Check())
	for name, spoil := range map[string]func(*Objective){
		"no_p99": func(o *Objective) { o.P99 = 0 }, "no_availability": func(o *Objective) { o.Availability = 0 },
		"too_available": func(o *Objective) { o.Availability = 99.9 }, "negative_tte": func(o *Objective) { o.TTE = -1 },
		"no_drain": func(o *Objective) { o.Drain = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			o := DefaultObjective()
			spoil(&o)
			require.Error(t, o.Check())
		})
	}
}
