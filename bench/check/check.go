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

// Figures are what became of the writes, and what readers saw of them. The names are those of Jepsen's set-full and total-queue
// checkers, and "lost in the log" and the log's own duplicates those of Kafka's validate_delivery; what is ours says so.
type Figures struct {
	// Attempted are the writes of the load, also those never sent (total-queue: attempt-count). Acknowledged, Failed and Unknown are
	// its parts, by outcome: answered OK; certainly without effect; anything else.
	Attempted    Figure `json:"attempted"`
	Acknowledged Figure `json:"acknowledged"`
	Failed       Figure `json:"failed"`
	Unknown      Figure `json:"unknown"`
	// Recovered are the unknown writes that are found to have happened (total-queue: recovered). Of the subscriptions this is the
	// least number that explains the author's count.
	Recovered Figure `json:"recovered"`
	// HalfDone are unknown writes of which only a part has happened: a deletion that took the comments and left the post, a comment that
	// was reviewed and not stored. Sending them again finishes them. Ours.
	HalfDone Figure `json:"half_done"`

	// Lost writes were acknowledged and are absent (set-full: lost); in the read model also whatever the store holds and it does not
	// show.
	Lost Lost `json:"lost"`
	// Duplicated are creations that stand there more than once, and posts with more updates than were asked for (set-full and
	// total-queue: duplicated).
	Duplicated ByView `json:"duplicated"`
	// Unexpected is what nobody asked for, and in the read model also what the store does not hold, or hides (total-queue:
	// unexpected).
	Unexpected ByView `json:"unexpected"`
	// CounterDrift are authors and posts whose counters differ between the views, between one page and another, from the list that
	// they count, or from what the writes allow. Ours.
	CounterDrift Figure `json:"counter_drift"`
	// WrongStatus are comments that did not end with the status that their text demands. Ours.
	WrongStatus Figure `json:"wrong_status"`
	// WrongText are posts and comments whose text or author is not that of the write that made their version. Ours.
	WrongText Figure `json:"wrong_text"`
	// WrongList are authors whose page lists other posts than the store does, other versions of them, or another order. Ours.
	WrongList Figure `json:"wrong_list"`

	// ReadYourWrites are reads and looks by the client that wrote, sent after the acknowledgement, that did not show the write.
	// MonotonicReads are reads and looks of a client that showed an older version than one that it was shown before, by an answer
	// that was there before the read was sent. (Both after Terry and others, "Session Guarantees for Weakly Consistent Replicated
	// Data", 1994.) In sync both are violations, and at the owner in async too; of query's pages async does not promise either, and
	// they are counted.
	ReadYourWrites Figure `json:"read_your_writes"`
	// ReadYourWritesAtOwner are those of ReadYourWrites that asked the owner of the thing, and not query. Where clients wait for what
	// they wrote, all of ReadYourWrites are violations, and the witness, who waits for nothing, is not counted.
	ReadYourWritesAtOwner Figure `json:"read_your_writes_at_owner"`
	MonotonicReads        Figure `json:"monotonic_reads"`
	// Stale are the reads, looks among them, that were sent after a write was acknowledged and showed what was before it.
	// StaleWrites are the writes that at least one such read missed (set-full: stale-count). In sync a violation.
	Stale       Figure `json:"stale"`
	StaleWrites Figure `json:"stale_writes"`
	// StableLatency is, of each write that was looked for, how long after its acknowledgement the last read that missed it was sent,
	// 0 if none did (set-full: stable-latencies). RealtimeLag is, of each read and look, how long before it was sent the oldest write
	// that it missed was acknowledged, 0 if it missed none (Jepsen's Kafka workload: realtime-lag). Milliseconds by quantile ("0.5",
	// "0.95", "0.99", "1"), by nearest rank; empty if there is nothing to count.
	StableLatency map[string]float64 `json:"stable_latency_ms,omitempty"`
	RealtimeLag   map[string]float64 `json:"realtime_lag_ms,omitempty"`

	// Effects and Log are about the order of the changes of each aggregate: among the effects that services told, and among the
	// records in the log of the broker.
	Effects Sequence `json:"effects"`
	Log     Sequence `json:"log"`
	// NotLinearizable are posts and comments whose operations at their owner have no order that explains all answers and begins
	// each operation after the end of those before it (Herlihy and Wing, "Linearizability", 1990). The order is searched with
	// github.com/anishathalye/porcupine. Of a comment this holds its status too: PENDING, then APPROVED or REJECTED, never back.
	NotLinearizable Figure `json:"not_linearizable"`
	// DeadLetters are records that a consumer put aside, once per consumer. That is what consumers promise to do with what can
	// never be applied, and no violation; what is missing because of it is Lost.
	DeadLetters Figure `json:"dead_letters"`
	// PassedOver are records that no consumer can apply, and that none put aside; and parts of the log that are not there any more.
	// Ours.
	PassedOver Figure `json:"passed_over"`

	// NeverRead is what was acknowledged, or seen in one view, and looked at by nobody in a view (set-full: never-read). Nothing is
	// known of it.
	NeverRead Figure `json:"never_read"`
}

// Sequence is what is wrong with the versions of aggregates, in the order in which they came.
type Sequence struct {
	// Reordered: an older version after a newer one. In the log also: another event with the same version, one key in two partitions,
	// which have no order, and an event with the key of another thing.
	Reordered Figure `json:"reordered"`
	// Repeated: the same version again. In the log: the same event again (the same CloudEvents source and id), which at-least-once
	// delivery allows; there it is no violation.
	Repeated Figure `json:"repeated"`
	// Gaps: a version is left out, between two others or before the first that must be there. Among the effects this does not count
	// what a part that was killed may have done and had no time to tell.
	Gaps Figure `json:"gaps"`
}

// Result is the judgement of a run.
type Result struct {
	Figures Figures `json:"figures"`
	Verdict Verdict `json:"verdict"`
	// Reasons are plain sentences: why the verdict is not valid, violations first. Empty if it is valid.
	Reasons []string `json:"reasons"`
	// Disturbed are those of the reasons that lie with the load generator or the machine, and not with the stack: the same run on a
	// machine with less to do may be valid.
	Disturbed []string `json:"disturbed,omitempty"`
}

// OnlyDisturbed tells whether nothing but the load generator and the machine stands in the way of a valid verdict. A test of a stack
// on a machine with other things to do takes that for valid.
func (r Result) OnlyDisturbed() bool {
	return r.Verdict == Unknown && len(r.Disturbed) == len(r.Reasons)
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
	j.judgeReviews()
	j.judgeReaders()
	j.judgeEffects()
	j.judgeLog()
	j.judgeOrders()
	j.findNeverRead()
	return j.result()
}

// judge judges one thing. What nobody asked for has been counted as that, and is not held to anything more.
func (j *judge) judge(t *thing) {
	if t.strange {
		return
	}
	j.judgeTexts(t)
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
