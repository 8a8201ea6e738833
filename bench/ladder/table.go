package ladder

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// none stands where there is nothing to show.
const none = "–"

// Print writes the rungs of one scenario, a table for each stack, weakest level first.
func Print(w io.Writer, rungs []Rung) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	stack := ""
	for _, r := range rungs {
		if r.Stack != stack {
			stack = r.Stack
			fmt.Fprintf(t, "  %s\t%s\n", stack, strings.Join(append(columns(), "verdict"), "\t"))
		}
		cells := []string{"  " + r.Level}
		for _, column := range columns() {
			cells = append(cells, r.cell(column))
		}
		fmt.Fprintln(t, strings.Join(append(cells, string(r.Verdict)), "\t"))
	}
	return t.Flush()
}

// Legend says what the columns are.
func Legend() string {
	return strings.Join([]string{
		"OK %: of the operations that need the victim and others too, during the fault. p99 wait: until any answer, good or bad, of the slowest of them.",
		"RPCs/op: during the fault if all services can tell then (errors, slow calls), otherwise before it, as msgs/op.",
		"degraded: answers that are less than asked for, and say so, of the OK ones. doubled: with counters that drifted.",
		"worse: than the level below, beyond noise as far as one run can tell: a share by 2 points and a z-test at 1 %, a time by half and",
		"100 ms, RPCs and messages by a fifth, a count by 2.6 standard deviations.",
	}, "\n")
}

func columns() []string {
	return []string{available, wait, rpcs, messages, degraded, lost, duplicated, recovery}
}

// cell is a figure, and whether it is worse than that of the level below.
func (r Rung) cell(column string) string {
	text := map[string]func() string{
		available:  r.availability,
		wait:       func() string { return milliseconds(r.WaitMS) },
		rpcs:       func() string { return perOperation(r.RPCs) },
		messages:   func() string { return perOperation(r.Messages) },
		degraded:   func() string { return fmt.Sprint(r.Degraded) },
		lost:       func() string { return fmt.Sprint(r.Lost) },
		duplicated: func() string { return fmt.Sprint(r.Duplicated) },
		recovery:   func() string { return milliseconds(r.RecoveryMS) },
	}[column]()
	if slices.Contains(r.Worse, column) {
		text += " worse"
	}
	return text
}

func (r Rung) availability() string {
	if r.Intended == 0 {
		return none
	}
	return fmt.Sprintf("%.1f", 100*float64(r.OK)/float64(r.Intended))
}

func milliseconds(ms *float64) string {
	if ms == nil {
		return none
	}
	d := time.Duration(*ms * float64(time.Millisecond))
	if d < 10*time.Millisecond {
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

func perOperation(v float64) string {
	if v == 0 {
		return none
	}
	return fmt.Sprintf("%.2f", v)
}
