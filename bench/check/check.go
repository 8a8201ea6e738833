// Package check judges a history: what was lost, doubled, or done although nobody asked, and whether the run may be believed at
// all. It is pure: a history in, a Result out. It knows neither how the load was made nor how the stacks work inside.
//
// It takes for granted that the finals were looked at after the drain, in both views: every post, comment and author that a
// write of the load touched, every comment listed under a post that was looked at, everything in the store or on the pages
// whose text holds the reference of a creation that has no answer, and a sample of the preload. A thing that was looked for and
// not found needs a final with Present false: one without any final was not looked at, and then the verdict is not valid.
package check

import "tandem/bench/history"

// Verdict is what a run is worth.
type Verdict string

// The verdicts.
const (
	// Valid: every guarantee held, and the run was one in which it could have been broken.
	Valid Verdict = "valid"
	// Invalid: a guarantee was violated. This holds also of a run that is otherwise not to be believed.
	Invalid Verdict = "invalid"
	// Unknown: no violation was seen, and the run cannot show that there was none.
	Unknown Verdict = "unknown"
)

// maxExamples is how many examples a figure carries; its count goes on.
const maxExamples = 10

// Figure is how often something happened, with up to 10 examples, each a plain sentence. The counts of all writes and of the
// acknowledged ones carry none: there is nothing to look into.
type Figure struct {
	Count    int      `json:"count"`
	Examples []string `json:"examples,omitempty"`
}

func (f *Figure) add(example string) {
	f.Count++
	if len(f.Examples) < maxExamples {
		f.Examples = append(f.Examples, example)
	}
}

// Lost is a figure for each place in which a write can be missing.
type Lost struct {
	ByView
	// Log are changes that were acknowledged and of which the log of the broker has no event. Empty without a broker.
	Log Figure `json:"log"`
}

// ByView is a figure for each view.
type ByView struct {
	// Store is what the owner's own RPCs show.
	Store Figure `json:"store"`
	// ReadModel is what query's pages show. In sync they are put together from the stores, so what a store lost is missing
	// here too.
	ReadModel Figure `json:"read_model"`
}

func (b *ByView) of(v history.View) *Figure {
	if v == history.ViewStore {
		return &b.Store
	}
	return &b.ReadModel
}

// Figures are what became of the writes. The names are those of Jepsen's set-full checker, split by view.
type Figures struct {
	// Attempted are the writes of the load, also those never sent; Acknowledged, Failed and Unknown are its parts, by outcome.
	Attempted    Figure `json:"attempted"`
	Acknowledged Figure `json:"acknowledged"`
	Failed       Figure `json:"failed"`
	Unknown      Figure `json:"unknown"`
	// Recovered are the unknown writes that are found to have happened. Of the subscriptions this is the least number that
	// explains the author's count.
	Recovered Figure `json:"recovered"`

	// HalfDone are unknown writes of which only a part has happened. Sending them again finishes them.
	HalfDone Figure `json:"half_done"`

	// Lost writes were acknowledged and are absent; in the read model also whatever the store holds and it does not show.
	Lost Lost `json:"lost"`
	// Duplicated are creations that stand there more than once, and posts with more updates than were asked for.
	Duplicated ByView `json:"duplicated"`
	// Unexpected is what nobody asked for, and in the read model also what the store does not hold, or hides.
	Unexpected ByView `json:"unexpected"`
	// CounterDrift are authors and posts whose counters differ between the views, from the list that they count, or from what
	// the writes allow.
	CounterDrift Figure `json:"counter_drift"`
	// WrongStatus are comments that did not end with the status that their text demands.
	WrongStatus Figure `json:"wrong_status"`

	// ReadYourWrites are looks by the client that wrote, sent after the acknowledgement, that did not show the write. MonotonicReads
	// are reads of a client that showed an older version than one that it was shown before. In sync both are violations; async does
	// not promise either, and they are counted.
	ReadYourWrites Figure `json:"read_your_writes"`
	MonotonicReads Figure `json:"monotonic_reads"`
	// Stale are the reads, looks among them, that were sent after a write was acknowledged and showed what was before it.
	// StaleWrites are the writes that at least one such read missed.
	Stale       Figure `json:"stale"`
	StaleWrites Figure `json:"stale_writes"`
	// StableLatency is how long after its acknowledgement each looked-for write was still missed by a read (0: never), and
	// RealtimeLag, of each read, how long ago the oldest write that it missed was acknowledged; milliseconds by quantile
	// ("0.5", "0.95", "0.99", "1"). Empty without looks.
	StableLatency map[string]float64 `json:"stable_latency_ms,omitempty"`
	RealtimeLag   map[string]float64 `json:"realtime_lag_ms,omitempty"`

	// Effects and Log are about the order of the changes of each aggregate: among the effects that services told, and among the
	// records in the log of the broker.
	Effects Sequence `json:"effects"`
	Log     Sequence `json:"log"`
	// NotLinearizable are posts whose operations at their owner have no order that explains all answers (checked with porcupine).
	NotLinearizable Figure `json:"not_linearizable"`
	// DeadLetters are records that a consumer put aside.
	DeadLetters Figure `json:"dead_letters"`

	// NeverRead are things that were written, or seen in one view, and that have no final in a view: nothing is known of them.
	NeverRead Figure `json:"never_read"`
}

// Sequence is what is wrong with the versions of aggregates, in the order in which they came.
type Sequence struct {
	Reordered Figure `json:"reordered"` // an older version after a newer one
	Repeated  Figure `json:"repeated"`  // the same version again; in the log: the same event again, which at-least-once allows
	Gaps      Figure `json:"gaps"`      // a version is left out
}

// Result is the judgement of a run.
type Result struct {
	Figures Figures `json:"figures"`
	Verdict Verdict `json:"verdict"`
	// Reasons are plain sentences: why the verdict is not valid, violations first. Empty if it is valid.
	Reasons []string `json:"reasons"`
}

// Check judges a history. It does not change it.
func Check(h *history.History) Result {
	j := newJudge(h)
	j.countOutcomes()
	j.findUnexpected()
	j.findDuplicates()
	for _, t := range j.order {
		j.judge(t)
	}
	j.findNeverRead()
	return j.result()
}

// judge judges one thing. What nobody asked for has been counted as that, and is not held to anything more.
func (j *judge) judge(t *thing) {
	if t.strange {
		return
	}
	switch t.aggregate {
	case history.Post:
		j.judgePost(t)
	case history.Comment:
		j.judgeComment(t)
	case history.Author:
		j.judgeAuthor(t)
	}
}

// countOutcomes counts the writes of the load.
func (j *judge) countOutcomes() {
	for _, o := range j.h.Operations {
		if o.Phase != history.PhaseLoad || !o.IsWrite() {
			continue
		}
		j.figures.Attempted.Count++
		switch o.Outcome {
		case history.OK:
			j.figures.Acknowledged.Count++
		case history.Fail:
			j.figures.Failed.add(name(o) + " " + failure(o) + ".")
		default:
			j.figures.Unknown.add(name(o) + " ended with " + code(o) + " and may have happened.")
		}
	}
}
