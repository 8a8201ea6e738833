package scenario

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/cluster"
	"tandem/bench/load"
	"tandem/shared/trouble"
)

const good = `name: leaf-down
title: A leaf is down
question: What fails?
lesson: Not much.
load: {rate: 100, steady: 2s}
levels:
  sync: [naive, retry]
  async: outbox
steps:
  - fault: {kind: kill, victim: moderation}
    before: 1s
    for: 2s
    after: 3s
expect:
  sync:
    - "during: availability of CreateComment = 0 %"
  sync at retry:
    - "recovery < 3 s"
  async:
    - "lost = 0"
`

func TestParse(t *testing.T) {
	s, err := Parse("x.yaml", []byte(good))
	require.NoError(t, err)
	require.Equal(t, []Variant{{Sync: "naive", Async: "outbox", Acks: "all"}, {Sync: "retry"}}, s.Variants)
	require.Equal(t, []string{"moderation"}, s.Plan.Faults())
	require.InDelta(t, 100, s.Plan.Rate, 0)
	texts := func(stack string, v Variant) (texts []string) {
		for _, e := range s.Expected(stack, v) {
			texts = append(texts, e.Text)
		}
		return texts
	}
	require.Equal(t, []string{"during: availability of CreateComment = 0 %", "verdict = valid"}, texts(cluster.Sync, s.Variants[0]))
	require.Equal(t, []string{"during: availability of CreateComment = 0 %", "recovery < 3 s", "verdict = valid"}, texts(cluster.Sync, s.Variants[1]))
	require.Equal(t, []string{"lost = 0", "verdict = valid"}, texts(cluster.Async, s.Variants[0]))
}

// TestEachStackRunsOnceWithEachOfItsOwn: what the other one runs with makes no run of its own.
func TestEachStackRunsOnceWithEachOfItsOwn(t *testing.T) {
	text := strings.Replace(good, "async: outbox", "async: [direct, outbox]\n  acks: [none, all]", 1)
	s, err := Parse("x.yaml", []byte(text))
	require.NoError(t, err)
	require.Equal(t, []Variant{
		{Sync: "naive", Async: "direct", Acks: "none"}, {Sync: "retry", Async: "direct", Acks: "all"}, {Async: "outbox", Acks: "none"}, {Async: "outbox", Acks: "all"},
	}, s.Variants)
	require.Equal(t, []string{cluster.Sync, cluster.Async}, s.Variants[0].Stacks())
	require.Equal(t, []string{cluster.Async}, s.Variants[2].Stacks())
	require.Equal(t, "async outbox, acks none", s.Variants[2].String())
}

// TestSeveralPopularities: each makes runs of its own, with expectations of its own.
func TestSeveralPopularities(t *testing.T) {
	text := strings.Replace(good, "rate: 100", "rate: 100, zipf: [0, 2.5]", 1) + "  async at zipf 2.5:\n    - \"drain > 1 s\"\n"
	s, err := Parse("x.yaml", []byte(text))
	require.NoError(t, err)
	require.Len(t, s.Variants, 4)
	even, steep := s.Variants[0], s.Variants[2]
	require.Equal(t, "sync naive, async outbox, acks all, zipf 2.5", steep.String())
	require.InDelta(t, 0, even.Plan(s.Plan).Zipf, 0)
	require.InDelta(t, 2.5, steep.Plan(s.Plan).Zipf, 0)
	require.Len(t, s.Expected(cluster.Async, steep), 1+len(s.Expected(cluster.Async, even)))
	_, err = Parse("x.yaml", []byte(strings.Replace(text, "at zipf 2.5", "at zipf 3", 1)))
	require.ErrorContains(t, err, `expect "async at zipf 3"`)
	_, err = Parse("x.yaml", []byte(strings.Replace(text, "[0, 2.5]", "[0, -1]", 1)))
	require.ErrorContains(t, err, "x.yaml:5: zipf -1")
}

// TestCalm: a scenario may break nothing, and then expects nothing of a fault.
func TestCalm(t *testing.T) {
	before, rest, _ := strings.Cut(good, "steps:")
	_, after, _ := strings.Cut(rest, "expect:")
	after = "expect:" + after
	_, err := Parse("x.yaml", []byte(before+after))
	require.ErrorContains(t, err, "the scenario has 0 steps")
	s, err := Parse("x.yaml", []byte(before+"expect: {sync: [lost = 0], async: [lost = 0]}\n"))
	require.NoError(t, err)
	require.Empty(t, s.Plan.Steps)
	require.Equal(t, s.Plan.Steady, s.Plan.Length())
}

func TestLoadAsData(t *testing.T) {
	own := "load: {rate: 100, steady: 2s, arrivals: constant, zipf: 0.99, retries: 2, mix: [{op: GetPost, share: 3}, {op: CreateComment, share: 1}]}"
	s, err := Parse("x.yaml", []byte(strings.Replace(good, "load: {rate: 100, steady: 2s}", own, 1)))
	require.NoError(t, err)
	require.Equal(t, load.Constant, s.Plan.Arrivals)
	require.InDelta(t, 0.99, s.Plan.Zipf, 0)
	require.Equal(t, 2, s.Plan.Retries)
	require.Equal(t, []load.Share{{Op: load.GetPost, Share: 3}, {Op: load.CreateComment, Share: 1}}, s.Plan.Mix)
	s, err = Parse("x.yaml", []byte(good))
	require.NoError(t, err)
	require.Equal(t, DefaultPlan().Mix, s.Plan.Mix, "what is not said is as in tandem bench")
}

func TestLoadByCapacity(t *testing.T) {
	text := strings.NewReplacer(
		"{rate: 100, steady: 2s}", "{share_of_capacity: 0.7, of: CreateComment, steady: 2s, mix: [{op: GetPost, share: 3}, {op: CreateComment, share: 1}]}",
		"levels:", "topology: {narrow: [{part: moderation, at_once: 2, takes: 20ms, patience: 400ms}]}\nlevels:",
		"{kind: kill, victim: moderation}", "{kind: burst, factor: 3}",
	).Replace(good)
	s, err := Parse("x.yaml", []byte(text))
	require.NoError(t, err)
	narrow := trouble.Bottleneck{AtOnce: 2, Takes: 20 * time.Millisecond, Queue: 100, Patience: 400 * time.Millisecond}
	require.Equal(t, []Narrow{{"moderation", narrow}}, s.Plan.Narrow)
	require.Equal(t, map[string]string{"moderation": narrow.String()}, narrowed(s.Plan.Narrow))
	p := s.Plan.WithCapacity(99.96)
	require.InDelta(t, 280, p.Rate, 0, "70 % of 100 CreateComment a second, which are a quarter of the load")
	require.InDelta(t, 100, p.Capacity.PerSecond, 0)
	require.Zero(t, s.Plan.Capacity.PerSecond, "the scenario stays as it was read")
	require.Equal(t, []load.Burst{{From: 3 * time.Second, Until: 5 * time.Second, Factor: 3}}, p.bursts())
	calm := p
	calm.Steps = nil
	calm.Steady = p.Length()
	heavy, err := New(p)
	require.NoError(t, err)
	even, err := New(calm)
	require.NoError(t, err)
	more := len(heavy.Schedule.Ops) - len(even.Schedule.Ops)
	require.InDelta(t, 2*2*280, more, 250, "2 s at three times the rate")
}

func TestMistakesAreFoundByLine(t *testing.T) {
	for name, tc := range map[string]struct{ from, to, want string }{
		"typo":               {"question:", "qestion:", "x.yaml:3: unknown key qestion"},
		"typo_in_fault":      {"victim: moderation", "victm: moderation", "x.yaml:10: unknown key victm"},
		"not_yaml":           {"levels:", "levels: [", "x.yaml:"},
		"negative_duration":  {"for: 2s", "for: -2s", "x.yaml:10: moderation, before 1s, for -2s"},
		"no_duration":        {"for: 2s", "for: soon", "x.yaml:12: cannot unmarshal"},
		"no_such_victim":     {"victim: moderation", "victim: likes", `x.yaml:10: no part "likes"`},
		"no_such_kind":       {"kind: kill", "kind: tickle", `x.yaml:10: no fault "tickle"`},
		"unknown_measure":    {"lost = 0", "luck = 0", `x.yaml:20: "luck = 0": no figure "luck"`},
		"unknown_operation":  {"CreateComment", "CreateLike", `x.yaml:16: "during: availability of CreateLike = 0 %": no operation`},
		"fault_that_is_none": {"recovery < 3 s", "during of fault 2: recovery < 3 s", "x.yaml:18: \"during of fault 2: recovery < 3 s\": the scenario has 1 step"},
		"unknown_level":      {"sync: [naive, retry]", "sync: [naive, hope]", `x.yaml:7: no level "hope" of sync`},
		"level_not_run":      {"sync at retry", "sync at budget", `x.yaml:18: expect "sync at budget"`},
		"no_stack":           {"  async:\n    - \"lost", "  asink:\n    - \"lost", `expect "asink"`},
		"bad_name":           {"name: leaf-down", "name: Leaf Down", "x.yaml:1: name"},
		"no_lesson":          {"lesson: Not much.\n", "", "lesson is missing"},
		"rate":               {"rate: 100", "rate: 0", "x.yaml:5: rate 0"},
		"unknown_arrivals":   {"rate: 100", "arrivals: burst", `x.yaml:5: arrivals "burst"`},
		"zipf_below_0":       {"rate: 100", "zipf: -1", "x.yaml:5: zipf -1"},
		"retries_below_0":    {"steady: 2s", "retries: -1", "x.yaml:5: -1 retries"},
		"unknown_in_mix":     {"rate: 100", "mix: [{op: Like, share: 1}]", `x.yaml:5: mix: unknown operation "Like"`},
		"typo_in_mix":        {"rate: 100", "mix: [{op: GetPost, shar: 1}]", "x.yaml:5: unknown key shar"},
		"narrow_query":       {"levels:", "topology: {narrow: [{part: query, at_once: 2, takes: 20ms}]}\nlevels:", `x.yaml:6: narrow part "query"`},
		"narrow_for_nothing": {"levels:", "topology: {narrow: [{part: moderation, at_once: 2}]}\nlevels:", "x.yaml:6: narrow moderation: takes 0s"},
		"typo_in_narrow":     {"levels:", "topology: {narrow: [{part: moderation, at_one: 2}]}\nlevels:", "x.yaml:6: unknown key at_one"},
		"share_of_a_machine": {"rate: 100", "share_of_capacity: 0.7, of: CreateComment", "x.yaml:5: share_of_capacity: without a narrow part"},
		"rate_and_share":     {"rate: 100", "rate: 100, share_of_capacity: 0.7, of: CreateComment", "x.yaml:5: rate and share_of_capacity"},
		"share_of_nothing":   {"rate: 100", "share_of_capacity: 0.7, of: Like", `x.yaml:5: of "Like"`},
		"share_no_number":    {"rate: 100", "share_of_capacity: .nan, of: GetPost", "x.yaml:5: share_of_capacity NaN"},
		"small_burst":        {"{kind: kill, victim: moderation}", "{kind: burst, factor: 1}", "x.yaml:10: factor 1"},
		"too_long":           {"after: 3s", "after: 3h", "use at most 5m"},
		"unknown_mistake":    {"steps:", "topology: {mistake: [none, luck]}\nsteps:", `x.yaml:9: no mistake "luck": use none or one of sent-before-publish`},
		"mistake_alone":      {"steps:", "topology: {mistake: offset-first}\nsteps:", "x.yaml:9: mistake offset-first alone"},
		"mistake_of_sync":    {"steps:", "topology: {mistake: [none, fallback-unstored]}\nsteps:", `no mistake "fallback-unstored"`},
		"two_nones":          {"steps:", "  acks: none\ntopology: {mistake: [none, no-inbox]}\nsteps:", "would mean both"},
		"typo_in_topology":   {"steps:", "topology: {mistakes: none}\nsteps:", "x.yaml:9: unknown key mistakes"},
		"two_documents":      {"expect:", "---\nexpect:", "more than one document"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, good, tc.from)
			_, err := Parse("x.yaml", []byte(strings.Replace(good, tc.from, tc.to, 1)))
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// TestCatalogue: each scenario can be read, and its file says its name.
func TestCatalogue(t *testing.T) {
	require.NotEmpty(t, Names())
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			s, err := Find(name)
			require.NoError(t, err)
			require.Equal(t, name, s.Name)
		})
	}
	_, err := Find("leaf-up")
	require.ErrorContains(t, err, `no scenario "leaf-up": there are calm, `)
}

// FuzzParse: a scenario is a file that anybody may write.
func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	for _, name := range Names() {
		_, text, err := Source(name)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse("x.yaml", text)
		if err != nil {
			return
		}
		require.NoError(t, s.Plan.Check())
		require.NotEmpty(t, s.Variants)
		for _, v := range s.Variants {
			require.NotEmpty(t, v.Stacks())
			for _, stack := range v.Stacks() {
				require.NotEmpty(t, s.Expected(stack, v))
			}
		}
	})
}
