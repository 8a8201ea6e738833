package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tandem/bench/cluster"
	"tandem/bench/cluster/clustertest"
	"tandem/bench/history"
	"tandem/bench/load"
	"tandem/bench/scenario"
)

// TestFullDiskEndsTheLoad: a run whose history cannot be written any more is for nothing, and must not go on for its minutes.
func TestFullDiskEndsTheLoad(t *testing.T) {
	if os.Geteuid() != 0 {
		clustertest.Lacking(t, "only root may mount a small disk to fill")
	}
	disk, dir := t.TempDir(), t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=200k"); err != nil {
		clustertest.Lacking(t, "this system does not let us mount a small disk to fill: "+err.Error())
	}
	defer func() { require.NoError(t, unix.Unmount(disk, 0)) }()
	plan := smallPlan()
	plan.World = load.WorldSize{Posts: 100, Comments: 20, Authors: 10, Subscriptions: 120}
	plan.Rate, plan.Steady, plan.Steps = 300, 30*time.Second, scenario.Kills(smallSlot(), "posts")
	experiment, err := scenario.New(plan)
	require.NoError(t, err)
	began, stages := time.Now(), map[string]bool{}
	_, err = experiment.Run(t.Context(), scenario.Lab{
		Cluster: cluster.Config{Stack: cluster.Sync, BinDir: syncPrograms(t), Dir: dir, FreePorts: true},
		History: filepath.Join(disk, historyName), Log: slog.New(slog.DiscardHandler),
		Show: once(func(p scenario.Progress) bool { return p.Stage == "load" }, func() { stages["load"] = true }),
	})
	require.ErrorIs(t, err, unix.ENOSPC)
	require.ErrorContains(t, err, "check the disk and run again")
	require.Less(t, time.Since(began), plan.Length()/2)
	require.True(t, stages["load"], "the disk was full before the load")
	require.Empty(t, pidsOf(t, dir))
	h, err := history.Read(filepath.Join(disk, historyName))
	require.NoError(t, err)
	require.False(t, h.Complete)
}
