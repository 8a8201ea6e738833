package report

import (
	"strings"

	"charm.land/lipgloss/v2"

	"tandem/bench/check"
)

// table is figures of both stacks side by side: some columns that name the row, then the same columns for each stack.
type table struct {
	title  string
	stacks []string
	lead   []string
	heads  []string
	rows   [][]string
	// paint colours the cell of a row; nil for none.
	paint func(row, cell string) string
}

func (r *Results) newTable(title string, lead, heads []string) *table {
	t := &table{title: title, lead: lead, heads: heads}
	for _, s := range r.Stacks {
		t.stacks = append(t.stacks, s.Stack)
	}
	return t
}

func (t *table) add(lead, cells []string) { t.rows = append(t.rows, append(lead, cells...)) }

// width is how many columns a line may have, so that it fits on a projected terminal.
const width = 120

// gap stands before each stack's columns, so that the eye sees where one stack ends.
const gap = " │"

// String lays the table out.
func (t *table) String() string {
	head := append([]string{}, t.lead...)
	for range t.stacks {
		head = append(head, t.heads...)
	}
	widths := t.widths(head)
	lines := []string{title(t.title), t.stackLine(widths), dim().Render(t.line(head, widths))}
	for _, row := range t.rows {
		lines = append(lines, t.line(row, widths))
	}
	return strings.Join(lines, "\n")
}

// unlessEmpty is String, or nothing if there are no rows.
func (t *table) unlessEmpty() string {
	if len(t.rows) == 0 {
		return ""
	}
	return t.String()
}

func (t *table) widths(head []string) []int {
	widths := make([]int, len(head))
	for _, row := range append([][]string{head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], lipgloss.Width(cell))
		}
	}
	// Columns of one meaning have one width, so that the halves look alike.
	for i := range t.heads {
		widest := 0
		for s := range t.stacks {
			widest = max(widest, widths[len(t.lead)+s*len(t.heads)+i])
		}
		for s := range t.stacks {
			widths[len(t.lead)+s*len(t.heads)+i] = widest
		}
	}
	return widths
}

// stackLine names each stack above its columns.
func (t *table) stackLine(widths []int) string {
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", t.leadWidth(widths)))
	for _, stack := range t.stacks {
		width := 0
		for i := range t.heads {
			width += widths[len(t.lead)+i] + 2
		}
		b.WriteString(dim().Render(gap))
		b.WriteString(lipgloss.NewStyle().Bold(true).Width(width).Render("  " + stack))
	}
	return strings.TrimRight(b.String(), " ")
}

func (t *table) leadWidth(widths []int) (sum int) {
	for i := range t.lead {
		sum += widths[i] + 2
	}
	return sum
}

// line lays one row out: what names it to the left, figures to the right of their columns.
func (t *table) line(row []string, widths []int) string {
	var b strings.Builder
	for i, cell := range row {
		space := strings.Repeat(" ", widths[i]-lipgloss.Width(cell))
		if i < len(t.lead) {
			b.WriteString("  " + cell + space)
			continue
		}
		if (i-len(t.lead))%len(t.heads) == 0 {
			b.WriteString(dim().Render(gap))
		}
		b.WriteString("  " + space + t.painted(row[0], cell))
	}
	return strings.TrimRight(b.String(), " ")
}

// wrapped breaks a text into lines of the report's width; those after the first are indented.
func wrapped(text, indent string) string {
	lines := lipgloss.Wrap(text, width-len(indent), "")
	return strings.ReplaceAll(lines, "\n", "\n"+indent)
}

func title(text string) string { return lipgloss.NewStyle().Bold(true).Render(text) }

func dim() lipgloss.Style { return lipgloss.NewStyle().Faint(true) }

func (t *table) painted(row, cell string) string {
	if t.paint == nil {
		return cell
	}
	return t.paint(row, cell)
}

// paintAvailability marks what a reader looks for first: what did not work at all, and what surprises.
func paintAvailability(_, cell string) string {
	switch {
	case strings.HasSuffix(cell, "!"):
		return lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Yellow).Render(cell)
	case cell == "0" || cell == "<1":
		return lipgloss.NewStyle().Foreground(lipgloss.Red).Render(cell)
	}
	return cell
}

func verdictStyle(v check.Verdict) lipgloss.Style {
	colour := map[check.Verdict]lipgloss.Style{
		check.Valid:   lipgloss.NewStyle().Foreground(lipgloss.Green),
		check.Invalid: lipgloss.NewStyle().Foreground(lipgloss.Red),
		check.Unknown: lipgloss.NewStyle().Foreground(lipgloss.Yellow),
	}
	return colour[v].Bold(true)
}
