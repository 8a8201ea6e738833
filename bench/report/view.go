package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tandem/bench/check"
	"tandem/bench/cluster"
	"tandem/bench/scenario"
)

// view is what the page shows: texts and numbers ready to be read, in the order in which they stand there.
type view struct {
	Title    string
	Subtitle string
	Verdict  check.Verdict
	Verdicts []verdictView
	// Apart is why the stacks are not set side by side; empty if they are.
	Apart  string
	Groups []*group
	Rounds *roundsView
	// Settings and Machine are what the run was done with and where.
	Settings []pair
	Machine  []pair
	Glossary []term
}

// verdictView is the verdict on one stack.
type verdictView struct {
	Stack   string
	Where   string // in which rounds; empty if there was only one
	Verdict check.Verdict
	Reasons []string
}

type pair struct{ Name, Value string }

// group is figures that stand side by side: those of both stacks, or of one if the two may not be compared.
type group struct {
	ID       string // begins the ids of its parts
	Title    string // empty if it is the only group
	Stacks   []string
	Answer   answer
	Numbers  []number
	Blast    []heatMap
	Note     string // about the blast radius
	Faults   *figures
	Waits    *figures
	Foreseen *figures
	Writes   *figures
	Reads    *figures
	Stale    *figures
	Account  *figures
	Order    *figures
	Lags     *figures
	Costs    []costView
	Start    *figures
	Witness  *figures
	Fitness  *figures
	Charts   chartData
}

// figures is a table: columns that name a row, then the same columns for each stack.
type figures struct {
	Caption string
	Stacks  []string
	Lead    []string
	Heads   []string
	Rows    []figureRow
	Notes   []string
}

type figureRow struct {
	Lead     []string
	Cells    []figureCell
	Help     string // what the row means
	Examples []example
}

// figureCell is a figure; Bad marks one that breaks a guarantee.
type figureCell struct {
	Text string
	Bad  bool
}

// example is what was seen of something that was counted. Its texts come from the history.
type example struct {
	Stack string
	Texts []string
}

func (f *figures) add(row figureRow) { f.Rows = append(f.Rows, row) }

// Alarming tells whether any figure breaks a guarantee.
func (f *figures) Alarming() bool {
	return slices.ContainsFunc(f.Rows, func(row figureRow) bool {
		return slices.ContainsFunc(row.Cells, func(c figureCell) bool { return c.Bad })
	})
}

// orNil is nil if there is nothing in the table.
func (f *figures) orNil() *figures {
	if len(f.Rows) == 0 {
		return nil
	}
	return f
}

func (r *Results) newFigures(caption string, lead, heads []string) *figures {
	f := &figures{Caption: caption, Lead: lead, Heads: heads}
	for _, s := range r.Stacks {
		f.Stacks = append(f.Stacks, s.Stack)
	}
	return f
}

// cells are plain figures.
func cells(texts []string) (all []figureCell) {
	for _, text := range texts {
		all = append(all, figureCell{Text: text})
	}
	return all
}

// view prepares the results for the page.
func (r *Results) view() *view {
	v := &view{
		Title: "Tandem: " + r.Name, Subtitle: r.subtitle(), Verdict: r.worst(), Verdicts: r.verdictViews(), Apart: r.NotComparable,
		Rounds: r.roundsView(), Settings: r.settingPairs(), Machine: r.machinePairs(), Glossary: glossary(),
	}
	for _, part := range r.apart() {
		v.Groups = append(v.Groups, part.group(len(v.Groups)))
	}
	return v
}

// apart returns results whose stacks may stand side by side: these, or those of one stack each.
func (r *Results) apart() (parts []*Results) {
	if r.NotComparable == "" {
		return []*Results{r}
	}
	for _, s := range r.Stacks {
		alone := *r
		alone.Stacks, alone.NotComparable, alone.Contrasts = []Stack{s}, "", nil
		parts = append(parts, &alone)
	}
	return parts
}

func (r *Results) group(n int) *group {
	g := &group{
		ID: fmt.Sprintf("g%d", n), Answer: r.plainAnswer(), Numbers: r.numbers(),
		Blast: r.heatMaps(), Note: r.blastNote(), Faults: r.faultFigures(), Waits: r.waitFigures(), Foreseen: r.predictionFigures(),
		Writes: r.writeFigures(), Reads: r.readFigures(), Stale: r.staleFigures(),
		Account: r.accountFigures(), Order: r.orderFigures(), Lags: r.lagFigures(), Costs: r.costViews(), Start: r.startFigures(),
		Witness: r.witnessFigures(), Fitness: r.fitnessFigures(), Charts: r.chartData(),
	}
	for _, s := range r.Stacks {
		g.Stacks = append(g.Stacks, s.Stack)
	}
	if n > 0 || r.alone() {
		g.Title = strings.Join(g.Stacks, " and ") + " alone"
	}
	return g
}

// alone tells whether there is one stack only.
func (r *Results) alone() bool { return len(r.Stacks) == 1 }

func (r *Results) subtitle() string {
	p := r.Settings.Plan
	return fmt.Sprintf("%s · seed %d · %g operations/s for %v · deadline %v · broker: %s",
		r.Start.Format("2006-01-02 15:04"), p.Seed, p.Rate, p.Length(), p.Deadline, orNone(r.Settings.Broker)) + r.Settings.mistake()
}

// mistake warns of programs that were built for tests; empty for all others.
func (s Settings) mistake() string {
	switch s.Mistake {
	case "":
		return ""
	case cluster.NoMistake:
		return " · programs built for tests, without a mistake"
	}
	return " · NOT THE REAL STACK: async makes the mistake " + s.Mistake + " on purpose"
}

// verdictViews are the verdicts on each stack: in a run of several rounds those that are not valid, and in how many it was.
func (r *Results) verdictViews() (all []verdictView) {
	if len(r.Rounds) < 2 {
		return verdictsOf(r.Stacks, "")
	}
	for i, round := range r.Rounds {
		all = append(all, verdictsOf(notValid(round.Stacks), fmt.Sprintf("round %d", i+1))...)
	}
	for _, s := range r.Stacks {
		if n := r.validRounds(s.Stack); n > 0 {
			all = append(all, verdictView{Stack: s.Stack, Where: roundsOf(n, len(r.Rounds)), Verdict: check.Valid})
		}
	}
	return all
}

func notValid(stacks []Stack) []Stack {
	return slices.DeleteFunc(slices.Clone(stacks), func(s Stack) bool { return s.Check.Verdict == check.Valid })
}

// validRounds is in how many rounds a stack was valid.
func (r *Results) validRounds(stack string) (n int) {
	for _, s := range r.OfRounds() {
		if s.Stack == stack && s.Check.Verdict == check.Valid {
			n++
		}
	}
	return n
}

func roundsOf(n, all int) string {
	if n == all {
		return fmt.Sprintf("all %d rounds", all)
	}
	return fmt.Sprintf("%d of %d rounds", n, all)
}

func verdictsOf(stacks []Stack, where string) (all []verdictView) {
	for _, s := range stacks {
		all = append(all, verdictView{Stack: s.Stack, Where: where, Verdict: s.Check.Verdict, Reasons: s.Check.Reasons})
	}
	return all
}

// worst is the verdict on the run. One that judged nothing is unknown.
func (r *Results) worst() check.Verdict {
	if len(r.OfRounds()) == 0 {
		return check.Unknown
	}
	return r.Verdict()
}

func orNone(text string) string {
	if text == "" {
		return none
	}
	return text
}

// faultSettings are what was done, and how long the load went on around it.
func faultSettings(p scenario.Plan) (lines []string) {
	for _, s := range p.Steps {
		lines = append(lines, fmt.Sprintf("%s %s for %v (%v before, %v after)", s.Kind, s.Victim, s.For, s.Before, s.After))
	}
	return lines
}

func (r *Results) settingPairs() []pair {
	s, p := r.Settings, r.Settings.Plan
	return []pair{
		{"Seed", fmt.Sprint(p.Seed)},
		{"Rounds", fmt.Sprint(max(1, s.Repeat))},
		{"Offered rate", fmt.Sprintf("%g operations/s, open loop", p.Rate)},
		{"Deadline of an operation", p.Deadline.String()},
		{"Load before the first fault", p.Steady.String()},
		{"Faults, one after the other", orNone(strings.Join(faultSettings(p), "; "))},
		{"Filled before the load", fmt.Sprintf("%d posts, %d comments, %d authors, %d subscriptions",
			p.World.Posts, p.World.Comments, p.World.Authors, p.World.Subscriptions)},
		{"Protection level, sync", orNone(s.SyncLevel)},
		{"Protection level, async", orNone(s.AsyncLevel)},
		{"Broker", orNone(s.Broker)},
		{"Acknowledgements of the broker", orNone(s.Acks)},
		{"Mistake made on purpose, async", orNone(s.Mistake)},
		{"Databases, synchronous", orNone(s.DBSync)},
		{"GOMAXPROCS of each service", procs(s.Procs)},
		{"GOMAXPROCS of the laboratory", procs(s.OwnProcs)},
		{"Reconnect backoff of gRPC clients", fmt.Sprintf("%v to %v", s.ReconnectBase, s.ReconnectMax)},
	}
}

func procs(n int) string {
	if n == 0 {
		return "not set"
	}
	return fmt.Sprint(n)
}

func (r *Results) machinePairs() []pair {
	m := r.Machine
	all := []pair{
		{"System", orNone(m.OS)}, {"CPU", orNone(m.CPU)}, {"Cores", fmt.Sprint(m.Cores)}, {"Memory", size(m.Memory)},
		{"Go", orNone(m.Go)}, {"tandem", orNone(m.Version)},
	}
	var libraries []string
	for name := range m.Libraries {
		libraries = append(libraries, name)
	}
	slices.Sort(libraries)
	for _, name := range libraries {
		all = append(all, pair{name, m.Libraries[name]})
	}
	return append(all, pair{"Run", r.Start.Format(time.RFC3339)})
}
