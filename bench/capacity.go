package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tandem/bench/capacity"
	"tandem/bench/cluster"
	"tandem/bench/report"
	"tandem/bench/scenario"
)

// search is one run of `tandem capacity`.
type search struct {
	plan     capacity.Plan
	config   cluster.Config // but for the stack and the folder
	stacks   []string
	repeat   int    // searches of each stack
	procs    int    // GOMAXPROCS of this process
	results  string // the folder that gets a folder for this run
	name     string
	asJSON   bool
	keepData bool
	open     bool // the report, in the browser

	stdout, stderr io.Writer
}

func newCapacity() *cobra.Command {
	s := &search{plan: capacity.DefaultPlan()}
	cmd := &cobra.Command{
		Use:   "capacity [sync|async|both]",
		Short: "Find the highest rate that each stack holds",
		Long: "Find the highest rate that each stack holds: start it, fill it, and load it again and again, each time when it has\n" +
			"caught up, at rates that rise until the answers are too late, too many fail, or the work is only put off; then come\n" +
			"closer from both sides. A rate that the load generator itself could not hold is not called the stack's capacity.\n\n" +
			"Exit codes: 0 the capacity is known, 1 error, 2 usage, 4 it is not: it is only known what it is at least, or nothing.",
		ValidArgs: []string{cluster.Sync, cluster.Async, both},
		Args:      arguments(oneStackOrBoth),
		RunE: func(cmd *cobra.Command, args []string) error {
			s.stacks, s.stdout, s.stderr = stacksOf(args), cmd.OutOrStdout(), cmd.ErrOrStderr()
			if err := errors.Join(checkName(s.name), checkRepeat(s.repeat), s.plan.Check()); err != nil {
				return usageError(cmd, err)
			}
			return s.run(cmd.Context())
		},
	}
	addSettings(cmd, &s.config)
	addSearch(cmd, &s.plan)
	addOwnProcs(cmd, &s.procs)
	f := cmd.Flags()
	f.StringVar(&s.results, "results", "results", "`folder` that gets a folder for this run")
	f.StringVar(&s.name, "name", "capacity", "name of this run: the end of its folder's name")
	f.IntVar(&s.repeat, "repeat", 1, "how many `searches` of each stack, each on a fresh one; from 6 on, a difference can be claimed")
	f.BoolVar(&s.keepData, "keep-data", false, "keep the databases")
	f.BoolVar(&s.asJSON, "json", false, "print "+report.CapacityFileName+" to stdout instead of tables")
	addOpen(cmd, &s.open)
	return cmd
}

func addSearch(cmd *cobra.Command, p *capacity.Plan) {
	f, o, b := cmd.Flags(), &p.Objective, &p.Bounds
	f.DurationVar(&o.P99, "objective", o.P99, "longest p99 of the time to the answer, from the intended send")
	f.Var(newPercent(&o.Availability), "availability", "least share of OK answers, in `percent`")
	f.DurationVar(&o.TTE, "tte-objective", o.TTE, "longest p99 of the time to effect of writes; 0 for no bound")
	f.DurationVar(&o.Drain, "drain", o.Drain, "longest time after a load until every acknowledged write shows")
	f.DurationVar(&p.Length, "length", p.Length, "of the load at each rate")
	f.DurationVar(&p.Deadline, "deadline", p.Deadline, "of each operation, from its intended send time")
	f.Float64Var(&b.Start, "start", b.Start, "first `rate`, in operations per second")
	f.Float64Var(&b.Least, "least", b.Least, "lowest `rate` to try")
	f.Float64Var(&b.Most, "most", b.Most, "highest `rate` to try")
	f.Float64Var(&b.Growth, "growth", b.Growth, "`factor` between rates until one is missed")
	f.Var(newPercent(&b.Precision), "precision", "how far the lowest missed rate may be above the highest held one, in `percent`")
	f.IntVar(&b.Steps, "steps", b.Steps, "most loads of a search")
	f.DurationVar(&b.Time, "time", b.Time, "no load of a search begins later than this after its first")
	f.Uint64Var(&p.Seed, "seed", p.Seed, "seed of everything that is left to chance")
	addWork(cmd, work{&p.Arrivals, &p.Zipf, &p.Mix, &p.World})
}

func (s *search) run(ctx context.Context) error {
	start := time.Now()
	dir, err := newFolder(s.results, start.Format("20060102-150405")+"-"+s.name)
	if err != nil {
		return fmt.Errorf("make the folder of the results: %w; choose another with --results", err)
	}
	found := &report.Capacity{
		Schema: report.CapacitySchema, Name: s.name, Start: start, Settings: s.settings(), Machine: report.ThisMachine(),
	}
	for n := 1; n <= s.repeat; n++ {
		if err := s.round(ctx, found, dir, n); err != nil {
			return err
		}
	}
	return s.tell(found, dir)
}

// round searches once on each stack. In every other round they take turns the other way round, so that what changes on the
// machine over time hurts both. What was found is written after each round.
func (s *search) round(ctx context.Context, found *report.Capacity, dir string, n int) error {
	stacks, folder := slices.Clone(s.stacks), ""
	if n%2 == 0 {
		slices.Reverse(stacks)
	}
	if s.repeat > 1 {
		folder = fmt.Sprintf("round-%d", n)
	}
	for _, stack := range stacks {
		result, err := s.one(ctx, place{dir, folder, stack})
		if err != nil {
			return fmt.Errorf("%s: %w%s", stack, err, leftBehind(dir, folder, stack))
		}
		found.Add(stack, result)
	}
	return found.Write(dir)
}

// one is one search on a fresh stack.
func (s *search) one(ctx context.Context, at place) (capacity.Result, error) {
	config := s.config
	config.Stack, config.Dir = at.stack, at.folder()
	if err := os.MkdirAll(config.Dir, 0o755); err != nil {
		return capacity.Result{}, err
	}
	defer takeProcs(s.procs)()
	show := newProgress(s.stderr, at.stack)
	result, err := capacity.Find(ctx, s.plan, capacity.Lab{
		Cluster: config, Log: slog.New(slog.NewTextHandler(show.aside(), nil)),
		Show: func(p capacity.Progress) { show.update(searchProgress(p)) },
	})
	show.end()
	if err != nil && ctx.Err() != nil { // whatever the step under way made of it
		err = errors.New("interrupted")
	}
	if err == nil && !s.keepData {
		err = os.RemoveAll(filepath.Join(config.Dir, "data"))
	}
	return result, err
}

// searchProgress is how far a search is, for the line that shows it.
func searchProgress(p capacity.Progress) scenario.Progress {
	stage := p.Stage
	if p.Step > 0 {
		stage = fmt.Sprintf("step %d, %.0f a second: %s", p.Step, p.Rate, stageName(p.Stage))
	}
	return scenario.Progress{Stage: stage, Done: p.Done, Total: p.Total}
}

func (s *search) settings() report.CapacitySettings {
	return report.CapacitySettings{
		Plan: s.plan, Repeat: s.repeat, SyncLevel: s.config.SyncLevel, AsyncLevel: s.config.AsyncLevel, Acks: s.config.Acks,
		DBSync: s.config.DBSync, Procs: s.config.Procs, OwnProcs: s.procs, Broker: embeddedBroker,
	}
}

// tell prints what was found, and returns what it says of the exit code.
func (s *search) tell(found *report.Capacity, dir string) error {
	if err := s.print(found); err != nil {
		return err
	}
	fmt.Fprint(s.stderr, whereItIs(dir))
	if s.open {
		openPage(filepath.Join(dir, report.PageName), s.stderr)
	}
	if !found.Known() {
		return &exitError{exitUnknown, errors.New("the capacity is not known: the reasons are under Capacity")}
	}
	return nil
}

func (s *search) print(found *report.Capacity) error {
	if !s.asJSON {
		return found.Print(s.stdout)
	}
	return printJSON(s.stdout, found)
}
