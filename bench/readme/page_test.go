package readme

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// walkthroughs is the folder of the pages, and index the one that orders them.
const (
	walkthroughs = "../../docs/walkthroughs"
	index        = "README.md"
)

// page is a walkthrough, as far as it can be checked.
type page struct {
	name     string // of the page and of its scenario
	text     string
	headings []string  // "## …"
	commands []command // what a reader is meant to type
}

// command is a block of a page that is run, and what it must print.
type command struct {
	text     string
	up       bool     // "```sh up": with both stacks up, on the lab's own ports
	expected []string // lines of the "```text expected" block that follows
}

// readPage reads the page of a scenario.
func readPage(t *testing.T, name string) page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(walkthroughs, name+".md"))
	require.NoError(t, err, "every scenario has a page")
	p, err := parsePage(name, string(text))
	require.NoError(t, err)
	return p
}

// parsePage finds the headings and blocks of a page.
func parsePage(name, text string) (page, error) {
	p := page{name: name, text: text}
	open := "" // the info string of the block that the line is in
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && open == "":
			open = fence
			if err := p.begin(fence); err != nil {
				return p, fmt.Errorf("%s: %w", name, err)
			}
		case isFence:
			open = ""
		case open == "" && strings.HasPrefix(line, "## "):
			p.headings = append(p.headings, line)
		default:
			p.add(open, line)
		}
	}
	if open != "" {
		return p, fmt.Errorf("%s: a block is not closed", name)
	}
	return p, nil
}

// begin opens a block.
func (p *page) begin(info string) error {
	switch info {
	case "sh", "sh up":
		p.commands = append(p.commands, command{up: info == "sh up"})
	case "text expected":
		if len(p.commands) == 0 || p.last().expected != nil {
			return fmt.Errorf("a block of expected output without a command of its own")
		}
		p.last().expected = []string{}
	case "text", "proto", "yaml", "go": // to read
	default:
		return fmt.Errorf("a block of kind %q: use sh, sh up, text expected, text, proto, yaml or go", info)
	}
	return nil
}

func (p *page) add(block, line string) {
	switch block {
	case "sh", "sh up":
		p.last().text += line + "\n"
	case "text expected":
		if strings.TrimSpace(line) != "" && strings.TrimSpace(line) != "..." {
			p.last().expected = append(p.last().expected, line)
		}
	}
}

func (p *page) last() *command { return &p.commands[len(p.commands)-1] }

// missing returns the first of the expected lines that a command did not print after those before it; "" if it printed all. Where a busy
// machine allows no verdict, "?" stands for "ok" in what it may be the reason for.
func (c command) missing(output string, busy bool) string {
	lines := strings.Split(output, "\n")
	for _, want := range c.expected {
		form := lineForm(want)
		if busy {
			form = regexp.MustCompile(form.String() + "|" + openForm(want).String())
		}
		found := false
		for i, line := range lines {
			if form.MatchString(line) {
				lines, found = lines[i+1:], true
				break
			}
		}
		if !found {
			return want
		}
	}
	return ""
}

// lineForm is what an expected line stands for: itself, with any space between its words, "..." for anything, and a word that
// begins with ~ for any word.
func lineForm(line string) *regexp.Regexp {
	form := ""
	for i, word := range strings.Fields(line) {
		if i > 0 {
			form += `\s+`
		}
		if strings.HasPrefix(word, "~") {
			form += `\S+`
			continue
		}
		form += strings.ReplaceAll(regexp.QuoteMeta(word), `\.\.\.`, `.*`)
	}
	form = strings.ReplaceAll(form, `\s+.*`, `.*`)
	form = strings.ReplaceAll(form, `.*\s+`, `.*`)
	return regexp.MustCompile(`^\s*` + form + `\s*$`)
}

var columns = regexp.MustCompile(`\s{2,}`)

// openForm is what may stand in place of a line about an expectation that came true: the same one, marked "?", with any figure.
func openForm(line string) *regexp.Regexp {
	parts := columns.Split(strings.TrimSpace(line), -1)
	if parts[0] != "ok" || len(parts) < 3 {
		return lineForm(line)
	}
	return lineForm("? " + parts[1] + " " + parts[2] + " ...")
}

func TestExpectedLines(t *testing.T) {
	output := "  ok   sync   lost = 0      0\n    NOT  async  drain < 3 s   4.2s\n  {\"id\": \"7\",\n"
	for name, tc := range map[string]struct {
		expected []string
		missing  string
	}{
		"as_printed":        {[]string{"ok   sync   lost = 0   0"}, ""},
		"space_is_free":     {[]string{"ok sync lost = 0 0"}, ""},
		"figure_may_differ": {[]string{"NOT  async  drain < 3 s  ~3.9s"}, ""},
		"rest_may_differ":   {[]string{"NOT  async  drain ..."}, ""},
		"inside_a_word":     {[]string{`{"id": "...",`}, ""},
		"in_this_order":     {[]string{"NOT async ...", "ok sync ..."}, "ok sync ..."},
		"otherwise":         {[]string{"ok   async  drain < 3 s  ~3.9s"}, "ok   async  drain < 3 s  ~3.9s"},
		"whole_line":        {[]string{"ok sync lost = 0"}, "ok sync lost = 0"},
		"once_is_once":      {[]string{"ok sync lost = 0 0", "ok sync lost = 0 0"}, "ok sync lost = 0 0"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.missing, command{expected: tc.expected}.missing(output, false))
		})
	}
}

// TestOpenLines: a machine that is too busy for a verdict explains what is marked so, and nothing else.
func TestOpenLines(t *testing.T) {
	const expected = "  ok   sync   recovery < 3 s          ~46.34ms"
	for output, missing := range map[string]string{
		"    ?    sync   recovery < 3 s          (availability was not back)": "",
		"    ok   sync   recovery < 3 s          50ms":                        "",
		"    NOT  sync   recovery < 3 s          4s":                          expected,
		"    ?    async  recovery < 3 s          (availability was not back)": expected,
		"    ?    sync   recovery < 30 s         (availability was not back)": expected,
	} {
		require.Equal(t, missing, command{expected: []string{expected}}.missing(output, true), output)
	}
	require.Equal(t, expected, command{expected: []string{expected}}.missing("    ?    sync   recovery < 3 s          (no)", false))
}

func TestParsePage(t *testing.T) {
	p, err := parsePage("x", "# X\n\n## Run\n\n```sh\na\nb\n```\n\n```text expected\nc\n...\nd\n```\n\n```text\n## no heading\n```\n\n```sh up\ne\n```\n")
	require.NoError(t, err)
	require.Equal(t, []string{"## Run"}, p.headings)
	require.Equal(t, []command{{text: "a\nb\n", expected: []string{"c", "d"}}, {text: "e\n", up: true}}, p.commands)
	for name, text := range map[string]string{
		"not_closed":         "```sh\na\n",
		"unknown_kind":       "```bash\na\n```\n",
		"nothing_to_expect":  "```text expected\na\n```\n",
		"two_for_one_of_all": "```sh\na\n```\n```text expected\na\n```\n```text expected\nb\n```\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parsePage("x", text)
			require.Error(t, err)
		})
	}
}
