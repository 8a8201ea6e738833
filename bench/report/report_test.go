package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/stretchr/testify/require"

	"tandem/bench/check"
	"tandem/bench/measure"
	"tandem/bench/scenario"
)

var update = flag.Bool("update", false, "write the golden files anew")

func times(base float64) *measure.Percentiles {
	return &measure.Percentiles{Count: 10, P50: base, P90: 2 * base, P99: 12 * base, P999: 123 * base, Max: 200 * base}
}

func available(victim string, cells ...measure.Cell) measure.Fault {
	all := measure.Windows{
		Before: measure.Availability{Share: new(1.0), OK: 10, Intended: 10},
		During: measure.Availability{Share: new(0.999), OK: 999, Intended: 1000},
		After:  measure.Availability{},
	}
	waited := &measure.WindowTimes{During: measure.Times{Answer: times(80)}}
	return measure.Fault{
		Name: "kill", Victim: victim, Total: all, BlastRadius: cells, RecoveryMS: new(123.4), MaxTTEMS: new(3210.0),
		Ops: []measure.Windows{{Op: "CreateComment", Times: waited}},
	}
}

func cell(op string, share float64) measure.Cell {
	return measure.Cell{Op: op, Availability: &share, Samples: 20}
}

func someStack(name string, base float64) Stack {
	surprise := cell("GetPost", 0.9999)
	surprise.Surprise = true
	all := measure.Availability{Share: new(1.0), OK: 30, Intended: 30}
	return Stack{
		Stack: name, History: name + "/history.jsonl",
		Figures: measure.Report{
			Stack: name,
			Load:  measure.Load{OfferedRate: 500, SteadyRate: new(499.6)},
			Ops: []measure.Op{
				{Op: "CreateComment", Write: true, Steady: all, TTA: times(base), TTE: times(2 * base)},
				{Op: "GetPost", Steady: all, Latency: times(base / 3)},
				{Op: "ListFeed"},
			},
			Faults: []measure.Fault{
				available("posts", cell("CreateComment", 0), surprise, measure.Cell{Op: "ListFeed"}),
				available("query", cell("CreateComment", 0.004), cell("GetPost", 1), cell("ListFeed", 0.25)),
			},
		},
		Check: check.Result{Verdict: check.Valid, Figures: check.Figures{Acknowledged: check.Figure{Count: 42}}},
		Cost:  scenario.Cost{CPUPerThousand: 1234 * time.Millisecond, Memory: 150 << 20, StartUp: 250 * time.Millisecond, Preload: 11 * time.Second, RPCs: 3.26},
	}
}

func someResults() *Results {
	plan := scenario.DefaultPlan()
	plan.Steps = scenario.Kills(scenario.DefaultSlot(), "posts", "query", "broker")
	r := &Results{
		Schema: Schema, Name: "bench", Start: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
		Settings: Settings{Plan: plan, SyncLevel: "deadline", AsyncLevel: "dead-letter", Acks: "all", Broker: "embedded"},
		Machine:  Machine{OS: "linux/amd64", CPU: "Some CPU", Cores: 2, Memory: 8 << 30, Go: "go1.26"},
		Stacks:   []Stack{someStack("sync", 3), someStack("async", 1.5)},
	}
	broker := available("broker", cell("CreateComment", 1), cell("GetPost", 1), cell("ListFeed", 1))
	r.Stacks[1].Figures.Faults = append(r.Stacks[1].Figures.Faults, broker)
	r.Stacks[1].Check.Figures.RealtimeLag = map[string]float64{"0.5": 0, "0.95": 1.5, "0.99": 2.25, "1": 123}
	return r
}

func requireGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run go test ./bench/report -update")
	require.Equal(t, string(want), got)
}

func TestPrint(t *testing.T) {
	oneStack := someResults()
	oneStack.Stacks = oneStack.Stacks[1:]
	bad := someResults()
	bad.Stacks[0].Check = check.Result{Verdict: check.Unknown, Reasons: []string{"The history is not whole."}}
	bad.Stacks[1].Check = check.Result{Verdict: check.Invalid, Reasons: []string{"2 writes were lost."}}
	bad.NotComparable = "the seed differs: 1 and 2"
	for name, r := range map[string]*Results{"both.txt": someResults(), "async.txt": oneStack, "bad.txt": bad, "empty.txt": {}} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			require.NoError(t, r.Print(&out))
			require.NotContains(t, out.String(), "\x1b", "no colours but on a terminal")
			requireGolden(t, name, out.String())
		})
	}
}

// wideResults are those of the default plan, with figures that take much room.
func wideResults() *Results {
	r := someResults()
	r.Settings.Plan, r.Machine.CPU = scenario.DefaultPlan(), strings.Repeat("A Processor with a Long Name ", 6)
	for i := range r.Stacks {
		s := &r.Stacks[i]
		s.Figures.Ops, s.Figures.Faults = nil, nil
		for _, op := range []string{"GetSubscriberCount", "CreateComment"} {
			s.Figures.Ops = append(s.Figures.Ops, measure.Op{
				Op: op, Write: op == "CreateComment", Steady: measure.Availability{Share: new(0.9999)},
				Latency: times(99.9), TTA: times(99.9), TTE: times(999),
			})
		}
		for _, victim := range r.Settings.Plan.Faults() {
			f := available(victim, measure.Cell{Op: "CreateComment", Availability: new(0.999), Surprise: true})
			f.RecoveryMS, f.DrainMS, f.MaxTTEMS, f.TTEMissing = new(12345.6), new(67890.1), new(98765.4), 3
			f.Total.Before.Share, f.Total.After.Share = new(0.9999), new(0.9999)
			s.Figures.Faults = append(s.Figures.Faults, f)
		}
	}
	r.Stacks[0].Check = check.Result{Verdict: check.Unknown, Reasons: []string{strings.Repeat("This is a long reason. ", 20)}}
	return r
}

// TestWidth: all must fit on a projected terminal.
func TestWidth(t *testing.T) {
	apart := wideResults()
	apart.NotComparable = strings.Repeat("the seed differs: 1 and 2, ", 20)
	for _, r := range []*Results{wideResults(), apart} {
		var out bytes.Buffer
		require.NoError(t, r.Print(&out))
		for line := range strings.Lines(out.String()) {
			require.LessOrEqual(t, lipgloss.Width(strings.TrimSuffix(line, "\n")), width, line)
		}
	}
}

func TestSummaryClaimsNothingThatIsNotThere(t *testing.T) {
	r := someResults()
	require.Contains(t, r.summary(), "posts down:          1 of 2 operations stop in sync,  1 of 2 in async.")
	require.Contains(t, r.summary(), "Nothing acknowledged was lost")
	r.Stacks[0].Check.Verdict = check.Invalid
	require.NotContains(t, r.summary(), "Nothing acknowledged was lost")
	r.Stacks[1].Figures.Ops[0].TTE = nil
	require.NotContains(t, r.summary(), "CreateComment")
	r.NotComparable = "the seed differs"
	require.Empty(t, r.summary())
}

func TestSummaryLeavesOutWhatFewDid(t *testing.T) {
	r := someResults()
	require.Contains(t, r.summary(), "CreateComment, p50")
	r.Stacks[1].Figures.Ops[0].Steady.Share = new(0.89)
	require.NotContains(t, r.summary(), "CreateComment, p50")
}

func TestSummaryOfWhatShowsLate(t *testing.T) {
	r := someResults()
	const says = "shows while a part is down: "
	require.Contains(t, r.summary(), says+"3.21s (posts) in sync, 3.21s (posts) in async.")
	r.Stacks[1].Figures.Faults[1].TTEMissing = 1
	require.Contains(t, r.summary(), says+"3.21s (posts) in sync, more than 3.21s (posts) in async.")
	r.Stacks[0].Figures.Faults[0].MaxTTEMS, r.Stacks[0].Figures.Faults[1].Absent = nil, true
	require.NotContains(t, r.summary(), says)
}

func TestSummaryOfTheCostNeedsBoth(t *testing.T) {
	r := someResults()
	require.Contains(t, r.summary(), "Memory")
	r.Stacks[0].Cost.CPUPerThousand = 0
	require.NotContains(t, r.summary(), "Memory")
}

func TestPercentIsNeverRoundedToAWhole(t *testing.T) {
	for share, want := range map[float64]string{0: "0", 0.004: "<1", 0.25: "25", 0.994: ">99", 0.99999: ">99", 1: "100"} {
		require.Equal(t, want, percent(share))
	}
}

func TestShareIsNeverRoundedToAWhole(t *testing.T) {
	for of, want := range map[float64]string{0: "0", 0.0004: "<0.1", 0.25: "25.0", 0.999: "99.9", 0.99996: ">99.9", 1: "100"} {
		require.Equal(t, want, share(measure.Availability{Share: &of}))
	}
	require.Equal(t, none, share(measure.Availability{}))
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0", time.Microsecond: "<1ms", 123456 * time.Microsecond: "123ms", 1234 * time.Millisecond: "1.23s",
		99 * time.Second: "99.0s", 100 * time.Second: "100s", time.Hour: "3600s",
	} {
		require.Equal(t, want, duration(d))
	}
}

func TestVerdictIsTheWorst(t *testing.T) {
	r := someResults()
	require.Equal(t, check.Valid, r.Verdict())
	r.Stacks[1].Check.Verdict = check.Unknown
	require.Equal(t, check.Unknown, r.Verdict())
	r.Stacks[0].Check.Verdict = check.Invalid
	require.Equal(t, check.Invalid, r.Verdict())
}

func TestWriteAndRead(t *testing.T) {
	dir := t.TempDir()
	r := someResults()
	require.NoError(t, r.Write(dir))
	again, err := Read(dir)
	require.NoError(t, err)
	require.Equal(t, r, again)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1)
}

func TestReadRefuses(t *testing.T) {
	for name, text := range map[string]string{"damaged": `{"schema":1`, "schema 99": `{"schema":99}`} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, FileName), []byte(text), 0o644))
		_, err := Read(dir)
		require.ErrorContains(t, err, name)
	}
	_, err := Read(t.TempDir())
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestWriteIntoNowhere(t *testing.T) {
	require.Error(t, someResults().Write(filepath.Join(t.TempDir(), "missing")))
}

// TestFaultsOfAnyKindAreNamed: not every fault takes a part down, and not every one has a victim.
func TestFaultsOfAnyKindAreNamed(t *testing.T) {
	r := someResults()
	f := r.Stacks[0].Figures.Faults[0]
	f.Name, f.Victim = "rolling restart", ""
	s := Stack{Figures: measure.Report{Faults: []measure.Fault{f}}}
	require.Equal(t, "3.21s (rolling restart)", latest(&s))
	require.Contains(t, brokenLine(&f, &f, "slow posts"), "slow posts: ")
	require.Contains(t, brokenLine(nil, &f, "broker"), "sync has no such part")
	unseen := f
	unseen.BlastRadius = nil
	require.Empty(t, brokenLine(&unseen, &f, "posts"), "sync has the part: its fault was not seen")
}

// TestMistakesMadeOnPurposeAreSaid: wherever a run introduces itself.
func TestMistakesMadeOnPurposeAreSaid(t *testing.T) {
	r := someResults()
	require.NotContains(t, r.heading()+r.Markdown(), "mistake")
	r.Settings.Mistake = "offset-first"
	page, err := r.Page()
	require.NoError(t, err)
	for name, text := range map[string]string{"terminal": r.heading(), "markdown": r.Markdown(), "page": string(page)} {
		flat := strings.Join(strings.Fields(text), " ")
		require.Contains(t, flat, "NOT THE REAL STACK: async makes the mistake offset", name)
	}
}
