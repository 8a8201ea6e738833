package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/check"
	"tandem/bench/cluster"
	"tandem/bench/fault"
	"tandem/bench/history"
	"tandem/bench/load"
	"tandem/bench/scenario"
	"tandem/shared/mutant"
)

// buildLab builds the services and the laboratory with crash points and mutants, once, and returns their folder. It leaves the race detector out: it
// would only make them slow, and other tests look for races.
var buildLab = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(os.Getenv(binVariable), "lab")
	if err := buildServices(dir, "-tags", "lab"); err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-tags", "lab", "-o", filepath.Join(dir, "tandem"), "tandem/bench").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the laboratory: %w\n%s", err, out)
	}
	return dir, nil
})

// labPlan is a short experiment in which these faults happen one after the other.
func labPlan(seed uint64, faults ...fault.Spec) scenario.Plan {
	p := scenario.DefaultPlan()
	p.Seed, p.World = seed, load.WorldSize{Posts: 100, Comments: 100, Authors: 10, Subscriptions: 200}
	p.Rate, p.Steady, p.Sample = 250, 2*time.Second, 20
	p.Steps = nil
	for _, f := range faults {
		p.Steps = append(p.Steps, scenario.Step{
			Spec: f, Before: 300 * time.Millisecond, For: 500 * time.Millisecond, After: 900 * time.Millisecond,
		})
	}
	return p
}

// each returns a fault for each of the victims.
func each(f fault.Spec, victims ...string) (faults []fault.Spec) {
	for _, v := range victims {
		f.Victim = v
		faults = append(faults, f)
	}
	return faults
}

// experiment is one run of the whole laboratory on programs that make a mistake, or none.
type experiment struct {
	plan   scenario.Plan
	config cluster.Config
	mutant mutant.Name // empty for none
}

// drainPatience is how long a drain waits without progress. These stacks are small, and what mutants lose never comes.
const drainPatience = 4 * time.Second

// judgedWithin is how many tries an experiment has to end in a verdict: a machine that is too busy just then allows none.
const judgedWithin = 3

// run carries the experiment out on real processes and judges the history that it left on disk.
func (e experiment) run(t *testing.T) (result check.Result) {
	t.Helper()
	bin, err := buildLab()
	require.NoError(t, err)
	dependOnSources(t)
	e.config.Env = []string{mutant.Variable + "=" + string(e.mutant)}
	e.config.BinDir, e.config.FreePorts = bin, true
	dir := t.ArtifactDir()
	for try := range judgedWithin {
		e.config.Dir = filepath.Join(dir, fmt.Sprintf("try-%d", try))
		require.NoError(t, os.Mkdir(e.config.Dir, 0o755))
		result = check.Check(carryOut(t, e.plan, scenario.Lab{Cluster: e.config, Patience: drainPatience}))
		if result.Verdict != check.Unknown || result.OnlyDisturbed() {
			break
		}
		t.Logf("no verdict: %q", result.Reasons)
	}
	return result
}

// requireSound demands that nothing is wrong with a stack, as far as the machine let it show.
func requireSound(t *testing.T, result check.Result) {
	t.Helper()
	require.True(t, result.Verdict == check.Valid || result.OnlyDisturbed(), "%q", result.Reasons)
}

// carryOut runs an experiment in a laboratory that is complete but for its history and its log, and returns the history that it left on
// disk.
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
