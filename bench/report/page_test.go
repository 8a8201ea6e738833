package report

import (
	"encoding/json"
	"flag"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/bench/check"
	"tandem/bench/measure"
)

var samplesDir = flag.String("samples", "", "write results.json of each sample into a folder of its own in this `folder`")

// requirePage makes the page and returns it without the code in it, which is the same in each.
func requirePage(t *testing.T, r *Results) string {
	t.Helper()
	page, err := r.Page()
	require.NoError(t, err)
	text := string(page)
	for _, part := range []string{pageScript, pageStyle} {
		require.Contains(t, text, part, "the page must hold all that it needs")
		text = strings.Replace(text, part, "", 1)
	}
	return strings.Replace(text, html.EscapeString(pageLicences), "", 1)
}

// TestSamples holds report.md of each sample. With -samples it also writes the samples, for the tests in a browser.
func TestSamples(t *testing.T) {
	for name, r := range samples() {
		t.Run(name, func(t *testing.T) {
			requireGolden(t, name+".md", r.Markdown())
			if *samplesDir != "" {
				dir := filepath.Join(*samplesDir, name)
				require.NoError(t, os.MkdirAll(dir, 0o755))
				require.NoError(t, r.Write(dir))
			}
		})
	}
}

// TestPageFromTheFileAlone: what results.json keeps is all that the page needs.
func TestPageFromTheFileAlone(t *testing.T) {
	for name, r := range samples() {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, r.Write(dir))
			again, err := Read(dir)
			require.NoError(t, err)
			require.NoError(t, again.WritePage(dir))
			page, err := os.ReadFile(filepath.Join(dir, PageName))
			require.NoError(t, err)
			want, err := r.Page()
			require.NoError(t, err)
			require.Equal(t, string(want), string(page))
			require.FileExists(t, filepath.Join(dir, SummaryName))
		})
	}
}

func TestPageShowsTheVerdictFirst(t *testing.T) {
	for name, want := range map[string]string{
		"full": "Valid run", "invalid": "INVALID: a guarantee was violated", "unknown": "UNKNOWN: this run does not allow a verdict",
	} {
		t.Run(name, func(t *testing.T) {
			page := requirePage(t, samples()[name])
			require.Contains(t, page, want)
			require.Less(t, strings.Index(page, want), strings.Index(page, `class="answer"`))
			require.Equal(t, name != "full", strings.Contains(page, "do not cite them"))
			require.Contains(t, page, `<section class="verdict v-`+strings.Replace(name, "full", "valid", 1)+`"`)
		})
	}
}

func TestAnEmptyRunIsNotValid(t *testing.T) {
	page := requirePage(t, &Results{})
	require.Contains(t, page, "UNKNOWN")
	require.Contains(t, page, "This run holds no figures.")
	require.Contains(t, (&Results{}).Markdown(), "UNKNOWN")
}

// TestHostileText: nothing of a history is read as markup or code.
func TestHostileText(t *testing.T) {
	r := hostileResults()
	page := requirePage(t, r)
	require.NotContains(t, page, "<img")
	require.Len(t, regexp.MustCompile(`<script`).FindAllString(page, -1), 2, "the data and the code, and no more")
	require.NotContains(t, r.Markdown(), "<img")
	require.NotContains(t, r.Markdown(), "<script")
}

// TestPageAsksForNothing: no address stands in the page where a browser would follow it by itself.
func TestPageAsksForNothing(t *testing.T) {
	page := requirePage(t, sampleResults())
	require.NotRegexp(t, `(?i)(src|href|url\(|@import|srcset|action)\s*[=(]?\s*["']?https?:`, page+pageStyle)
	require.Contains(t, page, "default-src &#39;none&#39;")
}

func TestPageIsSmall(t *testing.T) {
	page, err := sampleResults().Page()
	require.NoError(t, err)
	require.Less(t, len(page), 1<<20)
}

func TestChartDataHasOneTimeAxis(t *testing.T) {
	d := sampleResults().chartData()
	for _, s := range d.Stacks {
		require.Equal(t, 28.0, s.Length)
		require.Equal(t, 0.1, s.Step)
		require.Equal(t, chartWindow{"posts", 5.5, 8.56}, s.Windows[0], "from the start of the load")
		require.Len(t, s.Lines[""].OK, 280)
		require.Equal(t, 0.5, s.Shown[""].Step)
	}
	require.Len(t, d.Stacks[0].Windows, 2, "sync has no broker to kill")
	require.Len(t, d.Stacks[1].Windows, 3)
}

func TestAFaultThatWasNotLiftedLastsToTheEnd(t *testing.T) {
	require.Equal(t, chartWindow{"posts", 2, 9}, windowOf(measure.Fault{Victim: "posts", AskedMS: 3000}, 1000, 10_000))
}

func TestChartNumbers(t *testing.T) {
	for v, want := range map[float64]float64{0: 0, 0.0012345: 0.00123, 1.2345: 1.23, 123.45: 123, 12345.6: 12346, 99.96: 100} {
		require.Equal(t, want, shortened(v))
	}
	text, err := json.Marshal([]point{pointOf(nil), pointOf(new(1.2345))})
	require.NoError(t, err)
	require.JSONEq(t, `[null,1.23]`, string(text))
}

func TestCurvesFallBackToPercentiles(t *testing.T) {
	r := sampleResults()
	r.Stacks[0].Figures.Curves = nil
	require.Equal(t, [][2]float64{{50, 3}, {90, 6}, {99, 36}, {99.9, 369}}, r.chartData().Stacks[0].Curves["CreateComment"]["tta"])
}

func TestAnswerNamesTheWorstFailure(t *testing.T) {
	r := sampleResults()
	require.Equal(t, "The worst single failure stops 3 of 3 operations in sync (posts), and 1 of 3 in async (posts).", r.plainAnswer().Lead)
	for _, cell := range []int{0, 1, 2} {
		r.Stacks[1].Figures.Faults[1].BlastRadius[cell].Availability = new(0.1)
	}
	require.Equal(t, "The worst single failure stops as much in both stacks: 3 operations in sync (posts), 3 in async (query).", r.plainAnswer().Lead)
	r.Stacks = r.Stacks[1:]
	require.Equal(t, "In async the worst single failure, of query, stops 3 of 3 operations.", r.plainAnswer().Lead)
	r.Stacks[0].Figures.Faults = nil
	require.Equal(t, "No operation was measured while a part was down.", r.plainAnswer().Lead)
}

func TestHeatMapSaysWhatIsUnusual(t *testing.T) {
	maps := sampleResults().heatMaps()
	require.Equal(t, heatCell{
		Text: "87", Predicted: "100", Level: "h2", Surprise: true,
		Title: "CreateComment, fault query: 87 % of 123 calls were answered OK; predicted: 100 %",
	}, maps[1].Rows[0].Cells[1])
	degraded := maps[1].Rows[2].Cells[0]
	require.True(t, degraded.Degraded)
	require.Contains(t, degraded.Title, "4 answers were less than asked for")
	require.Equal(t, heatCell{Text: none, Level: "none", Title: "no such part: broker"}, maps[0].Rows[0].Cells[2])
	require.Contains(t, sampleResults().blastNote(), "~ marks")
	require.NotContains(t, missingResults().blastNote(), "~ marks")
}

// TestUnclaimedDifferencesAreSaid: several rounds may show less than one.
func TestUnclaimedDifferencesAreSaid(t *testing.T) {
	r := sampleResults()
	require.NotContains(t, strings.Join(r.plainAnswer().More, " "), "no difference")
	r.Contrasts[0].Claimed = false
	require.Contains(t, strings.Join(r.plainAnswer().More, " "), "no difference is claimed in CreateComment, TTA p50")
	for i, want := range []string{"no difference claimed", "sync is better", "no difference claimed", "async is better", "no difference claimed"} {
		require.Equal(t, want, r.roundsView().Contrasts[i].Says, r.Contrasts[i].Figure)
	}
}

func TestAnIntervalIsDrawnWithItsZero(t *testing.T) {
	v := contrastOf(sampleContrasts()[0])
	require.True(t, v.Drawn)
	require.Equal(t, []int{6, 21, 16, 94}, []int{v.Low, v.Width, v.Median, v.Zero}, "from −1.7 to −1.3, with 0 at the right end")
	require.False(t, contrastOf(sampleContrasts()[4]).Drawn, "there is no interval")
}

func TestTheWorstVerdictOfAllRounds(t *testing.T) {
	require.Equal(t, check.Valid, samples()["full"].worst())
	require.Equal(t, check.Unknown, samples()["unknown"].worst(), "the third round is not valid")
	require.Equal(t, check.Invalid, samples()["invalid"].worst())
	require.Equal(t, check.Unknown, (&Results{}).worst())
}

// TestALossInALaterRoundIsNotHidden: the figures are those of the first round, and lost writes those of all.
func TestALossInALaterRoundIsNotHidden(t *testing.T) {
	r := sampleResults()
	require.Contains(t, strings.Join(r.plainAnswer().More, " "), "Nothing acknowledged was lost")
	bad := r.Stacks[1]
	bad.Check.Verdict, bad.Check.Figures.Lost.Store.Count = check.Invalid, 3
	r.Rounds[4].Stacks = []Stack{r.Stacks[0], bad}
	require.Equal(t, numberValue{Stack: "async", Text: "3", Bad: true, Note: "3 lost, 0 doubled; of 5748 acknowledged"}, r.numbers()[3].Values[1])
	require.NotContains(t, strings.Join(r.plainAnswer().More, " "), "Nothing acknowledged was lost")
	require.NotContains(t, r.summary(), "Nothing acknowledged was lost")
	require.Equal(t, check.Invalid, r.worst())
}

func TestAccountMarksWhatAStackPromises(t *testing.T) {
	r := sampleResults()
	for i := range r.Stacks {
		r.Stacks[i].Check.Figures.ReadYourWrites.Count = 3
	}
	row := r.orderFigures().Rows[0]
	require.Equal(t, []figureCell{{"3", true}, {"3", false}}, row.Cells, "sync promises it, async does not")
	require.True(t, r.orderFigures().Alarming())
	require.False(t, r.accountFigures().Alarming())
}

func TestWritePageIntoNowhere(t *testing.T) {
	require.Error(t, sampleResults().WritePage(filepath.Join(t.TempDir(), "missing")))
}
