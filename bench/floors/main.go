// Command floors measures every row of the floors beside what the project does, and prints one table. It is what
// `make bench-floors` runs; docs/floors.md explains the rows.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"unicode/utf8"

	"tandem/shared/floor"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "floors: %v\n", err)
		os.Exit(1)
	}
}

// run measures and prints. A target that is missed is no error; a benchmark that fails is, after the table of the others.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set := flag.NewFlagSet("floors", flag.ContinueOnError)
	rows := set.String("rows", ".", "regular expression: the rows to measure")
	time := set.String("benchtime", "3s", "how long to measure each row, or 3x for three rounds of each")
	results := set.String("results", "results/latest", "folder of a run of make bench, whose own costs are shown too")
	if err := set.Parse(args); err != nil {
		return err
	}
	var output bytes.Buffer
	failed := benchmark(ctx, *rows, *time, io.MultiWriter(&output, stderr))
	measured, err := floor.Parse(&output)
	if err != nil {
		return errors.Join(failed, err)
	}
	fmt.Fprint(stdout, table(append(lines(measured), linesOfRun(*results)...)))
	return failed
}

// benchmark runs the rows' benchmarks, one after the other. (Not with -race: it would measure the detector.)
func benchmark(ctx context.Context, rows, time string, output io.Writer) error {
	args := append([]string{"test", "-run", "^$", "-bench", "^BenchmarkFloor.*(" + rows + ")", "-benchtime", time, "-timeout", "20m"},
		floor.Packages()...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go %s: %w; its output is above", strings.Join(args, " "), err)
	}
	return nil
}

// header is the table's first line.
func header() []string { return []string{"path", "floor", "ours", "ratio", "target", ""} }

// lines returns a line for each row. A row that was not measured is not left out.
func lines(measured map[string]floor.Measured) (all [][]string) {
	for _, r := range floor.Rows() {
		m, ok := measured[r.Name]
		line := []string{r.Path, "", "", "", r.Target.Text(r.Unit), "not measured"}
		if ok {
			line[2] = floor.Number(m.Ours) + " " + r.Unit
			line[5] = verdict(r.Target, m)
		}
		if m.Floor > 0 {
			line[1], line[3] = floor.Number(m.Floor)+" "+r.Unit, fmt.Sprintf("%.2f", m.Ratio)
		}
		all = append(all, line)
	}
	return all
}

func verdict(t floor.Target, m floor.Measured) string {
	switch {
	case t.Bound == floor.None:
		return "no target"
	case t.IsMet(m):
		return "met"
	default:
		return "MISSED"
	}
}

// table writes lines in Markdown, with columns that stand straight in a terminal too.
func table(lines [][]string) string {
	lines = append([][]string{header()}, lines...)
	widths := make([]int, len(header()))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var text strings.Builder
	for n, line := range lines {
		for i, cell := range line {
			fmt.Fprintf(&text, "| %s%s ", cell, strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
		text.WriteString("|\n")
		if n == 0 {
			for _, width := range widths {
				fmt.Fprintf(&text, "|%s", strings.Repeat("-", width+2))
			}
			text.WriteString("|\n")
		}
	}
	return text.String()
}
