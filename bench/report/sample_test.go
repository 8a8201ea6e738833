package report

import (
	"fmt"
	"time"

	"tandem/bench/check"
	"tandem/bench/measure"
	"tandem/bench/scenario"
)

// hostile is text that a history may hold and a page must show as text.
const hostile = `</script><script>document.title="owned"</script><img src=x onerror="document.title='owned'">`

// sampleResults are deterministic results in which every field is filled: six rounds, both stacks, some surprises.
func sampleResults() *Results {
	plan := scenario.DefaultPlan()
	plan.Steps, plan.Steady = scenario.Kills(scenario.DefaultSlot(), "posts", "query", "broker"), 4*time.Second
	r := &Results{
		Schema: Schema, Name: "sample", Start: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
		Settings: Settings{
			Plan: plan, SyncLevel: "deadline", AsyncLevel: "dead-letter", Acks: "all", DBSync: "normal", Procs: 1, Broker: "embedded",
			ReconnectBase: 100 * time.Millisecond, ReconnectMax: 500 * time.Millisecond,
		},
		Machine: Machine{
			OS: "linux/amd64", CPU: "Some CPU", Cores: 2, Memory: 8 << 30, Go: "go1.26", Version: "0123456789ab",
			Libraries: map[string]string{"google.golang.org/grpc": "v1.85.0"},
		},
		Stacks: []Stack{sampleStack("sync", 3), sampleStack("async", 1.5)},
	}
	r.Settings.Repeat = 6
	for range 6 {
		r.Rounds = append(r.Rounds, Round{Stacks: r.Stacks})
	}
	r.Rounds[1].Stacks = []Stack{r.Stacks[1], r.Stacks[0]}
	r.Contrasts = sampleContrasts()
	return r
}

func sampleContrasts() []measure.Contrast {
	of := func(median, low, high float64) measure.Estimate {
		return measure.Estimate{Median: median, Low: &low, High: &high, Values: []*float64{&low, &median, &high}}
	}
	return []measure.Contrast{
		{Figure: "CreateComment, TTA p50", Unit: "ms", A: of(3, 2.9, 3.2), B: of(1.5, 1.4, 1.6), Difference: of(-1.5, -1.7, -1.3), Claimed: true, LessIsBetter: true},
		{Figure: "CreateComment, TTE p50", Unit: "ms", A: of(2.8, 2.7, 3), B: of(4.6, 4.2, 5), Difference: of(1.8, 1.4, 2.1), Claimed: true, LessIsBetter: true},
		{Figure: "CreatePost, TTA p50", Unit: "ms", A: of(1, 0.9, 1.2), B: of(1.05, 0.9, 1.2), Difference: of(0.05, -0.2, 0.3), LessIsBetter: true},
		{Figure: "availability", Unit: "%", A: of(80, 79, 81), B: of(95, 94, 96), Difference: of(15, 13, 17), Claimed: true},
		{Figure: "one round", Unit: "ms", A: measure.Estimate{Median: 1}, B: measure.Estimate{Median: 2}, Difference: measure.Estimate{Median: 1}, LessIsBetter: true},
	}
}

func sampleStack(name string, base float64) Stack {
	s := Stack{
		Stack: name, History: name + "/history.jsonl", Figures: sampleFigures(name, base), Check: sampleCheck(),
		Cost: scenario.Cost{
			CPUPerThousand: time.Duration(base * float64(time.Second)), Memory: 150 << 20, StartUp: 250 * time.Millisecond, Preload: 11 * time.Second,
			RPCs: base * 2, GeneratorCPU: 90 * time.Millisecond,
		},
	}
	if name == "async" {
		s.Cost.Messages = 1.25
	}
	return s
}

func sampleCheck() check.Result {
	count := func(n int) check.Figure {
		return check.Figure{Count: n, Examples: []string{"CreatePost 7 ended with UNAVAILABLE and may have happened."}}
	}
	return check.Result{Verdict: check.Valid, Reasons: []string{}, Figures: check.Figures{
		Attempted: check.Figure{Count: 1000}, Acknowledged: check.Figure{Count: 958}, Unknown: count(42), Recovered: count(2), Stale: count(7),
		StableLatency: map[string]float64{"0.5": 0, "0.95": 12.5, "1": 2900}, RealtimeLag: map[string]float64{"0.5": 0, "0.95": 4, "1": 3000},
	}}
}

// The load of the sample begins at 5 s of run time and lasts 28 s; each part is down for 3 s of every 8.
const (
	sampleStart  = 5000.0
	sampleLength = 28000.0
)

func sampleFigures(name string, base float64) measure.Report {
	f := measure.Report{
		Stack: name, Ops: sampleOps(base), Load: measure.Load{
			StartMS: sampleStart, EndMS: sampleStart + sampleLength, SteadyEndMS: sampleStart + 4500, Operations: 14000, Dropped: 3, OfferedRate: 500,
			AchievedRate: new(431.25), SteadyRate: new(499.6), TimerError: times(0.01), SendLateness: times(0.05), Late: 12, LateAboveMS: 5,
			Generator: &measure.Generator{CPUShare: 0.12, OthersShare: 0.02, Cores: 2},
		},
		Witness: &measure.Witness{Writes: 200, Agree: 199, BoundMS: 5, Off: times(0.02), Span: times(0.4), Untold: 1},
	}
	for i, victim := range []string{"posts", "query", "broker"} {
		f.Faults = append(f.Faults, sampleFault(name, victim, i))
	}
	for _, op := range []string{"", "CreateComment", "CreatePost", "GetPostPage"} {
		f.Timelines = append(f.Timelines, sampleTimeline(name, op, base))
		if op != "GetPostPage" {
			f.Writes = append(f.Writes, sampleShowing(name, op, base))
		}
	}
	for _, op := range f.Ops {
		f.Curves = append(f.Curves, sampleCurves(op)...)
	}
	for i := range 290 {
		b := measure.Backlog{AtMS: sampleStart + float64(i)*100}
		if at := i % 80; name == "async" && at >= 55 {
			b.Waiting, b.OldestMS = (at-54)*5, float64(at-54)*100
		}
		f.Backlog = append(f.Backlog, b)
	}
	return f
}

func sampleOps(base float64) []measure.Op {
	all := measure.Availability{Share: new(1.0), OK: 400, Intended: 400}
	op := func(name string, factor float64) measure.Op {
		return measure.Op{
			Op: name, Write: true, Count: 500, OK: 480, Unknown: 20, Steady: all, TTA: times(base * factor), TTE: times(9 * factor / base),
			TTEWhole: times(12 * factor / base), Staleness: times(1 / base), StalenessWhole: times(4 / base), TTEMissing: 1,
		}
	}
	return []measure.Op{op("CreateComment", 1), op("CreatePost", 0.5), {Op: "GetPostPage", Count: 500, OK: 490, Failed: 10, Steady: all, Latency: times(base / 3)}}
}

func sampleFault(stack, victim string, i int) measure.Fault {
	asked := sampleStart + 5500 + 8000*float64(i)
	f := measure.Fault{
		Name: "kill", Victim: victim, AskedMS: asked, InEffectMS: asked + 5, LiftAskedMS: asked + 3000, LiftedMS: asked + 3060, EndMS: asked + 6500,
		Absent: stack == "sync" && victim == "broker",
		Total: measure.Windows{
			Before: measure.Availability{Share: new(1.0), OK: 750, Intended: 750}, During: measure.Availability{Share: new(0.5), OK: 750, Intended: 1500},
			After: measure.Availability{Share: new(0.9999), OK: 9999, Intended: 10000},
		},
		RecoveryMS: new(123.4), DrainMS: new(250.0), DrainWrites: 40, MaxTTEMS: new(3210.0),
	}
	for _, op := range []string{"CreateComment", "CreatePost", "GetPostPage"} {
		needed := stack == "sync" && victim != "broker" || op == "CreatePost" && victim == "posts" || op == "GetPostPage" && victim == "query"
		c := measure.Cell{Op: op, Availability: new(1.0), Predicted: new(1.0), Samples: 123}
		if needed {
			c.Availability, c.Predicted = new(0.0), new(0.0)
		}
		f.BlastRadius = append(f.BlastRadius, c)
	}
	if stack == "async" && victim == "posts" {
		f.Ops = []measure.Windows{{Op: "GetPostPage", During: measure.Availability{Share: new(1.0), OK: 123, Intended: 123, Degraded: 4}}}
	}
	if stack == "async" && victim == "query" {
		f.BlastRadius[0].Availability, f.BlastRadius[0].Surprise = new(0.873), true
	}
	return f
}

// sampleTimeline fails while a part is down, sync more than async.
func sampleTimeline(stack, op string, base float64) measure.Timeline {
	t := measure.Timeline{Op: op}
	for i := range 280 {
		b := measure.Bucket{AtMS: sampleStart + float64(i)*100, OK: 50, P50MS: new(base), P99MS: new(base * float64(4+i%7))}
		if at := i % 80; at >= 55 && at < 85 && i < 270 {
			b.Failed = map[string]int{"sync": 40, "async": 6}[stack]
			b.OK -= b.Failed
		}
		t.Buckets = append(t.Buckets, b)
	}
	return t
}

func sampleShowing(stack, op string, base float64) measure.Showing {
	w := measure.Showing{Op: op}
	for i := range 56 {
		step := measure.ShowingStep{AtMS: sampleStart + float64(i)*500, Acknowledged: 40, TTAP99MS: new(base), TTEP99MS: new(9 / base)}
		if at := i % 16; stack == "async" && at >= 11 {
			step.TTEP99MS = new(float64(3000 - (at-11)*500))
		}
		w.Steps = append(w.Steps, step)
	}
	return w
}

func sampleCurves(op measure.Op) (all []measure.Curve) {
	for _, of := range []struct {
		name string
		p    *measure.Percentiles
	}{{"latency", op.Latency}, {"tta", op.TTA}, {"tte", op.TTE}} {
		p := of.p
		if p == nil {
			continue
		}
		c := measure.Curve{Op: op.Op, Measure: of.name}
		for _, at := range []struct{ percent, ms float64 }{{1, p.P50 / 2}, {50, p.P50}, {90, p.P90}, {99, p.P99}, {99.9, p.P999}} {
			c.Points = append(c.Points, measure.Point{Percent: at.percent, MS: at.ms})
		}
		all = append(all, c)
	}
	return all
}

// samples are runs of each kind that the report must show well, by the name of their file.
func samples() map[string]*Results {
	invalid := sampleResults()
	invalid.Stacks[1].Check = check.Result{
		Verdict: check.Invalid, Reasons: []string{"2 lost in the store. CreatePost 7 (" + hostile + ") is not there."},
		Figures: check.Figures{Acknowledged: check.Figure{Count: 958}, Lost: check.Lost{ByView: check.ByView{Store: check.Figure{Count: 2, Examples: []string{
			"CreatePost 7 " + hostile + " is not there.", "CreatePost 8 is not there.",
		}}}}},
	}
	invalid.Name, invalid.Settings.Broker, invalid.Rounds, invalid.Contrasts = "canary "+hostile, hostile, nil, nil
	invalid.Machine.CPU = hostile
	unknown := sampleResults()
	unknown.Rounds[2].Stacks = []Stack{unknown.Stacks[0], unknown.Stacks[1]}
	unknown.Rounds[2].Stacks[0].Check = check.Result{Verdict: check.Unknown, Reasons: []string{"The history is not complete: the run was interrupted."}}
	alone := sampleResults()
	alone.Stacks, alone.Rounds, alone.Contrasts = alone.Stacks[1:], nil, nil
	apart := sampleResults()
	apart.Rounds, apart.Contrasts, apart.NotComparable = nil, nil, "the seed differs: 1 and 2"
	return map[string]*Results{
		"full": sampleResults(), "invalid": invalid, "unknown": unknown, "alone": alone, "apart": apart, "missing": missingResults(), "hostile": hostileResults(),
	}
}

// hostileResults hold text that looks like markup wherever a history can put text.
func hostileResults() *Results {
	r := sampleResults()
	r.Rounds, r.Name, r.Settings.Broker, r.Machine.CPU, r.Machine.Libraries = nil, hostile, hostile, hostile, map[string]string{hostile: hostile}
	r.Settings.Plan.Steps[0].Victim, r.Contrasts[0].Figure, r.NotComparable = hostile, hostile, ""
	s := &r.Stacks[1]
	s.Check.Verdict, s.Check.Reasons, s.Check.Figures.Lost.Log = check.Invalid, []string{hostile}, check.Figure{Count: 1, Examples: []string{hostile}}
	s.Check.Figures.RealtimeLag[hostile] = 1
	for i := range r.Stacks {
		f := &r.Stacks[i].Figures
		f.Faults[0].Victim, f.Faults[0].RecoveryProblem, f.Faults[0].BlastRadius[0].Op = hostile, hostile, hostile
		f.Ops[0].Op, f.Timelines[1].Op, f.Writes[1].Op, f.Curves[0].Op = hostile, hostile, hostile, hostile
	}
	return r
}

// missingResults are those of a run that found out nearly nothing: what can be null is.
func missingResults() *Results {
	r := sampleResults()
	r.Rounds, r.Contrasts, r.Settings.Plan.Steps = nil, nil, scenario.Kills(scenario.DefaultSlot(), "posts")
	for i := range r.Stacks {
		s := &r.Stacks[i]
		s.Figures = measure.Report{Stack: s.Stack, Ops: []measure.Op{{Op: "CreateComment", Write: true}, {Op: "ListFeed"}}, Faults: []measure.Fault{{
			Name: "kill", Victim: "posts", RecoveryProblem: "it was not seen to be lifted", BlastRadius: []measure.Cell{{Op: "CreateComment"}},
		}}}
		s.Check = check.Result{Verdict: check.Unknown, Reasons: []string{fmt.Sprintf("The load of %s has no operations.", s.Stack)}}
		s.Cost = scenario.Cost{}
	}
	return r
}
