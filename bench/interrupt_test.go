package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tandem/bench/cluster"
	"tandem/bench/history"
	"tandem/bench/scenario"
)

// interruption is one moment at which a run is interrupted.
type interruption struct {
	name    string
	at      func(scenario.Progress) bool
	running int  // services at that moment, or -1
	begun   bool // whether there is a history by then
}

func interruptions() []interruption {
	stage := func(name string) func(scenario.Progress) bool {
		return func(p scenario.Progress) bool { return p.Stage == name }
	}
	return []interruption{
		{"start", stage("start"), 0, false},
		{"preload", func(p scenario.Progress) bool { return p.Stage == "preload" && p.Done > 50 }, 5, true},
		{"wait for the preload", func(p scenario.Progress) bool { return p.Stage == "preload" && p.Total > 0 && p.Done == p.Total }, 5, true},
		{"load", func(p scenario.Progress) bool { return p.Stage == "load" && p.Done > 10 }, 5, true},
		{"victim is down", func(p scenario.Progress) bool { return p.Down == "posts" }, 4, true},
		{"drain", stage("drain"), 5, true},
		{"look", stage("look"), 5, true},
	}
}

func TestInterruptedAtEachStage(t *testing.T) {
	plan := smallPlan()
	plan.Steps = scenario.Kills(smallSlot(), "posts")
	experiment, err := scenario.New(plan)
	require.NoError(t, err)
	programs := syncPrograms(t)
	for _, moment := range interruptions() {
		t.Run(moment.name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			dir := t.TempDir()
			path := filepath.Join(dir, historyName)
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			found := -1
			var asked time.Time
			_, err := experiment.Run(ctx, scenario.Lab{
				Cluster: cluster.Config{Stack: cluster.Sync, BinDir: programs, Dir: dir, FreePorts: true},
				History: path, Log: slog.New(slog.DiscardHandler),
				Show: once(moment.at, func() {
					found, asked = len(pidsOf(t, dir)), time.Now()
					interrupt()
				}),
			})
			require.Error(t, err)
			require.Less(t, time.Since(asked), 10*time.Second)
			require.Equal(t, moment.running, found, "services that were running then")
			require.Empty(t, pidsOf(t, dir))
			if !moment.begun {
				require.NoFileExists(t, path)
				return
			}
			h, err := history.Read(path)
			require.NoError(t, err)
			require.False(t, h.Complete)
		})
	}
}

// once returns a Show that does something at the first progress of a kind.
func once(at func(scenario.Progress) bool, do func()) func(scenario.Progress) {
	turn := make(chan struct{}, 1)
	turn <- struct{}{}
	return func(p scenario.Progress) {
		if !at(p) {
			return
		}
		select {
		case <-turn:
			do()
		default:
		}
	}
}
