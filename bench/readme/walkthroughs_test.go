package readme

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/bench/cluster"
	"tandem/bench/scenario"
)

func TestEveryScenarioHasAPage(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(walkthroughs, "*.md"))
	require.NoError(t, err)
	var pages []string
	for _, file := range files {
		if name := filepath.Base(file); name != index {
			pages = append(pages, strings.TrimSuffix(name, ".md"))
		}
	}
	require.ElementsMatch(t, scenario.Names(), pages)
}

func TestEveryPageIsWhole(t *testing.T) {
	want := []string{"## Question", "## Predict", "## Run", "## Observe", "## Explain", "## Exercise", "## Answer key"}
	for _, name := range scenario.Names() {
		t.Run(name, func(t *testing.T) {
			p := readPage(t, name)
			require.Equal(t, want, p.headings, "the sections, in this order")
			require.Regexp(t, `\|[^|\n]+\|\s*\|\s*\|`, p.section("## Predict"), "a table with room for a prediction for each stack")
			require.Regexp(t, "(?:sync|async)/[a-z/]+[.]go", p.section("## Explain"), "the place in the code")
			for _, section := range want {
				require.NotEmpty(t, strings.TrimSpace(p.section(section)), "%s is empty", section)
			}
		})
	}
}

// TestEveryPageRunsItsScenario holds the page to all that the scenario expects: what is not on the page is not taught, and what a
// page says of an expectation that is no more would be wrong. That a verdict is valid goes without saying.
func TestEveryPageRunsItsScenario(t *testing.T) {
	for _, name := range scenario.Names() {
		t.Run(name, func(t *testing.T) {
			p := readPage(t, name)
			i := slices.IndexFunc(p.commands, func(c command) bool { return c.text == "bin/tandem scenario run "+name+"\n" })
			require.GreaterOrEqual(t, i, 0, "a block with bin/tandem scenario run %s alone", name)
			shown := strings.Join(strings.Fields(strings.Join(p.commands[i].expected, "\n")), " ")
			for _, line := range expectations(t, name) {
				require.Contains(t, shown, line)
			}
			require.NotContains(t, shown, "NOT ", "a page shows what is expected")
		})
	}
}

// expectations are all that a scenario expects, as `scenario run` prints it.
func expectations(t *testing.T, name string) (all []string) {
	t.Helper()
	s, err := scenario.Find(name)
	require.NoError(t, err)
	for _, v := range s.Variants {
		for _, stack := range []string{cluster.Sync, cluster.Async} {
			for _, e := range s.Expected(stack, v) {
				if e.Text != "verdict = valid" {
					all = append(all, "ok "+stack+" "+strings.Join(strings.Fields(e.Text), " "))
				}
			}
		}
	}
	return all
}

var (
	link       = regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)
	placeInSrc = regexp.MustCompile("`((?:sync|async|shared|bench|proto|docs)/[A-Za-z0-9_/.-]+)`")
)

func TestEveryLinkAndPlaceIsThere(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(walkthroughs, "*.md"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(m[1], "://") {
				require.FileExists(t, filepath.Join(walkthroughs, m[1]), "a link of %s", filepath.Base(file))
			}
		}
		for _, m := range placeInSrc.FindAllStringSubmatch(string(text), -1) {
			_, err := os.Stat(filepath.Join("../..", m[1]))
			require.NoError(t, err, "a place that %s names", filepath.Base(file))
		}
	}
}

func TestTheIndexHasEveryPage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(walkthroughs, index))
	require.NoError(t, err)
	for _, name := range scenario.Names() {
		require.Contains(t, string(text), "]("+name+".md)")
	}
	for _, course := range []string{"## A class of 90 minutes", "## A half-day workshop", "## A course of six labs"} {
		_, rest, found := strings.Cut(string(text), course+"\n")
		require.True(t, found, course)
		part, _, _ := strings.Cut(rest, "\n## ")
		require.GreaterOrEqual(t, len(link.FindAllString(part, -1)), 4, "%s has pages", course)
	}
}

// section is the text below a heading.
func (p page) section(heading string) string {
	_, rest, _ := strings.Cut(p.text, "\n"+heading+"\n")
	part, _, _ := strings.Cut(rest, "\n## ")
	return part
}
