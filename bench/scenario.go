package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tandem/bench/check"
	"tandem/bench/cluster"
	"tandem/bench/expect"
	"tandem/bench/report"
	"tandem/bench/scenario"
)

func newScenario() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scenario",
		Short: "Lessons: one fault, both stacks, and whether what was expected came true",
		Args:  unknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newScenarioList(), newScenarioShow(), newScenarioCheck(), newScenarioRun(), newScenarioCompare())
	return cmd
}

func newScenarioList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the scenarios of the catalogue", Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range scenario.Names() {
				s, err := scenario.Find(name)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%-18s %s\n", s.Name, s.Title)
			}
			return nil
		},
	}
}

func newScenarioShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Print a scenario's file, to read or to start another one from", Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, text, err := scenario.Source(args[0])
			if err != nil {
				return usageError(cmd, err)
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
}

func newScenarioCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check FILE…", Short: "Say what is wrong with scenario files, and run nothing", Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := findScenarios(args)
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), "nothing wrong")
			}
			return err
		},
	}
}

func newScenarioRun() *cobra.Command {
	r := &scenarioRun{}
	cmd := &cobra.Command{
		Use:   "run NAME|FILE…",
		Short: "Run scenarios on both stacks, and judge what was expected",
		Long: "Run scenarios of the catalogue, or from files (names with a . or a /), each stack once at each of\n" +
			"its levels that a scenario names. `all` stands for the whole catalogue.\n\n" +
			"Exit codes: 0 all that was expected came true (a verdict of unknown too, if it was expected), 1 error, 2 usage,\n" +
			"3 something did not, 4 something did not, but only in runs that do not allow a verdict, and what kept them from one can be\n" +
			"the reason. A busy machine makes what it runs slower, and fail more often; it makes nothing quicker or better,\n" +
			"and loses and doubles nothing: what differs in such a direction is a 3 there too.",
		Example: "  tandem scenario run leaf-down\n  tandem scenario run all --seed 7",
		Args:    arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.bench.stdout, r.bench.stderr = io.Discard, cmd.ErrOrStderr()
			found, err := findScenarios(args)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			return r.run(cmd.Context(), found, cmd.OutOrStdout())
		},
	}
	r.addFlags(cmd)
	cmd.Flags().StringVar(&r.record, "record", "", "`file` that gets what was expected and measured, for `tandem scenario compare`")
	return cmd
}

// addFlags adds what all commands have that run scenarios.
func (r *scenarioRun) addFlags(cmd *cobra.Command) {
	addHow(cmd, &r.bench.config)
	takeFreePorts(cmd)
	addOwnProcs(cmd, &r.bench.procs)
	cmd.Flags().Uint64Var(&r.seed, "seed", 0, "seed of everything that is left to chance; 0 for each scenario's own")
	cmd.Flags().StringVar(&r.bench.results, "results", "results", "`folder` that gets a folder for each run")
	cmd.Flags().BoolVar(&r.asJSON, "json", false, "print JSON to stdout instead of tables")
}

// takeFreePorts makes free ports the default: nobody calls a service of a scenario by hand, and so it can run beside `tandem up`.
func takeFreePorts(cmd *cobra.Command) {
	f := cmd.Flags().Lookup("free-ports")
	f.DefValue = "true"
	_ = f.Value.Set(f.DefValue) // it is a word for a bool
}

// findScenarios reads all that is named before anything runs.
func findScenarios(args []string) (found []*scenario.Scenario, err error) {
	if slices.Equal(args, []string{"all"}) {
		args = scenario.Names()
	}
	var errs []error
	for _, arg := range args {
		s, err := findScenario(arg)
		errs, found = append(errs, err), append(found, s)
	}
	return found, errors.Join(errs...)
}

func findScenario(arg string) (*scenario.Scenario, error) {
	if !strings.ContainsAny(arg, `./\`) {
		return scenario.Find(arg)
	}
	text, err := os.ReadFile(arg)
	if err != nil {
		return nil, fmt.Errorf("read the scenario: %w", err)
	}
	return scenario.Parse(arg, text)
}

// scenarioRun runs scenarios one after the other.
type scenarioRun struct {
	bench  bench
	seed   uint64
	record string // path; "" for none
	asJSON bool
}

// judged is one stack's part of a run of a scenario, and what became of the expectations.
type judged struct {
	Scenario string           `json:"scenario"`
	Variant  string           `json:"variant"`
	Stack    string           `json:"stack"`
	Level    string           `json:"level"` // of the stack
	Folder   string           `json:"folder"`
	Verdict  check.Verdict    `json:"verdict"`
	Reasons  []string         `json:"reasons,omitempty"`
	Outcomes []expect.Outcome `json:"outcomes"`

	predictions []string // what the dependency graph and the single services predict, beside what was measured
}

func (r *scenarioRun) run(ctx context.Context, all []*scenario.Scenario, stdout io.Writer) error {
	var done []judged
	rec := record{Seed: r.seed, Start: time.Now(), Machine: report.ThisMachine()}
	for _, s := range all {
		if err := r.measureCapacity(ctx, s); err != nil {
			return fmt.Errorf("scenario %s: %w", s.Name, err)
		}
		for _, v := range s.Variants {
			of, err := r.one(ctx, s, v)
			if err != nil {
				return fmt.Errorf("scenario %s (%s): %w", s.Name, v, err)
			}
			done = append(done, of...)
			if err := r.keep(rec, done); err != nil {
				return err
			}
			if !r.asJSON {
				printJudged(stdout, s, of)
			}
		}
	}
	if r.asJSON {
		if err := printJSON(stdout, done); err != nil {
			return err
		}
	} else {
		printTally(stdout, done)
	}
	return tally(done)
}

// keep writes the record of the runs so far, if one is wanted.
func (r *scenarioRun) keep(rec record, done []judged) error {
	if r.record == "" {
		return nil
	}
	rec.Runs = done
	return rec.save(r.record)
}

// one runs a scenario in one variant, and judges it.
func (r *scenarioRun) one(ctx context.Context, s *scenario.Scenario, v scenario.Variant) ([]judged, error) {
	results, dir, err := r.carryOut(ctx, s, v)
	if err != nil {
		return nil, err
	}
	var all []judged
	for _, stack := range results.Stacks {
		all = append(all, judge(s, v, stack, dir))
	}
	return all, nil
}

// carryOut runs a scenario in one variant.
func (r *scenarioRun) carryOut(ctx context.Context, s *scenario.Scenario, v scenario.Variant) (*report.Results, string, error) {
	b := r.bench
	b.name, b.plan, b.repeat, b.stacks = s.Name, v.Plan(s.Plan), 1, v.Stacks()
	b.config.SyncLevel, b.config.AsyncLevel, b.config.Acks, b.config.Mistake = v.Sync, v.Async, v.Acks, v.Mistake
	if r.seed != 0 {
		b.plan.Seed = r.seed
	}
	return b.carryOut(ctx)
}

// measureCapacity measures what the scenario's load is measured by, once for all variants and both stacks, which must get the same load.
func (r *scenarioRun) measureCapacity(ctx context.Context, s *scenario.Scenario) error {
	if s.Plan.Capacity == nil {
		return nil
	}
	dir, err := os.MkdirTemp("", "tandem-capacity-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	config := r.bench.config
	config.Stack, config.Dir, config.SyncLevel = cluster.Sync, dir, s.Variants[0].Sync
	giveBack := takeProcs(r.bench.procs)
	defer giveBack()
	carried, err := s.Plan.MeasureCapacity(ctx, scenario.Lab{
		Cluster: config, Log: slog.New(slog.NewTextHandler(r.bench.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return fmt.Errorf("measure the capacity: %w", err)
	}
	s.Plan = s.Plan.WithCapacity(carried)
	c := s.Plan.Capacity
	fmt.Fprintf(r.bench.stderr, "tandem: sync carries %.1f %s a second; with %g of that the load is %g operations a second\n",
		c.PerSecond, c.Of, c.Share, s.Plan.Rate)
	return nil
}

func judge(s *scenario.Scenario, v scenario.Variant, stack report.Stack, dir string) judged {
	j := judged{
		Scenario: s.Name, Variant: v.String(), Stack: stack.Stack, Level: levelOf(stack.Stack, v), Folder: dir,
		Verdict: stack.Check.Verdict, Reasons: stack.Check.Reasons,
		predictions: stack.Predictions(),
	}
	r := expect.Run{Figures: stack.Figures, Check: stack.Check, RPCs: stack.Cost.RPCs, Messages: stack.Cost.Messages}
	for _, e := range s.Expected(stack.Stack, v) {
		j.Outcomes = append(j.Outcomes, e.Judge(r))
	}
	return j
}

// cameTrue tells whether all that was expected of a run came true.
func (j judged) cameTrue() bool {
	return !slices.ContainsFunc(j.Outcomes, func(o expect.Outcome) bool { return !o.Holds })
}

// isOpen tells whether all that did not come true may be due to what kept the run from a verdict.
func (j judged) isOpen() bool {
	return !slices.ContainsFunc(j.Outcomes, func(o expect.Outcome) bool { return !o.Holds && !o.Open })
}

func printJudged(w io.Writer, s *scenario.Scenario, all []judged) {
	fmt.Fprintf(w, "%s: %s\n  %s\n  %s\n", s.Name, s.Title, s.Question, all[0].Variant)
	for _, j := range all {
		for _, o := range j.Outcomes {
			fmt.Fprintf(w, "    %s  %-5s  %-60s  %s\n", mark(o), j.Stack, o.Expectation.Text, said(o))
		}
		for _, line := range j.predictions {
			fmt.Fprintf(w, "         %-5s  %s\n", j.Stack, line)
		}
		if j.Verdict == check.Unknown {
			for _, reason := range j.Reasons {
				fmt.Fprintf(w, "           %-5s  %s\n", j.Stack, reason)
			}
		}
	}
	fmt.Fprintf(w, "  %s\n\n", strings.TrimSpace(s.Lesson))
}

func mark(o expect.Outcome) string {
	switch {
	case o.Holds:
		return "ok "
	case o.Open:
		return "?  "
	}
	return "NOT"
}

func said(o expect.Outcome) string {
	if o.Problem != "" {
		return "(" + o.Problem + ")"
	}
	return o.Measured
}

func printTally(w io.Writer, all []judged) {
	fmt.Fprintf(w, "%-18s %-42s %-6s %-8s %s\n", "scenario", "at", "stack", "verdict", "expectations")
	for _, j := range all {
		held := 0
		for _, o := range j.Outcomes {
			if o.Holds {
				held++
			}
		}
		fmt.Fprintf(w, "%-18s %-42s %-6s %-8s %d of %d came true\n", j.Scenario, j.Variant, j.Stack, j.Verdict, held, len(j.Outcomes))
	}
}

// tally is the exit code. What did not come true counts, unless that a run has no verdict can be the reason.
func tally(all []judged) error {
	failed, open := 0, 0
	for _, j := range all {
		switch {
		case j.cameTrue():
		case j.isOpen():
			open++
		default:
			failed++
		}
	}
	switch {
	case failed > 0:
		return &exitError{exitInvalid, fmt.Errorf("%d of %d runs went otherwise than expected: see the lines marked NOT", failed, len(all))}
	case open > 0:
		return &exitError{exitUnknown, fmt.Errorf("%d of %d runs do not allow a verdict: run them again on a quiet machine", open, len(all))}
	}
	return nil
}
