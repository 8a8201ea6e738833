package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/check"
	"tandem/bench/cluster"
	"tandem/bench/history"
	"tandem/bench/load"
	"tandem/bench/scenario"
)

// pipelinePlan kills the broker three times, for a few seconds of load.
func pipelinePlan(seed uint64) scenario.Plan {
	p := scenario.DefaultPlan()
	p.Seed, p.World = seed, load.WorldSize{Posts: 300, Comments: 300, Authors: 20, Subscriptions: 300}
	p.Rate, p.Steady = 300, 2*time.Second
	slot := scenario.Slot{Before: 500 * time.Millisecond, For: 700 * time.Millisecond, After: 1300 * time.Millisecond}
	p.Steps = scenario.Kills(slot, cluster.Broker, cluster.Broker, cluster.Broker)
	p.Sample = 50
	return p
}

// TestPipelineCatchesBrokenStacks runs the whole laboratory, from the schedule to the verdict, on stacks that are known to be
// weaker than their users think. The verdict must say so and name the figure, and must not say so of the stack as it should be.
func TestPipelineCatchesBrokenStacks(t *testing.T) {
	for _, tc := range []struct {
		name    string
		config  cluster.Config
		verdict check.Verdict
	}{
		{"as_it_should_be", cluster.Config{}, check.Valid},
		{"published_directly", cluster.Config{AsyncLevel: "direct"}, check.Invalid},
		{"not_waiting_for_the_broker", cluster.Config{Acks: "none"}, check.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.config.Stack = cluster.Async
			result := check.Check(runPipeline(t, pipelinePlan(seed(t)), tc.config))
			t.Logf("verdict %s; %d of %d writes acknowledged; lost in the read model %d, in the store %d, wrong status %d, drift %d; %s",
				result.Verdict, result.Figures.Acknowledged.Count, result.Figures.Attempted.Count,
				result.Figures.Lost.ReadModel.Count, result.Figures.Lost.Store.Count, result.Figures.WrongStatus.Count,
				result.Figures.CounterDrift.Count, strings.Join(result.Reasons, " "))
			require.True(t, result.Verdict == tc.verdict || tc.verdict == check.Valid && result.OnlyDisturbed(), "%q", result.Reasons)
			if tc.verdict == check.Invalid {
				require.Positive(t, result.Figures.Lost.ReadModel.Count)
				require.Contains(t, strings.Join(result.Reasons, " "), "lost in the read model")
				require.Zero(t, result.Figures.Lost.Store.Count, "the owners' databases lose nothing at any level")
			}
		})
	}
}

// runPipeline runs an experiment and returns the history that it left on disk.
func runPipeline(t *testing.T, plan scenario.Plan, config cluster.Config) *history.History {
	t.Helper()
	config = complete(t, config)
	config.Dir = t.ArtifactDir()
	return carryOut(t, plan, scenario.Lab{Cluster: config})
}

// carryOut is runPipeline in a laboratory that is complete but for its history and its log.
func carryOut(t *testing.T, plan scenario.Plan, lab scenario.Lab) *history.History {
	t.Helper()
	experiment, err := scenario.New(plan)
	require.NoError(t, err)
	lab.History, lab.Log = filepath.Join(lab.Cluster.Dir, "history.jsonl"), quiet()
	_, err = experiment.Run(t.Context(), lab)
	require.NoError(t, err)
	h, err := history.Read(lab.History)
	require.NoError(t, err)
	require.True(t, h.Complete)
	return h
}
