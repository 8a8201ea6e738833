package report

import (
	"fmt"
	"slices"
	"strings"

	"tandem/bench/check"
)

// Markdown is report.md: what a reviewer of a change must see, as GitHub shows it.
func (r *Results) Markdown() string {
	parts := []string{"## Tandem: " + plain(r.Name) + ": " + verdictWord(r.worst()), plain(r.subtitle()), r.markdownVerdicts()}
	if r.NotComparable != "" {
		parts = append(parts, "**The two stacks are not set side by side:** "+plain(r.NotComparable))
	}
	if v := r.worst(); v != check.Valid {
		parts = append(parts, fmt.Sprintf("**The run is %s: do not cite what follows.**", v))
	}
	for _, alone := range r.apart() {
		parts = append(parts, alone.markdownFigures()...)
	}
	parts = append(parts, fmt.Sprintf("%s · %s, %d cores, %s · %s · tandem %s", plain(r.Machine.OS), plain(orNone(r.Machine.CPU)),
		r.Machine.Cores, size(r.Machine.Memory), plain(r.Machine.Go), plain(orNone(r.Machine.Version))))
	return strings.Join(withoutEmpty(parts), "\n\n") + "\n"
}

func (r *Results) markdownFigures() []string {
	g := r.group(0)
	title := "### In short"
	if r.alone() {
		title = "### In short: " + plain(r.Stacks[0].Stack)
	}
	parts := []string{title, r.markdownAnswer(g.Answer), r.markdownNumbers()}
	if len(g.Blast) > 0 {
		parts = append(parts, markdownBlast(g.Blast), plain(g.Note))
	}
	parts = append(parts, r.markdownRounds())
	for _, f := range []*figures{
		onlyHeads(g.Writes, "p50", "p99"), onlyHeads(g.Faults, "during", "recovery", "longest TTE"), accountInShort(g.Account),
	} {
		if f != nil {
			parts = append(parts, markdownFigures(f))
		}
	}
	return parts
}

// markdownRounds says what several rounds support, and what they do not.
func (r *Results) markdownRounds() string {
	v := r.roundsView()
	if v == nil || len(v.Contrasts) == 0 {
		return ""
	}
	var rows [][]string
	for _, c := range v.Contrasts {
		rows = append(rows, []string{strings.TrimSuffix(c.Figure+", "+c.Unit, ", "), c.A, c.B, c.Difference, c.Says})
	}
	return fmt.Sprintf("<details><summary>%d rounds: medians with 95 %% confidence intervals; no difference is claimed for %d of %d figures. %s</summary>\n\n",
		v.Count, v.Unclaimed, len(v.Contrasts), v.TooFew) +
		markdownTable([]string{"figure", "sync", "async", "difference", "claim"}, rows) + "\n\n</details>"
}

func verdictWord(v check.Verdict) string {
	switch v {
	case check.Valid:
		return "✅ VALID"
	case check.Invalid:
		return "❌ INVALID"
	}
	return "⚠️ UNKNOWN"
}

func (r *Results) markdownVerdicts() string {
	var lines []string
	for _, v := range r.verdictViews() {
		name := v.Stack
		if v.Where != "" {
			name += ", " + v.Where
		}
		lines = append(lines, fmt.Sprintf("- **%s:** %s", plain(name), verdictWord(v.Verdict)))
		for _, reason := range v.Reasons {
			lines = append(lines, "  - "+plain(reason))
		}
	}
	return strings.Join(lines, "\n")
}

func (r *Results) markdownAnswer(a answer) string {
	lines := []string{"- **" + plain(a.Lead) + "**"}
	if len(r.Rounds) > 1 {
		a.More = append(a.More, fmt.Sprintf("These are figures of the first of %d rounds.", len(r.Rounds)))
	}
	for _, more := range a.More {
		lines = append(lines, "- "+plain(more))
	}
	return strings.Join(lines, "\n")
}

func (r *Results) markdownNumbers() string {
	if len(r.Stacks) == 0 {
		return ""
	}
	head := []string{""}
	for _, s := range r.Stacks {
		head = append(head, s.Stack)
	}
	rows := [][]string{}
	for _, n := range r.numbers() {
		row := []string{n.Title}
		for _, v := range n.Values {
			row = append(row, v.Text+" ("+v.Note+")")
		}
		rows = append(rows, row)
	}
	return markdownTable(head, rows)
}

// markdownBlast is one table: in each cell the measured availability of the stacks, one after the other.
func markdownBlast(maps []heatMap) string {
	if len(maps) == 0 {
		return ""
	}
	var names []string
	for _, m := range maps {
		names = append(names, plain(m.Stack))
	}
	var rows [][]string
	for n, row := range maps[0].Rows {
		line := []string{row.Op}
		for i := range row.Cells {
			line = append(line, blastTexts(maps, n, i))
		}
		rows = append(rows, line)
	}
	return "#### Blast radius: availability in " + strings.Join(names, " / ") + ", %, during each fault\n\n" +
		markdownTable(append([]string{"operation"}, maps[0].Victims...), rows)
}

func blastTexts(maps []heatMap, row, column int) string {
	var texts []string
	for _, m := range maps {
		c := m.Rows[row].Cells[column]
		text := c.Text
		if c.Surprise {
			text += "!"
		}
		if c.Degraded {
			text += "~"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, " / ")
}

// onlyHeads keeps some columns of each stack.
func onlyHeads(f *figures, heads ...string) *figures {
	if f == nil {
		return nil
	}
	kept := *f
	kept.Heads, kept.Rows = heads, nil
	for _, row := range f.Rows {
		short := row
		short.Cells = nil
		for i, c := range row.Cells {
			if slices.Contains(heads, f.Heads[i%len(f.Heads)]) {
				short.Cells = append(short.Cells, c)
			}
		}
		kept.Rows = append(kept.Rows, short)
	}
	return &kept
}

// accountInShort leaves out what is 0 in all stacks, but for the guarantees that lead.
func accountInShort(f *figures) *figures {
	if f == nil {
		return nil
	}
	short := *f
	short.Rows = nil
	for _, row := range f.Rows {
		lost := strings.HasPrefix(row.Lead[0], "lost") || strings.HasPrefix(row.Lead[0], "duplicated") || strings.HasPrefix(row.Lead[0], "unexpected")
		if lost || !allZero(row.Cells) {
			short.Rows = append(short.Rows, row)
		}
	}
	return &short
}

func allZero(cells []figureCell) bool {
	for _, c := range cells {
		if c.Text != "0" {
			return false
		}
	}
	return true
}

func markdownFigures(f *figures) string {
	head := append([]string{}, f.Lead...)
	for _, s := range f.Stacks {
		for _, h := range f.Heads {
			head = append(head, strings.TrimSuffix(s+" "+h, " count"))
		}
	}
	var rows [][]string
	for _, row := range f.Rows {
		line := append([]string{}, row.Lead...)
		for _, c := range row.Cells {
			text := c.Text
			if c.Bad {
				text = "❌ " + text
			}
			line = append(line, text)
		}
		rows = append(rows, line)
	}
	return "#### " + plain(f.Caption) + "\n\n" + markdownTable(head, rows)
}

// markdownTable lays out a table whose first columns are names.
func markdownTable(head []string, rows [][]string) string {
	lines := []string{markdownRow(head), "|" + strings.Repeat("---|", len(head))}
	for _, row := range rows {
		lines = append(lines, markdownRow(row))
	}
	return strings.Join(lines, "\n")
}

func markdownRow(cells []string) string {
	var b strings.Builder
	b.WriteString("|")
	for _, c := range cells {
		b.WriteString(" " + plain(c) + " |")
	}
	return b.String()
}

// plain keeps Markdown and HTML from reading anything into a text: it may come from a history.
func plain(text string) string {
	return strings.NewReplacer(
		"\\", `\\`, "|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "*", `\*`, "~", `\~`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "#", `\#`, "@", "@<!-- -->", "\r", " ", "\n", " ",
	).Replace(text)
}

func withoutEmpty(parts []string) (kept []string) {
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return kept
}
