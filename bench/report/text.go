package report

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"tandem/bench/check"
	"tandem/bench/measure"
	"tandem/bench/scenario"
)

// Print writes the tables. Colours go only to a terminal that wants them, and never say anything that the text does not.
func (r *Results) Print(w io.Writer) error {
	return printParts(w, append([]string{r.heading(), r.answer()}, r.tables()...))
}

// PrintChecks writes the verdicts and the measures, without what the run was done with.
func (r *Results) PrintChecks(w io.Writer) error {
	return printParts(w, append([]string{r.answer()}, r.tables()...))
}

// PrintAnswer writes the verdicts and the summary alone.
func (r *Results) PrintAnswer(w io.Writer) error {
	return printParts(w, []string{r.answer()})
}

// printParts writes parts with an empty line between them.
func printParts(w io.Writer, parts []string) error {
	if os.Getenv("NO_COLOR") != "" { // lipgloss would keep bold and underlined text
		w = notATerminal{w}
	}
	if _, err := lipgloss.Fprintln(w, strings.Join(parts, "\n\n")); err != nil {
		return fmt.Errorf("print the results: %w", err)
	}
	return nil
}

// notATerminal hides from lipgloss what a writer is.
type notATerminal struct{ io.Writer }

// answer is what most readers look for.
func (r *Results) answer() string {
	if short := r.summary(); short != "" {
		return r.verdicts() + "\n\n" + short
	}
	return r.verdicts()
}

// tables are those that have rows, of both stacks side by side or, if they may not be compared, one stack after the other.
func (r *Results) tables() []string {
	if r.NotComparable == "" {
		all := []string{r.overRounds(), r.writeTimes(), r.readTimes(), r.blastRadius(), r.faults(), r.predictions(), r.waits(), r.account(), r.staleness(), r.costs()}
		return slices.DeleteFunc(all, func(table string) bool { return table == "" })
	}
	parts := []string{wrapped("The two stacks are not set side by side: "+r.NotComparable, "")}
	for _, s := range r.Stacks {
		alone := *r
		alone.Stacks, alone.NotComparable = []Stack{s}, ""
		parts = append(parts, alone.tables()...)
	}
	return parts
}

func (r *Results) heading() string {
	p, m := r.Settings.Plan, r.Machine
	return title("Tandem: the same app with gRPC calls (sync) and with Kafka events (async)") + "\n" +
		fmt.Sprintf("%s · seed %d · %.0f operations/s for %v · deadline %v\n",
			r.Start.Format("2006-01-02 15:04"), p.Seed, p.Rate, p.Length(), p.Deadline) +
		wrapped(fmt.Sprintf("sync level %s · async level %s, acks %s · broker: %s",
			r.Settings.SyncLevel, r.Settings.AsyncLevel, r.Settings.Acks, r.Settings.Broker)+r.Settings.mistake(), "") + "\n" +
		wrapped(fmt.Sprintf("%s · %s, %d cores, %s · %s", m.OS, m.CPU, m.Cores, size(m.Memory), m.Go), "")
}

// reasonIndent puts the reasons under the verdict.
const reasonIndent = "         "

func (r *Results) verdicts() string {
	lines := []string{title("Verdict")}
	for _, s := range r.Stacks {
		lines = append(lines, fmt.Sprintf("  %-6s %s", s.Stack, verdictStyle(s.Check.Verdict).Render(strings.ToUpper(string(s.Check.Verdict)))))
		for _, reason := range s.Check.Reasons {
			lines = append(lines, reasonIndent+wrapped(reason, reasonIndent))
		}
	}
	return strings.Join(append(lines, r.roundVerdicts()...), "\n")
}

// eachStack returns one cell per figure and stack, the stacks side by side.
func (r *Results) eachStack(cells func(Stack) []string) (row []string) {
	for _, s := range r.Stacks {
		row = append(row, cells(s)...)
	}
	return row
}

func percentileHeads() []string { return []string{"p50", "p90", "p99", "p99.9"} }

// okAnd puts the share of OK answers before percentiles that are over these alone.
func okAnd(op measure.Op, p *measure.Percentiles) []string {
	return append([]string{share(op.Steady)}, fourTimes(p)...)
}

func (r *Results) writeTimes() string {
	t := r.newTable("Writes before any fault: time to accept (TTA) and time to effect (TTE), ms",
		[]string{"operation", ""}, append([]string{"OK %"}, percentileHeads()...))
	for _, op := range r.ops(true) {
		t.add([]string{op, "TTA"}, r.eachStack(func(s Stack) []string { return okAnd(s.op(op), s.op(op).TTA) }))
		t.add([]string{"", "TTE"}, r.eachStack(func(s Stack) []string { return append([]string{""}, fourTimes(s.op(op).TTE)...) }))
	}
	return t.unlessEmpty()
}

func (r *Results) readTimes() string {
	t := r.newTable("Reads before any fault: latency, ms", []string{"operation"}, append([]string{"OK %"}, percentileHeads()...))
	for _, op := range r.ops(false) {
		t.add([]string{op}, r.eachStack(func(s Stack) []string { return okAnd(s.op(op), s.op(op).Latency) }))
	}
	return t.unlessEmpty()
}

// ops are the operations of the load, writes or reads, in the order of the first stack.
func (r *Results) ops(writes bool) (names []string) {
	if len(r.Stacks) == 0 {
		return nil
	}
	for _, op := range r.Stacks[0].Figures.Ops {
		if op.Write == writes {
			names = append(names, op.Op)
		}
	}
	return names
}

// op returns the figures of an operation; empty ones if there are none.
func (s Stack) op(name string) measure.Op {
	for _, op := range s.Figures.Ops {
		if op.Op == name {
			return op
		}
	}
	return measure.Op{}
}

func fourTimes(p *measure.Percentiles) []string {
	if p == nil {
		return []string{none, none, none, none}
	}
	return []string{millis(p.P50), millis(p.P90), millis(p.P99), millis(p.P999)}
}

func (r *Results) blastRadius() string {
	var victims []string
	for _, v := range r.Settings.Plan.Faults() {
		victims = append(victims, short(v))
	}
	t := r.newTable("Blast radius: availability of each operation, %, while a part (column) is killed", []string{"operation"}, victims)
	t.paint = paintAvailability
	surprises := 0
	for _, op := range append(r.ops(true), r.ops(false)...) {
		t.add([]string{op}, r.eachStack(func(s Stack) (cells []string) {
			for i := range r.Settings.Plan.Faults() {
				text, surprise := blastCell(s, i, op)
				cells = append(cells, text)
				if surprise {
					surprises++
				}
			}
			return cells
		}))
	}
	if len(t.rows) == 0 || len(victims) == 0 {
		return ""
	}
	return t.String() + "\n" + surpriseNote(surprises) + "\n" + none + ": no such part, or no such operation in that time."
}

// fault returns the figures of the fault of the plan's victim i; nil if there are none, or the stack has no such part.
func (s *Stack) fault(i int) *measure.Fault {
	if i >= len(s.Figures.Faults) || s.Figures.Faults[i].Absent {
		return nil
	}
	return &s.Figures.Faults[i]
}

func surpriseNote(n int) string {
	if n == 0 {
		return "No cell with at least 5 samples is more than 5 points away from what the dependency graph predicts."
	}
	return fmt.Sprintf("! marks what is more than 5 points away from what the dependency graph predicts: %d of the cells.", n)
}

func blastCell(s Stack, victim int, op string) (text string, surprise bool) {
	f := s.fault(victim)
	if f == nil {
		return none, false
	}
	for _, c := range f.BlastRadius {
		switch {
		case c.Op != op || c.Availability == nil:
		case c.Surprise:
			return percent(*c.Availability) + "!", true
		default:
			return percent(*c.Availability), false
		}
	}
	return none, false
}

// short fits a column head.
func short(victim string) string {
	switch victim {
	case "moderation":
		return "moder."
	case "subscriptions":
		return "subscr."
	case "comments":
		return "comm."
	}
	return victim
}

func (r *Results) faults() string {
	t := r.newTable("Around each kill: availability of all operations, %, and how long it took to get over it",
		[]string{"killed"}, []string{"before", "during", "after", "recovery", "drain", "max TTE"})
	for i, victim := range r.Settings.Plan.Faults() {
		t.add([]string{victim}, r.eachStack(func(s Stack) []string { return faultCells(s.fault(i)) }))
	}
	if len(t.rows) == 0 {
		return ""
	}
	return t.String() +
		"\nrecovery: from the restart until availability is back for 1 s. drain: until the writes that had piled up show." +
		"\nmax TTE: the longest that a write accepted in that time took to show; > if the effect of some was not seen."
}

func faultCells(f *measure.Fault) []string {
	if f == nil {
		return []string{none, none, none, none, none, none}
	}
	longest := span(f.MaxTTEMS)
	if f.TTEMissing > 0 {
		longest = ">" + longest
	}
	return []string{
		share(f.Total.Before), share(f.Total.During), share(f.Total.After), span(f.RecoveryMS), span(f.DrainMS), longest,
	}
}

// waits is the twin of the blast radius: how long users waited for whatever they were told.
func (r *Results) waits() string {
	var victims []string
	for _, v := range r.Settings.Plan.Faults() {
		victims = append(victims, short(v))
	}
	t := r.newTable("During each fault: p99 until users had any answer, good or bad, ms", []string{"operation"}, victims)
	known := false
	for _, op := range append(r.ops(true), r.ops(false)...) {
		t.add([]string{op}, r.eachStack(func(s Stack) (cells []string) {
			for i := range victims {
				cell := longWait(answersDuring(s.fault(i), op))
				known, cells = known || cell != none, append(cells, cell)
			}
			return cells
		}))
	}
	if !known {
		return ""
	}
	return t.String()
}

// answersDuring is how long an operation took to have any answer during a fault; nil if that is not known.
func answersDuring(f *measure.Fault, op string) *measure.Percentiles {
	if f == nil {
		return nil
	}
	for _, w := range f.Ops {
		if w.Op == op && w.Times != nil {
			return w.Times.During.Answer
		}
	}
	return nil
}

func longWait(p *measure.Percentiles) string {
	if p == nil {
		return none
	}
	return millis(p.P99)
}

// entry is one line of the account of the writes.
type entry struct {
	name  string
	count func(check.Figures) int
	bad   bool // it must be 0
}

func entries() []entry {
	return []entry{
		{"attempted", func(f check.Figures) int { return f.Attempted.Count }, false},
		{"acknowledged", func(f check.Figures) int { return f.Acknowledged.Count }, false},
		{"failed for certain", func(f check.Figures) int { return f.Failed.Count }, false},
		{"unknown (no certain answer)", func(f check.Figures) int { return f.Unknown.Count }, false},
		{"  of these found to have happened", func(f check.Figures) int { return f.Recovered.Count }, false},
		{"  of these half done", func(f check.Figures) int { return f.HalfDone.Count }, false},
		{"lost in the store", func(f check.Figures) int { return f.Lost.Store.Count }, true},
		{"lost in the read model", func(f check.Figures) int { return f.Lost.ReadModel.Count }, true},
		{"lost in the log", func(f check.Figures) int { return f.Lost.Log.Count }, true},
		{"duplicated", func(f check.Figures) int { return f.Duplicated.Store.Count + f.Duplicated.ReadModel.Count }, true},
		{"unexpected", func(f check.Figures) int { return f.Unexpected.Store.Count + f.Unexpected.ReadModel.Count }, true},
		{"counters that drifted", func(f check.Figures) int { return f.CounterDrift.Count }, true},
		{"wrong status", func(f check.Figures) int { return f.WrongStatus.Count }, true},
		{"wrong text", func(f check.Figures) int { return f.WrongText.Count }, true},
		{"author pages with a wrong list", func(f check.Figures) int { return f.WrongList.Count }, true},
		{"not linearizable at their owner", func(f check.Figures) int { return f.NotLinearizable.Count }, true},
		{"effects out of order", func(f check.Figures) int { return f.Effects.Reordered.Count }, true},
		{"effects repeated", func(f check.Figures) int { return f.Effects.Repeated.Count }, true},
		{"gaps in the effects", func(f check.Figures) int { return f.Effects.Gaps.Count }, true},
		{"records out of order in the log", func(f check.Figures) int { return f.Log.Reordered.Count }, true},
		{"gaps in the log", func(f check.Figures) int { return f.Log.Gaps.Count }, true},
		{"records passed over in silence", func(f check.Figures) int { return f.PassedOver.Count }, true},
		{"never read", func(f check.Figures) int { return f.NeverRead.Count }, true},
		// What follows is no violation in async, or nowhere.
		{"log duplicates (at-least-once)", func(f check.Figures) int { return f.Log.Repeated.Count }, false},
		{"dead letters", func(f check.Figures) int { return f.DeadLetters.Count }, false},
		{"own writes not read", func(f check.Figures) int { return f.ReadYourWrites.Count }, false},
		{"reads that went back", func(f check.Figures) int { return f.MonotonicReads.Count }, false},
		{"stale reads", func(f check.Figures) int { return f.Stale.Count }, false},
		{"writes that a read missed", func(f check.Figures) int { return f.StaleWrites.Count }, false},
	}
}

func (r *Results) account() string {
	t := r.newTable("Account of the writes after the drain", []string{""}, []string{"count"})
	bad := map[string]bool{}
	for _, e := range entries() {
		bad[e.name] = e.bad
		t.add([]string{e.name}, r.eachStack(func(s Stack) []string { return []string{fmt.Sprint(e.count(s.Check.Figures))} }))
	}
	t.paint = func(row, cell string) string {
		if bad[row] && cell != "0" {
			return lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Red).Render(cell)
		}
		return cell
	}
	return t.String()
}

// staleness is what readers missed while the load went on.
func (r *Results) staleness() string {
	t := r.newTable("How stale reads were, ms", []string{""}, []string{"p50", "p95", "p99", "max"})
	for _, line := range []struct {
		name string
		of   func(check.Figures) map[string]float64
	}{
		{"stable latency", func(f check.Figures) map[string]float64 { return f.StableLatency }},
		{"realtime lag", func(f check.Figures) map[string]float64 { return f.RealtimeLag }},
	} {
		if slices.ContainsFunc(r.Stacks, func(s Stack) bool { return len(line.of(s.Check.Figures)) > 0 }) {
			t.add([]string{line.name}, r.eachStack(func(s Stack) []string { return quantiles(line.of(s.Check.Figures)) }))
		}
	}
	if len(t.rows) == 0 {
		return ""
	}
	return t.String() +
		"\nstable latency: from the acknowledgement of a write that was looked for until the last read that missed it." +
		"\nrealtime lag: of each read, how long ago the oldest write that it missed had been acknowledged."
}

func quantiles(q map[string]float64) (cells []string) {
	for _, name := range []string{"0.5", "0.95", "0.99", "1"} {
		if v, found := q[name]; found {
			cells = append(cells, millis(v))
		} else {
			cells = append(cells, none)
		}
	}
	return cells
}

func (r *Results) costs() string {
	t := r.newTable("Cost", []string{""}, []string{"value"})
	t.add([]string{"operations/s that were answered OK before any fault"}, r.eachStack(func(s Stack) []string {
		if s.Figures.Load.SteadyRate == nil {
			return []string{none}
		}
		return []string{fmt.Sprintf("%.1f of %g", *s.Figures.Load.SteadyRate, s.Figures.Load.OfferedRate)}
	}))
	if !r.haveCosts() {
		return t.String()
	}
	t.add([]string{"RPCs per operation before any fault, the user's own included"}, r.eachStack(func(s Stack) []string {
		return []string{perOperation(s.Cost.RPCs)}
	}))
	t.add([]string{"messages per operation before any fault"}, r.eachStack(func(s Stack) []string {
		return []string{perOperation(s.Cost.Messages)}
	}))
	t.add([]string{"CPU for 1,000 operations before any fault, all processes"}, r.eachStack(func(s Stack) []string {
		return []string{cpu(s.Cost)}
	}))
	t.add([]string{"memory at the end, all processes"}, r.eachStack(func(s Stack) []string { return []string{size(s.Cost.Memory)} }))
	t.add([]string{"start until all SERVING"}, r.eachStack(func(s Stack) []string { return []string{duration(s.Cost.StartUp)} }))
	t.add([]string{"fill, and then until all of it shows"}, r.eachStack(func(s Stack) []string {
		return []string{duration(s.Cost.Preload) + " + " + duration(s.Cost.DrainPreload)}
	}))
	return t.String()
}

// haveCosts tells whether anything is known of what the stacks used: a history alone does not tell.
func (r *Results) haveCosts() bool {
	return slices.ContainsFunc(r.Stacks, func(s Stack) bool { return s.Cost != scenario.Cost{} })
}

// none stands where there is nothing to show.
const none = "–"

func millis(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// percent never rounds to a whole what is not whole.
func percent(share float64) string {
	p := 100 * share
	switch {
	case share > 0 && p < 1:
		return "<1"
	case share < 1 && p > 99:
		return ">99"
	}
	return fmt.Sprintf("%.0f", p)
}

func share(a measure.Availability) string {
	if a.Share == nil {
		return none
	}
	p := 100 * *a.Share
	switch {
	case p == 0 || p == 100:
		return fmt.Sprintf("%.0f", p)
	case p < 0.1:
		return "<0.1"
	case p > 99.9:
		return ">99.9"
	}
	return fmt.Sprintf("%.1f", p)
}

func span(ms *float64) string {
	if ms == nil {
		return none
	}
	return duration(time.Duration(*ms * float64(time.Millisecond)))
}

func duration(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d < time.Millisecond:
		return "<1ms"
	case d < time.Second:
		return d.Truncate(time.Millisecond).String()
	}
	s := d.Seconds()
	switch {
	case s < 10:
		return fmt.Sprintf("%.2fs", s)
	case s < 100:
		return fmt.Sprintf("%.1fs", s)
	}
	return fmt.Sprintf("%.0fs", s)
}

// cpu shows what the system told.
func cpu(c scenario.Cost) string {
	if c.CPUPerThousand == 0 {
		return none
	}
	return duration(c.CPUPerThousand)
}

func size(n int64) string {
	switch {
	case n == 0:
		return none
	case n < 1<<30:
		return fmt.Sprintf("%d MB", n>>20)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
}
