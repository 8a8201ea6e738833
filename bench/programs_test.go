package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/load"
	"tandem/bench/scenario"
)

// programsVariable hands the folder for the real services from TestMain to the tests.
const programsVariable = "TANDEM_TEST_PROGRAMS"

// withProgramFolder runs the tests with a folder for the programs that some of them need.
func withProgramFolder(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "tandem-bench-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Setenv(programsVariable, dir); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// buildSync builds the real services of sync, once: where calls must be answered, a double is not enough.
var buildSync = sync.OnceValue(func() error {
	for _, name := range load.Services() {
		program := filepath.Join(os.Getenv(programsVariable), "sync-"+name)
		if out, err := exec.Command("go", "build", "-o", program, "tandem/sync/"+name).CombinedOutput(); err != nil {
			return fmt.Errorf("build sync/%s: %w\n%s", name, err, out)
		}
	}
	return nil
})

// syncPrograms returns the folder with the real services of sync.
func syncPrograms(t *testing.T) string {
	t.Helper()
	// Go knows a test's result as long as the files are the same that the test looked at: let it look at the sources.
	for _, folder := range []string{"sync", "shared", "proto"} {
		require.NoError(t, filepath.WalkDir(filepath.Join("..", folder), func(path string, _ fs.DirEntry, err error) error {
			if err == nil {
				_, err = os.Stat(path)
			}
			return err
		}))
	}
	require.NoError(t, buildSync())
	return os.Getenv(programsVariable)
}

// smallPlan loads a small world for a second before anything is killed.
func smallPlan() scenario.Plan {
	p := scenario.DefaultPlan()
	p.World = load.WorldSize{Posts: 200, Comments: 200, Authors: 20, Subscriptions: 200}
	p.Rate, p.Steady, p.Steps, p.Sample = 100, time.Second, nil, 20
	return p
}

func smallSlot() scenario.Slot {
	return scenario.Slot{Before: 300 * time.Millisecond, For: 500 * time.Millisecond, After: time.Second}
}

// smallBench is the command line of a bench of sync by the small plan.
func smallBench(bin, results string, more ...string) []string {
	return append([]string{
		"bench", "sync", "--bin", bin, "--free-ports", "--results", results, "--rate", "100", "--steady", "1s",
		"--posts", "200", "--comments", "200", "--authors", "20", "--subscriptions", "200", "--kill", "",
	}, more...)
}

// requireNoneLeft waits until no service runs whose data lies in a folder.
func requireNoneLeft(t *testing.T, folder string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(pidsOf(t, folder)) == 0 }, bound, 20*time.Millisecond)
}

// pidsOf returns the processes whose arguments hold a text, this process left out.
func pidsOf(t *testing.T, text string) (pids []int) {
	t.Helper()
	out, err := exec.Command("ps", "-axo", "pid=,args=").Output()
	require.NoError(t, err)
	for line := range strings.Lines(string(out)) {
		var pid int
		if _, err := fmt.Sscan(line, &pid); err == nil && strings.Contains(line, text) && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}
