package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"tandem/bench/check"
	"tandem/bench/cluster"
	"tandem/bench/fault"
	"tandem/bench/ladder"
	"tandem/bench/report"
	"tandem/bench/scenario"
)

// laddered are the scenarios that are run if none is named: one for retries, one for deadlines, one for the outbox.
func laddered() []string { return []string{"partial-errors", "slow-leaf", "outbox"} }

func newLadder() *cobra.Command {
	r := &ladderRun{}
	cmd := &cobra.Command{
		Use:   "ladder [SCENARIO|FILE…]",
		Short: "Run scenarios at every protection level, and say what each level buys and costs",
		Long: "Run scenarios at every protection level of both stacks, and print what each one buys and costs, and where it is worse than\n" +
			"the level below it. Without a name: partial-errors, slow-leaf and outbox, which takes about ten minutes. What the scenarios\n" +
			"expect is not judged.\n\n" + ladder.Legend() + "\n\n" +
			"Exit codes: 0 no level broke what it promises, 1 error, 2 usage, 3 one did, 4 a run does not allow a verdict. All levels of sync\n" +
			"promise to lose and double nothing, and so does dead-letter of async; the others are there to show what happens without it.",
		Example: "  tandem ladder\n  tandem ladder partial-errors --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			r.bench.stdout, r.bench.stderr = io.Discard, cmd.ErrOrStderr()
			if len(args) == 0 {
				args = laddered()
			}
			found, err := findScenarios(args)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			return r.climb(cmd.Context(), found, cmd.OutOrStdout())
		},
	}
	r.addFlags(cmd)
	return cmd
}

// ladderRun runs scenarios at every level.
type ladderRun struct{ scenarioRun }

func (r *ladderRun) climb(ctx context.Context, all []*scenario.Scenario, stdout io.Writer) error {
	var done []ladder.Rung
	for _, s := range all {
		rungs, err := r.each(ctx, s)
		if err != nil {
			return fmt.Errorf("scenario %s: %w", s.Name, err)
		}
		done = append(done, rungs...)
		if !r.asJSON {
			if err := printLadder(stdout, s, rungs); err != nil {
				return err
			}
		}
	}
	if r.asJSON {
		if err := printJSON(stdout, done); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(stdout, ladder.Legend())
	}
	return promised(done)
}

// each runs a scenario at every level of both stacks. Sync comes first.
func (r *ladderRun) each(ctx context.Context, s *scenario.Scenario) ([]ladder.Rung, error) {
	if err := r.measureCapacity(ctx, s); err != nil {
		return nil, err
	}
	of := map[string][]ladder.Rung{}
	for _, v := range scenario.EachLevel() {
		results, dir, err := r.carryOut(ctx, s, v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v, err)
		}
		for _, stack := range results.Stacks {
			rung := ladder.New(s.Name, levelOf(stack.Stack, v), dir, matterIn(s.Plan, stack), stack)
			of[stack.Stack] = append(of[stack.Stack], rung)
		}
	}
	rungs := slices.Concat(of[cluster.Sync], of[cluster.Async])
	ladder.Mark(rungs)
	return rungs, nil
}

// matterIn are the operations that the faults of a plan are about.
func matterIn(p scenario.Plan, stack report.Stack) []string {
	var faults []fault.Spec
	for _, step := range p.Steps {
		faults = append(faults, step.Spec)
	}
	var ops []string
	for _, op := range stack.Figures.Ops {
		ops = append(ops, op.Op)
	}
	return ladder.Mattering(faults, ops)
}

func printLadder(w io.Writer, s *scenario.Scenario, rungs []ladder.Rung) error {
	fmt.Fprintf(w, "%s: %s\n  %s\n", s.Name, s.Title, s.Question)
	if err := ladder.Print(w, rungs); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// promised is the exit code: what a level does not promise it may break.
func promised(all []ladder.Rung) error {
	broke, unknown := 0, 0
	for _, r := range all {
		switch {
		case r.Verdict == check.Unknown:
			unknown++
		case r.Verdict == check.Invalid && (r.Stack == cluster.Sync || r.Level == "dead-letter"):
			broke++
		}
	}
	switch {
	case broke > 0:
		return &exitError{exitInvalid, fmt.Errorf("%d of %d runs broke what their level promises", broke, len(all))}
	case unknown > 0:
		return &exitError{exitUnknown, fmt.Errorf("%d of %d runs do not allow a verdict: run them again on a quiet machine", unknown, len(all))}
	}
	return nil
}
