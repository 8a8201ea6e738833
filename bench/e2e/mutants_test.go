package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/check"
	"tandem/bench/cluster"
	"tandem/bench/fault"
	"tandem/bench/history"
	"tandem/bench/scenario"
	"tandem/shared/mutant"
)

// provocation is what brings a mistake to light.
type provocation struct {
	name   string // of the mistake: a mutant, or a setting that is weaker than its users think
	mutant mutant.Name
	config cluster.Config // with the mistake
	sound  cluster.Config // without it
	faults []fault.Spec
	adapt  func(*scenario.Plan) // nil for labPlan as it is
	figure string
	count  func(*check.Figures) int
}

// weakSettings are mistakes that a user can make too.
func weakSettings() []provocation {
	async := cluster.Config{Stack: cluster.Async}
	return []provocation{
		{
			name: "acks-none", config: cluster.Config{Stack: cluster.Async, Acks: "none"}, sound: async,
			faults: times(3, fault.Spec{Kind: fault.Kill, Victim: cluster.Broker}),
			figure: "lost in the read model", count: lostInReadModel,
		},
		{
			name: "dual-write", config: cluster.Config{Stack: cluster.Async, AsyncLevel: "direct"}, sound: async,
			faults: times(6, crashAt("request-after-commit", "posts")),
			figure: "lost in the read model", count: lostInReadModel,
		},
		{
			name: "level-outbox", config: cluster.Config{Stack: cluster.Async, AsyncLevel: "outbox"}, sound: async,
			faults: times(5, crashAt("relay-after-publish:3", "subscriptions")),
			figure: "counters that drifted", count: counterDrift,
		},
	}
}

// mutants provokes each mistake that only programs for tests can make.
func mutants() []provocation {
	async := cluster.Config{Stack: cluster.Async}
	return []provocation{
		{
			mutant: mutant.SentBeforePublish, config: async, faults: times(4, crashAt("relay-before-publish", "posts")),
			figure: "lost in the read model", count: lostInReadModel,
		},
		{
			mutant: mutant.NoInbox, config: async, faults: times(5, crashAt("relay-after-publish:3", "subscriptions")),
			figure: "counters that drifted", count: counterDrift,
		},
		{
			mutant: mutant.OffsetFirst, config: async, faults: times(5, crashAt("consumer-before-commit", "query")),
			figure: "lost in the read model", count: lostInReadModel,
		},
		{ // at a level without an inbox, which would keep the duplicates out before their versions matter
			mutant: mutant.VersionIgnored, config: cluster.Config{Stack: cluster.Async, AsyncLevel: "outbox"},
			faults: times(2, fault.Spec{Kind: fault.Duplicate, Victim: "blog.posts", Event: "event.v1.PostUpdated", Count: 20}),
			adapt:  updatesOfFewPosts, figure: "effects repeated", count: effectsRepeated,
		},
		{
			mutant: mutant.PoisonSkipped, config: async, faults: times(1, fault.Spec{Kind: fault.Poison, Victim: "blog.posts"}),
			figure: "records passed over in silence", count: passedOver,
		},
		{
			mutant: mutant.CountersKept, config: async, faults: times(1, fault.Spec{Kind: fault.Rebuild, Victim: "query"}),
			figure: "counters that drifted", count: counterDrift,
		},
		{
			mutant: mutant.StartAtEnd, config: async, faults: times(1, fault.Spec{Kind: fault.Rebuild, Victim: "query"}),
			figure: "lost in the read model", count: lostInReadModel,
		},
		{
			mutant: mutant.FallbackUnstored, config: cluster.Config{Stack: cluster.Sync, SyncLevel: "fallback"},
			faults: times(2, fault.Spec{Kind: fault.Kill, Victim: "moderation"}),
			figure: "lost in the store", count: lostInStore,
		},
	}
}

func crashAt(point, victim string) fault.Spec {
	return fault.Spec{Kind: fault.Crash, Victim: victim, Point: point}
}

func times(n int, f fault.Spec) []fault.Spec { return slices.Repeat([]fault.Spec{f}, n) }

// updatesOfFewPosts makes it likely that a post is updated twice before there are events to duplicate.
func updatesOfFewPosts(p *scenario.Plan) {
	p.World.Posts = 30
	for i := range p.Steps {
		p.Steps[i].Before = 2 * time.Second
	}
}

func lostInReadModel(f *check.Figures) int { return f.Lost.ReadModel.Count }
func lostInStore(f *check.Figures) int     { return f.Lost.Store.Count }
func counterDrift(f *check.Figures) int    { return f.CounterDrift.Count }
func effectsRepeated(f *check.Figures) int { return f.Effects.Repeated.Count }
func passedOver(f *check.Figures) int      { return f.PassedOver.Count }

// TestMutants makes the real system make each of the known mistakes, and demands that the laboratory finds it, in the figure that
// says what is wrong. Without the mistake there must be nothing to find.
func TestMutants(t *testing.T) {
	tested := map[mutant.Name]bool{}
	t.Run(string(mutant.NewRequestID), newRequestID)
	tested[mutant.NewRequestID] = true
	all := weakSettings()
	for _, p := range mutants() {
		p.name, p.sound = string(p.mutant), p.config
		tested[p.mutant] = true
		all = append(all, p)
	}
	t.Run("none", func(t *testing.T) { noMistake(t, all) })
	for _, p := range all {
		t.Run(p.name, p.test)
	}
	for _, m := range mutant.All() {
		require.True(t, tested[m], "no test makes the mistake %s", m)
	}
}

// isUsual tells whether the stack without the mistake is async as it comes, under the usual load.
func (p provocation) isUsual() bool {
	return p.adapt == nil && p.sound.Stack == cluster.Async && p.sound.AsyncLevel == ""
}

// noMistake provokes async as it comes with all that brings mistakes to light in it, in one run: no figure may see any.
func noMistake(t *testing.T, all []provocation) {
	t.Parallel()
	all = slices.DeleteFunc(slices.Clone(all), func(p provocation) bool { return !p.isUsual() })
	var faults []fault.Spec
	for _, p := range all {
		if f := p.faults[0]; !slices.Contains(faults, f) {
			faults = append(faults, f)
		}
	}
	result := experiment{plan: labPlan(seed(t), faults...), config: cluster.Config{Stack: cluster.Async}}.run(t)
	requireSound(t, result)
	for _, p := range all {
		require.Zero(t, p.count(&result.Figures), "%s without %s", p.figure, p.name)
	}
}

func (p provocation) test(t *testing.T) {
	t.Parallel()
	plan := labPlan(seed(t), p.faults...)
	if p.adapt != nil {
		p.adapt(&plan)
	}
	if !p.isUsual() {
		t.Run("without", func(t *testing.T) {
			result := experiment{plan: plan, config: p.sound}.run(t)
			requireSound(t, result)
			require.Zero(t, p.count(&result.Figures))
		})
	}
	t.Run("with", func(t *testing.T) {
		result := experiment{plan: plan, config: p.config, mutant: p.mutant}.run(t)
		n := p.count(&result.Figures)
		t.Logf("| %s | %d × %s %s | %s | %d |", p.name, len(p.faults), p.faults[0], p.faults[0].Point, p.figure, n)
		require.Equal(t, check.Invalid, result.Verdict, "the mistake was not found: %q", result.Reasons)
		require.Positive(t, n, "the mistake was found in other figures only: %q", result.Reasons)
	})
}

// resent is a scenario in which answers are lost, and writes sent again.
const resent = `name: resent
title: Answers are lost
question: What does a client make of it that sends its writes again?
lesson: A request id makes one write of many tries.
load: {rate: 200, steady: 2s, retries: 3, world: {posts: 100, comments: 100, authors: 10, subscriptions: 200}}
steps:
  - fault: {kind: errors, victim: posts, share: 0.5, after: true}
    before: 500ms
    for: 3s
    after: 1s
expect:
  sync: ["duplicated = 0"]
  async: ["duplicated = 0"]
`

// newRequestID is the mistake of the client, which here is the load generator: it runs in a process of its own, built with the
// mistake in it.
func newRequestID(t *testing.T) {
	file := filepath.Join(t.TempDir(), "resent.yaml")
	require.NoError(t, os.WriteFile(file, []byte(resent), 0o600))
	t.Run("without", func(t *testing.T) {
		for _, result := range runScenario(t, file, "") {
			requireSound(t, result)
		}
	})
	t.Run("with", func(t *testing.T) {
		for stack, result := range runScenario(t, file, mutant.NewRequestID) {
			n := result.Figures.Duplicated.Store.Count
			t.Logf("| %s | answers of posts lost, %s | duplicated in the store | %d |", mutant.NewRequestID, stack, n)
			require.Equal(t, check.Invalid, result.Verdict, "the mistake was not found: %q", result.Reasons)
			require.Positive(t, n, "the mistake was found in other figures only: %q", result.Reasons)
		}
	})
}

// runScenario has the laboratory's own program run a scenario, and judges the history of each stack.
func runScenario(t *testing.T, file string, m mutant.Name) map[string]check.Result {
	t.Helper()
	bin, err := buildLab()
	require.NoError(t, err)
	t.Setenv(mutant.Variable, string(m))
	c := &command{t: t, Cmd: exec.CommandContext(t.Context(), filepath.Join(bin, "tandem"),
		"scenario", "run", file, "--free-ports", "--results", t.ArtifactDir(), "--json")}
	c.Stdout, c.Stderr = &c.stdout, &c.stderr
	require.Contains(t, []int{0, 3, 4}, c.exit(), c.stdout.String())
	var runs []struct{ Stack, Folder string }
	require.NoError(t, json.Unmarshal([]byte(c.stdout.String()), &runs))
	results := map[string]check.Result{}
	for _, r := range runs {
		h, err := history.Read(filepath.Join(r.Folder, r.Stack, "history.jsonl"))
		require.NoError(t, err)
		results[r.Stack] = check.Check(h)
	}
	require.Len(t, results, 2)
	return results
}
