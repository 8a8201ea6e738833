package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"path/filepath"
	"strings"

	"tandem/bench/cluster"
)

// PageName and SummaryName are the names of the report in the folder of a run.
const (
	PageName    = "report.html"
	SummaryName = "report.md"
)

// The page is one file: everything that it needs stands in it. charts.js and licences.txt are built from web/ by `make web`.
var (
	//go:embed page/report.html.tmpl
	pageTemplate string
	//go:embed page/report.css
	pageStyle string
	//go:embed page/charts.js
	pageScript string
	//go:embed page/licences.txt
	pageLicences string
)

// WritePage writes report.html and report.md into a folder, from these results alone.
func (r *Results) WritePage(dir string) error {
	page, err := r.Page()
	if err != nil {
		return err
	}
	if err := writeWhole(filepath.Join(dir, PageName), page); err != nil {
		return err
	}
	return writeWhole(filepath.Join(dir, SummaryName), []byte(r.Markdown()))
}

// Page is report.html: one self-contained file that asks no network for anything.
func (r *Results) Page() ([]byte, error) {
	t, err := template.New(PageName).Funcs(template.FuncMap{"mark": mark, "bold": bold, "columns": columns, "short": short, "together": together}).Parse(pageTemplate)
	if err != nil {
		return nil, fmt.Errorf("read the template of the report: %w", err)
	}
	var page bytes.Buffer
	if err := t.Execute(&page, map[string]any{
		"View": r.view(), "Style": template.CSS(pageStyle), "Script": template.JS(pageScript), "Licences": pageLicences,
		"Policy": policy(pageScript),
	}); err != nil {
		return nil, fmt.Errorf("make the report: %w", err)
	}
	return page.Bytes(), nil
}

// policy lets the browser run this one script and load nothing: whatever text of a history the page shows, it stays text.
func policy(script string) string {
	sum := sha256.Sum256([]byte(script))
	return "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// mark is the sign of a stack, so that its colour is never the only one.
func mark(stack string) string {
	switch stack {
	case cluster.Sync:
		return "●"
	case cluster.Async:
		return "◆"
	}
	return "■"
}

// bold tells whether a row begins an operation or a figure of its own: the row before it had another name.
func bold(rows []figureRow, i int) bool { return i == 0 || rows[i].Lead[0] != rows[i-1].Lead[0] }

// columns is how many columns a table has.
func columns(f *figures) int { return len(f.Lead) + len(f.Stacks)*len(f.Heads) }

// together keeps a line from ending within "9 of 15".
func together(text string) string { return strings.ReplaceAll(text, " of ", "\u00a0of\u00a0") }
