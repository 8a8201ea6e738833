package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tandem/bench/cluster"
	"tandem/bench/expect"
	"tandem/bench/report"
	"tandem/bench/scenario"
)

// record is what a run of scenarios leaves for a comparison: `tandem scenario run --record` writes it.
type record struct {
	Seed    uint64         `json:"seed"` // 0: each scenario's own
	Start   time.Time      `json:"start"`
	Machine report.Machine `json:"machine"`
	Runs    []judged       `json:"runs"`
}

// save writes the record so far. A catalogue takes long, and what was measured before a failure is worth keeping.
func (r record) save(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.WriteFile(path, append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("keep the record of the scenarios: %w; choose another file with --record", err)
	}
	return nil
}

func readRecord(path string) (*record, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read a record: %w; `tandem scenario run all --record FILE` makes one", err)
	}
	r := &record{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s is no record of scenarios: %w", path, err)
	}
	if len(r.Runs) == 0 {
		return nil, fmt.Errorf("%s holds no runs: make it anew with `tandem scenario run all --record FILE`", path)
	}
	return r, nil
}

func newScenarioCompare() *cobra.Command {
	return &cobra.Command{
		Use:   "compare RECORD…",
		Short: "Print what was expected and measured in one or more runs as a table in Markdown, and what differs",
		Long: "Print a table of scenario, stack, expectation and what each run measured, from files that `tandem scenario run --record`\n" +
			"has written, and say which verdicts and expectations differ between the runs.\n\n" +
			"Exit codes: 0 all runs say the same and all that was expected came true, 1 error, 2 usage, 3 they differ, or something did\n" +
			"not come true.",
		Example: "  tandem scenario run all --seed 1 --record one.json\n  tandem scenario run all --seed 2 --record two.json\n" +
			"  tandem scenario compare one.json two.json > docs/catalogue.md",
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var records []*record
			for _, path := range args {
				r, err := readRecord(path)
				if err != nil {
					return err
				}
				records = append(records, r)
			}
			c := newCatalogue(records)
			c.print(cmd.OutOrStdout())
			return c.verdict()
		},
	}
}

// catalogue sets the runs of several records side by side.
type catalogue struct {
	records []*record
	rows    []row
}

// row is one stack at one level in one scenario, in each record.
type row struct {
	scenario, stack, level string
	runs                   []*judged // one for each record; nil where it has none
}

func newCatalogue(records []*record) *catalogue {
	c := &catalogue{records: records}
	for n, r := range records {
		for i := range r.Runs {
			c.place(n, &r.Runs[i])
		}
	}
	return c
}

func (c *catalogue) place(n int, j *judged) {
	i := slices.IndexFunc(c.rows, func(r row) bool {
		return r.scenario == j.Scenario && r.stack == j.Stack && r.level == j.Level
	})
	if i < 0 {
		i = len(c.rows)
		c.rows = append(c.rows, row{scenario: j.Scenario, stack: j.Stack, level: j.Level, runs: make([]*judged, len(c.records))})
	}
	c.rows[i].runs[n] = j
}

// verdicts are what the records that have a row say of it.
func (r row) verdicts() (all []string) {
	for _, j := range r.runs {
		if j != nil {
			all = append(all, string(j.Verdict))
		}
	}
	return all
}

// outcomes are what became of each expectation, by its text, in each record.
func (r row) outcomes() (texts []string, of map[string][]*expect.Outcome) {
	of = map[string][]*expect.Outcome{}
	for n, j := range r.runs {
		if j == nil {
			continue
		}
		for i := range j.Outcomes {
			text := j.Outcomes[i].Expectation.Text
			if of[text] == nil {
				texts, of[text] = append(texts, text), make([]*expect.Outcome, len(r.runs))
			}
			of[text][n] = &j.Outcomes[i]
		}
	}
	return texts, of
}

// failed tells whether an expectation did not come true in a record, or was not held against a run that the record has.
func (r row) failed(n int, o *expect.Outcome) bool { return r.runs[n] != nil && (o == nil || !o.Holds) }

func (r row) name() string { return fmt.Sprintf("%s, %s at %s", r.scenario, r.stack, r.level) }

// differing are the rows that do not have the same verdict in all records.
func (c *catalogue) differing() (found []string) {
	for _, r := range c.rows {
		if all := r.verdicts(); len(slices.Compact(slices.Clone(all))) > 1 {
			found = append(found, r.name()+": "+strings.Join(all, ", "))
		}
	}
	return found
}

// incomplete are the rows that some record lacks.
func (c *catalogue) incomplete() (found []string) {
	for _, r := range c.rows {
		if slices.Contains(r.runs, nil) {
			found = append(found, r.name())
		}
	}
	return found
}

// untrue are the expectations that did not come true in some record.
func (c *catalogue) untrue() (found []string) {
	for _, r := range c.rows {
		texts, of := r.outcomes()
		for _, text := range texts {
			for n, o := range of[text] {
				if r.failed(n, o) {
					found = append(found, r.name()+": "+text)
					break
				}
			}
		}
	}
	return found
}

func (c *catalogue) print(w io.Writer) {
	fmt.Fprint(w, "# The catalogue, measured\n\nWhat each scenario expects of each stack, and what came out. ")
	fmt.Fprint(w, "Written by `tandem scenario compare`; a scenario's own page says why.\n\n")
	c.printRuns(w)
	printList(w, fmt.Sprintf("The verdicts of all %d rows are the same in all runs that have them.", len(c.rows)), "Verdicts that differ:", c.differing())
	printList(w, "All rows are in all runs.", "Not in all runs:", c.incomplete())
	printList(w, "All that was expected came true.", "What did not come true:", c.untrue())
	fmt.Fprintln(w, "\n| scenario | stack | level | expected |"+strings.Repeat(" measured |", len(c.records))+" came true |")
	fmt.Fprintln(w, "|---|---|---|---|"+strings.Repeat("---|", len(c.records)+1))
	for _, r := range c.rows {
		r.print(w)
	}
}

func (c *catalogue) printRuns(w io.Writer) {
	for i, r := range c.records {
		seed := fmt.Sprintf("seed %d", r.Seed)
		if r.Seed == 0 {
			seed = "each scenario's own seed"
		}
		fmt.Fprintf(w, "- Run %d: %s, %s, %d cores (%s), %s, %s\n", i+1, seed, r.Start.UTC().Format("2006-01-02 15:04 UTC"), r.Machine.Cores,
			r.Machine.CPU, r.Machine.OS, r.Machine.Go)
	}
	fmt.Fprintln(w)
}

// printList says what is so if a list is empty, or what is in it.
func printList(w io.Writer, none, some string, list []string) {
	if len(list) == 0 {
		fmt.Fprintln(w, none)
		return
	}
	fmt.Fprintln(w, some+"\n")
	for _, line := range list {
		fmt.Fprintln(w, "- "+cell(line))
	}
	fmt.Fprintln(w)
}

// print writes a line for each expectation. The first one names the row.
func (r row) print(w io.Writer) {
	texts, of := r.outcomes()
	first := []string{fmt.Sprintf("[%s](walkthroughs/%s.md)", r.scenario, r.scenario), r.stack, cell(r.level)}
	for _, text := range texts {
		cells := append(slices.Clone(first), cell(text))
		came := "yes"
		for n, o := range of[text] {
			measured := "not run"
			if o != nil {
				measured = said(*o)
			}
			cells = append(cells, cell(measured))
			if r.failed(n, o) {
				came = "no"
			}
		}
		fmt.Fprintln(w, "| "+strings.Join(append(cells, came), " | ")+" |")
		first = []string{"", "", ""}
	}
}

// cell is text for a table in Markdown.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", "\n", " ").Replace(text)
}

// verdict is the exit code.
func (c *catalogue) verdict() error {
	differing, incomplete, untrue := c.differing(), c.incomplete(), c.untrue()
	if len(differing)+len(incomplete)+len(untrue) == 0 {
		return nil
	}
	return &exitError{exitInvalid, fmt.Errorf("%d verdicts differ, %d rows are not in every run, and %d expectations did not come true in every run: "+
		"they are listed above the table", len(differing), len(incomplete), len(untrue))}
}

// levelOf names the protection of one stack in a variant, and whatever else sets the variant apart: its name without the other stack.
func levelOf(stack string, v scenario.Variant) string {
	other := cluster.Async
	if stack == cluster.Async {
		other = cluster.Sync
	}
	parts := strings.Split(v.String(), ", ")
	parts = slices.DeleteFunc(parts, func(part string) bool {
		ofAsync := strings.HasPrefix(part, "acks ") || strings.HasPrefix(part, "mistake ")
		return strings.HasPrefix(part, other+" ") || part == "acks all" || ofAsync && stack == cluster.Sync
	})
	return strings.TrimPrefix(strings.Join(parts, ", "), stack+" ")
}
