package e2e

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
