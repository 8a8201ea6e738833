package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"tandem/bench/check"
	"tandem/bench/fault"
	"tandem/bench/history"
	"tandem/bench/measure"
	"tandem/bench/report"
	"tandem/bench/scenario"
)

// rejudged is what `tandem check` finds out about one history.
type rejudged struct {
	History string         `json:"history"`
	Stack   string         `json:"stack"`
	Figures measure.Report `json:"figures"`
	Check   check.Result   `json:"check"`

	history *history.History
}

func newCheck() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check FOLDER|HISTORY",
		Short: "Judge a saved run again, from its history alone",
		Long: "Judge again what a run recorded: a folder of `tandem bench`, or one history.jsonl.\n\n" +
			"Exit codes: 0 valid, 1 error, 2 usage, 3 a guarantee was violated, 4 the run does not allow a verdict.",
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := rejudge(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), found)
			} else {
				err = asResults(found).PrintChecks(cmd.OutOrStdout())
			}
			return errors.Join(err, verdictError(asResults(found)))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON to stdout instead of a table")
	return cmd
}

// rejudge judges the histories at a path.
func rejudge(path string) ([]rejudged, error) {
	paths, err := historiesAt(path)
	if err != nil {
		return nil, err
	}
	var found []rejudged
	for _, p := range paths {
		h, err := history.Read(p)
		if err != nil {
			return nil, err
		}
		found = append(found, rejudged{
			History: p, Stack: h.Header.Stack, Figures: measure.Measure(h), Check: check.Check(h), history: h,
		})
	}
	return found, nil
}

// historiesAt returns the path itself if it is a file, or the histories in the folder, its stacks' folders, and those of its rounds.
func historiesAt(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: name a folder of `tandem bench`, or a %s", err, historyName)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	paths, err := historiesIn(path)
	for n := 1; err == nil; n++ {
		var more []string
		if more, err = historiesIn(filepath.Join(path, roundName(n))); len(more) == 0 {
			break
		}
		paths = append(paths, more...)
	}
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no %s in %s: name a folder of `tandem bench`", historyName, path)
	}
	return paths, nil
}

// historiesIn returns the histories in a folder and its stacks' folders.
func historiesIn(path string) (paths []string, err error) {
	for _, folder := range []string{".", "sync", "async"} {
		p := filepath.Join(path, folder, historyName)
		switch _, err := os.Stat(p); {
		case err == nil:
			paths = append(paths, p)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	return paths, nil
}

// roundsOf puts together what was found in one folder.
func roundsOf(found []rejudged) (all []report.Round) {
	last := ""
	for _, f := range found {
		if folder := filepath.Dir(filepath.Dir(f.History)); folder != last || len(all) == 0 {
			all, last = append(all, report.Round{}), folder
		}
		round := &all[len(all)-1]
		round.Stacks = append(round.Stacks, report.Stack{Stack: f.Stack, History: f.History, Figures: f.Figures, Check: f.Check})
	}
	return all
}

// asResults lets the histories be shown as a run's results are.
func asResults(found []rejudged) *report.Results {
	r := &report.Results{}
	if len(found) == 0 {
		return r
	}
	all := roundsOf(found)
	if r.Stacks = all[0].Stacks; len(all) > 1 {
		r.Rounds = all
	}
	for _, f := range found[0].Figures.Faults {
		r.Settings.Plan.Steps = append(r.Settings.Plan.Steps, scenario.Step{Spec: fault.Spec{Kind: f.Name, Victim: f.Victim}})
	}
	for _, other := range found[1:] {
		if err := measure.Comparable(found[0].history, other.history); err != nil {
			r.NotComparable = err.Error()
		}
	}
	r.Contrasts = contrastsOf(r)
	return r
}
