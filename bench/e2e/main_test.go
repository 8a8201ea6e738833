package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sync/errgroup"
)

// binVariable hands the folder of the built programs from TestMain to the tests.
const binVariable = "E2E_BIN"

// TestMain builds the programs once, and demands that none of them outlives the tests.
func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "tandem-e2e-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if dir, err = filepath.EvalSymlinks(dir); err != nil { // as the system will tell the path of a program that runs
		return 1, err
	}
	if err := build(dir); err != nil {
		return 1, err
	}
	// A program built with -race sleeps 1 s before it exits, in which no service has anything to find.
	if err := errors.Join(os.Setenv(binVariable, dir), os.Setenv("GORACE", "atexit_sleep_ms=0")); err != nil {
		return 1, err
	}
	code = m.Run()
	left, err := running(dir)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("these processes have outlived their tests: %v", left)
	}
	return code, err
}

// build builds every service. If the test binary looks for data races, so do the services, and their logs are read for them.
// Measured on two cores: the tests take about 210 s with and 130 s without; the kill rounds write a third to a half less in
// the same time. Only the rebuild of the read model is ten times as slow, and so has less to rebuild.
func build(dir string) error {
	if raceEnabled {
		return buildServices(dir, "-race")
	}
	return buildServices(dir)
}

func buildServices(dir string, flags ...string) error {
	var builds errgroup.Group
	builds.SetLimit(2) // each uses several cores itself
	for _, stack := range []string{"sync", "async"} {
		for _, name := range partsOf(stack) {
			builds.Go(func() error {
				args := append([]string{"build", "-o", filepath.Join(dir, stack+"-"+name)}, flags...)
				out, err := exec.Command("go", append(args, "tandem/"+stack+"/"+name)...).CombinedOutput()
				if err != nil {
					return fmt.Errorf("build %s/%s: %w\n%s", stack, name, err, out)
				}
				return nil
			})
		}
	}
	return builds.Wait()
}

func partsOf(stack string) []string {
	parts := []string{"posts", "comments", "moderation", "subscriptions", "query"}
	if stack == "async" {
		parts = append([]string{"broker"}, parts...)
	}
	return parts
}
