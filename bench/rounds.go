package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"tandem/bench/check"
	"tandem/bench/cluster"
	"tandem/bench/history"
	"tandem/bench/measure"
	"tandem/bench/report"
	"tandem/bench/scenario"
)

// rounds is the experiment of a run, as often as was asked for.
type rounds struct {
	*bench
	experiment *scenario.Experiment
	results    *report.Results
	dir        string
}

// run carries out the rounds, each from a fresh start. The results are written after each, so that what is complete stays if a
// later one fails or is interrupted.
func (r *rounds) run(ctx context.Context) error {
	for n := 1; n <= r.repeat; n++ {
		round, err := r.one(ctx, n)
		if err != nil {
			return fmt.Errorf("%w%s", err, r.complete())
		}
		r.add(round)
		if err := errors.Join(r.tidy(round), r.results.Write(r.dir), r.results.WritePage(r.dir)); err != nil {
			return err
		}
	}
	return nil
}

// one runs each stack once. In every other round they take turns the other way round, so that what changes on the machine over
// time hurts both.
func (r *rounds) one(ctx context.Context, n int) (round report.Round, err error) {
	histories := map[string]*history.History{}
	for _, stack := range r.order(n) {
		found, h, err := r.runStack(ctx, r.experiment, place{r.dir, r.folder(n), stack})
		if err != nil {
			return report.Round{}, fmt.Errorf("%s: %w%s", stack, err, leftBehind(r.dir, r.folder(n), stack))
		}
		round.Stacks, histories[stack] = append(round.Stacks, found), h
	}
	if len(histories) == 2 {
		if err := measure.Comparable(histories[cluster.Sync], histories[cluster.Async]); err != nil {
			r.results.NotComparable = err.Error()
		}
	}
	return round, nil
}

// order is that of the stacks in round n, from 1.
func (r *rounds) order(n int) []string {
	stacks := slices.Clone(r.stacks)
	if n%2 == 0 {
		slices.Reverse(stacks)
	}
	return stacks
}

// folder is the folder of round n within that of the run. A run with one round has none.
func (r *rounds) folder(n int) string {
	if r.repeat == 1 {
		return ""
	}
	return roundName(n)
}

func roundName(n int) string { return fmt.Sprintf("round-%d", n) }

// add adds a round to the results.
func (r *rounds) add(round report.Round) {
	if len(r.results.Stacks) == 0 {
		r.results.Stacks = round.Stacks
	}
	if r.repeat == 1 {
		return
	}
	light := report.Round{}
	for _, s := range round.Stacks {
		light.Stacks = append(light.Stacks, s.Light())
	}
	r.results.Rounds = append(r.results.Rounds, light)
	r.results.Contrasts = contrastsOf(r.results)
}

// tidy removes the databases of stacks that are not worth looking into: they are the largest part of what a run leaves behind.
func (r *rounds) tidy(round report.Round) error {
	for _, s := range round.Stacks {
		if r.keepData || s.Check.Verdict != check.Valid {
			continue
		}
		if err := os.RemoveAll(filepath.Join(r.dir, filepath.Dir(s.History), "data")); err != nil {
			return fmt.Errorf("remove the databases: %w", err)
		}
	}
	return nil
}

// complete says what there is of a run that failed.
func (r *rounds) complete() string {
	if len(r.results.Rounds) == 0 {
		return ""
	}
	return fmt.Sprintf("; %s holds the %d of %d rounds that are complete", report.FileName, len(r.results.Rounds), r.repeat)
}

// contrastsOf sets the stacks beside each other over all rounds. Rounds without a verdict are no ground for a claim.
func contrastsOf(results *report.Results) []measure.Contrast {
	if results.NotComparable != "" {
		return nil
	}
	sides := map[string][][]measure.Figure{}
	for _, round := range results.Rounds {
		for _, s := range round.Stacks {
			sides[s.Stack] = append(sides[s.Stack], s.Headline())
		}
	}
	if len(sides) < 2 {
		return nil
	}
	contrasts := measure.Paired(sides[cluster.Sync], sides[cluster.Async])
	if results.Verdict() == check.Unknown {
		unclaim(contrasts)
	}
	return contrasts
}

// unclaim takes back all claims.
func unclaim(contrasts []measure.Contrast) {
	for i := range contrasts {
		contrasts[i].Claimed = false
	}
}

// place is where a stack's part of a run goes.
type place struct{ run, round, stack string }

// folder holds everything of the stack.
func (p place) folder() string { return filepath.Join(p.run, p.round, p.stack) }
