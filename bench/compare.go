package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tandem/bench/check"
	"tandem/bench/cluster"
	"tandem/bench/history"
	"tandem/bench/measure"
	"tandem/bench/report"
)

// comparison is what `tandem compare` finds out about two runs.
type comparison struct {
	A side `json:"a"`
	B side `json:"b"`
	// Differences are the settings and the machine, as far as they are not the same: what a claim may come from.
	Differences []difference `json:"differences"`
	// Notes are why less is claimed than the figures seem to say.
	Notes     []string           `json:"notes"`
	Contrasts []measure.Contrast `json:"contrasts"`
}

// side is one of the runs.
type side struct {
	Folder  string        `json:"folder"`
	Rounds  int           `json:"rounds"`
	Verdict check.Verdict `json:"verdict"`

	results   *report.Results
	histories map[string]*history.History // of the first round, by stack
}

// difference is a setting that is not the same on both sides, by its name in results.json.
type difference struct {
	Setting string `json:"setting"`
	A       string `json:"a"`
	B       string `json:"b"`
}

func newCompare() *cobra.Command {
	var results string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "compare A B",
		Short: "Set two runs side by side, and say which differences the data support",
		Long: "Set two runs side by side, each given by its folder, its results.json, or its name under results/.\n\n" +
			"Both must have had the same work under the same terms (seed, schedule, rate, length, deadline); otherwise the reason is\n" +
			"printed instead. Runs with one round each are told apart by blocks of 1 s of their steady windows: that says that these two\n" +
			"runs differ, and not whether a setting or the machine made them. Runs with 6 rounds each are told apart by their rounds.\n\n" +
			"Exit codes: 0 compared, 1 error or not comparable, 2 usage.",
		Args: arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := compare(results, args[0], args[1])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), found)
			}
			return found.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&results, "results", "results", "`folder` in which runs are looked for by name")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON to stdout instead of tables")
	return cmd
}

// compare sets two runs side by side.
func compare(results, a, b string) (*comparison, error) {
	c := &comparison{Differences: []difference{}, Notes: []string{}, Contrasts: []measure.Contrast{}}
	var errs [2]error
	c.A, errs[0] = openSide(results, a)
	c.B, errs[1] = openSide(results, b)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	stacks := c.common()
	if len(stacks) == 0 {
		return nil, fmt.Errorf("%s and %s have no stack in common: run the same stacks in both", c.A.Folder, c.B.Folder)
	}
	for _, stack := range stacks {
		if err := measure.Comparable(c.A.histories[stack], c.B.histories[stack]); err != nil {
			return nil, fmt.Errorf("%s: %w", stack, err)
		}
	}
	if err := c.findDifferences(); err != nil {
		return nil, err
	}
	for _, stack := range stacks {
		c.contrast(stack)
	}
	c.qualify()
	return c, nil
}

// openSide reads a run.
func openSide(results, name string) (side, error) {
	folder, err := folderOf(results, name)
	if err != nil {
		return side{}, err
	}
	s := side{Folder: folder, histories: map[string]*history.History{}}
	if s.results, err = report.Read(folder); err != nil {
		return side{}, err
	}
	s.Rounds, s.Verdict = max(1, len(s.results.Rounds)), s.results.Verdict()
	for _, stack := range s.results.Stacks {
		if s.histories[stack.Stack], err = history.Read(filepath.Join(folder, stack.History)); err != nil {
			return side{}, err
		}
	}
	return s, nil
}

// folderOf finds the folder of a run by its path, its results.json, or its name.
func folderOf(results, name string) (string, error) {
	for _, path := range []string{name, filepath.Join(results, name)} {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return "", err
		case info.IsDir():
			return path, nil
		}
		return filepath.Dir(path), nil
	}
	named, err := filepath.Glob(filepath.Join(results, "*-"+name))
	if err != nil || len(named) == 0 {
		return "", fmt.Errorf("no run %s, here or in %s: give its folder, its %s or its name", name, results, report.FileName)
	}
	if len(named) > 1 {
		return "", fmt.Errorf("%d runs are named %s: give one of %s", len(named), name, strings.Join(named, ", "))
	}
	return named[0], nil
}

// common are the stacks that both runs have.
func (c *comparison) common() (stacks []string) {
	for _, stack := range []string{cluster.Sync, cluster.Async} {
		if c.A.histories[stack] != nil && c.B.histories[stack] != nil {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// findDifferences compares everything that the two runs were done with.
func (c *comparison) findDifferences() error {
	a, errA := settingsOf(c.A.results)
	b, errB := settingsOf(c.B.results)
	if err := errors.Join(errA, errB); err != nil {
		return err
	}
	names := maps.Clone(a)
	maps.Copy(names, b)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if a[name] != b[name] && name != "settings.repeat" {
			c.Differences = append(c.Differences, difference{Setting: name, A: a[name], B: b[name]})
		}
	}
	return nil
}

// settingsOf are the settings and the machine of a run, by their names in results.json.
func settingsOf(r *report.Results) (map[string]string, error) {
	text, err := json.Marshal(map[string]any{"settings": r.Settings, "machine": r.Machine})
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	numbers := json.NewDecoder(bytes.NewReader(text))
	numbers.UseNumber() // as they stand in the file
	if err := numbers.Decode(&tree); err != nil {
		return nil, err
	}
	flat := map[string]string{}
	flatten("", tree, flat)
	return flat, nil
}

func flatten(name string, value any, into map[string]string) {
	branch, ok := value.(map[string]any)
	if !ok {
		into[name] = fmt.Sprint(value)
		return
	}
	for key, v := range branch {
		flatten(strings.TrimPrefix(name+"."+key, "."), v, into)
	}
}

// contrast sets the figures of a stack side by side.
func (c *comparison) contrast(stack string) {
	contrasts := measure.Unpaired(c.A.headlines(stack), c.B.headlines(stack))
	if c.A.Rounds == 1 && c.B.Rounds == 1 {
		byBlocks := map[string]measure.Contrast{}
		for _, block := range measure.Blocks(c.A.histories[stack], c.B.histories[stack]) {
			byBlocks[block.Figure] = block
		}
		for i, row := range contrasts {
			if block, found := byBlocks[row.Figure]; found {
				contrasts[i] = block
			}
		}
	}
	for i := range contrasts {
		contrasts[i].Stack = stack
	}
	c.Contrasts = append(c.Contrasts, contrasts...)
}

// headlines are the headline figures of a stack in each round.
func (s *side) headlines(stack string) (rounds [][]measure.Figure) {
	for _, found := range s.results.OfRounds() {
		if found.Stack == stack {
			rounds = append(rounds, found.Headline())
		}
	}
	return rounds
}

// qualify notes what a reader must know before believing a claim, and takes back those of runs without a verdict.
func (c *comparison) qualify() {
	sides := []side{c.A}
	if c.B.Folder != c.A.Folder {
		sides = append(sides, c.B)
	}
	for _, s := range sides {
		switch s.Verdict {
		case check.Unknown:
			unclaim(c.Contrasts)
			c.Notes = append(c.Notes, fmt.Sprintf("Nothing is claimed: %s does not allow a verdict; see `tandem check %s`.", s.Folder, s.Folder))
		case check.Invalid:
			c.Notes = append(c.Notes, fmt.Sprintf("%s broke a guarantee; see `tandem check %s`.", s.Folder, s.Folder))
		}
	}
	switch least := min(c.A.Rounds, c.B.Rounds); {
	case c.A.Rounds == 1 && c.B.Rounds == 1:
		c.Notes = append(c.Notes, fmt.Sprintf("One round each: what is claimed is that these two runs differ. Whether a setting or the machine made them, "+
			"only rounds can tell: --repeat %d.", measure.LeastRounds))
	case least < measure.LeastRounds:
		c.Notes = append(c.Notes, fmt.Sprintf("Not enough rounds to claim a difference: %d and %d, and it takes %d of each.",
			c.A.Rounds, c.B.Rounds, measure.LeastRounds))
	}
}

// print writes what differs in what was done, then a table for each stack.
func (c *comparison) print(w io.Writer) error {
	fmt.Fprintf(w, "A: %s  %s, rounds: %d\n", c.A.Folder, strings.ToUpper(string(c.A.Verdict)), c.A.Rounds)
	fmt.Fprintf(w, "B: %s  %s, rounds: %d\n", c.B.Folder, strings.ToUpper(string(c.B.Verdict)), c.B.Rounds)
	if len(c.Differences) == 0 {
		fmt.Fprintln(w, "Settings and machine are the same.")
	}
	for _, d := range c.Differences {
		fmt.Fprintf(w, "%s differs: %s and %s\n", d.Setting, orNone(d.A), orNone(d.B))
	}
	for _, note := range c.Notes {
		fmt.Fprintln(w, note)
	}
	for _, stack := range c.common() {
		rows := slices.DeleteFunc(slices.Clone(c.Contrasts), func(row measure.Contrast) bool { return row.Stack != stack })
		fmt.Fprintln(w)
		table := report.Contrasts{Title: stack, A: "A", B: "B", Rows: rows}
		if err := table.Print(w); err != nil {
			return err
		}
	}
	return nil
}

func orNone(value string) string {
	if value == "" {
		return "nothing"
	}
	return value
}
