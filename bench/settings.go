package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"tandem/bench/cluster"
)

// addSettings adds the flags that say how the services run, and fills cfg from them.
func addSettings(cmd *cobra.Command, cfg *cluster.Config) {
	addHow(cmd, cfg)
	flags := cmd.Flags()
	flags.Var(newChoice(&cfg.SyncLevel, "deadline", "naive", "deadline", "retry", "budget", "breaker", "fallback"), "sync-level",
		"how sync protects its calls: naive, deadline, retry, budget, breaker or fallback")
	flags.Var(newChoice(&cfg.AsyncLevel, "dead-letter", "direct", "outbox", "idempotent", "dead-letter"), "async-level",
		"how async protects its events: direct, outbox, idempotent or dead-letter")
	flags.Var(newChoice(&cfg.Acks, "all", "none", "one", "all"), "acks",
		"whose word async's publishers wait for: none, one or all brokers")
}

// addHow adds those that have nothing to do with protection.
func addHow(cmd *cobra.Command, cfg *cluster.Config) {
	flags := cmd.Flags()
	flags.StringVar(&cfg.BinDir, "bin", besideTandem(), "`folder` with the services that make build made")
	flags.Lookup("bin").DefValue = "the folder of tandem itself"
	flags.BoolVar(&cfg.FreePorts, "free-ports", false, "take any free ports instead of the usual ones")
	flags.Var(newChoice(&cfg.DBSync, "normal", "normal", "full"), "db-sync",
		"normal: commits survive a killed process; full: they survive a power cut too")
	flags.IntVar(&cfg.Procs, "procs", 1, "GOMAXPROCS of every service; 0 leaves it alone")
}

// addOwnProcs adds the flag that says how many threads of Go the laboratory itself has. With one, its load generator wakes none of
// the others up for each operation: measured on two cores with bench/ghz, that takes a quarter off its CPU per operation, and
// sends no later. One thread is good for some thousand operations a second; a generator that is its own limit says so.
func addOwnProcs(cmd *cobra.Command, procs *int) {
	cmd.Flags().IntVar(procs, "own-procs", 1, "GOMAXPROCS of tandem itself while a stack runs; 0 leaves it alone")
}

// takeProcs sets this process's GOMAXPROCS, unless n is 0, until the returned function is called.
func takeProcs(n int) (giveBack func()) {
	before := runtime.GOMAXPROCS(n)
	return func() { runtime.GOMAXPROCS(before) }
}

// besideTandem is the folder of this program. Where the system does not tell, it is the current one.
func besideTandem() string {
	self, err := os.Executable()
	if err != nil {
		return "."
	}
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	return filepath.Dir(self)
}

// choice is the value of a flag that takes one of a few words.
type choice struct {
	value   *string
	allowed []string
}

func newChoice(value *string, preset string, allowed ...string) *choice {
	*value = preset
	return &choice{value, allowed}
}

// Set implements pflag.Value.
func (c *choice) Set(s string) error {
	if !slices.Contains(c.allowed, s) {
		return fmt.Errorf("use one of %s", strings.Join(c.allowed, ", "))
	}
	*c.value = s
	return nil
}

// String implements pflag.Value.
func (c *choice) String() string { return *c.value }

// Type implements pflag.Value.
func (c *choice) Type() string { return "word" }

// percent is the value of a flag that is given in percent and kept as a share.
type percent struct{ share *float64 }

func newPercent(share *float64) percent { return percent{share} }

// Set implements pflag.Value.
func (p percent) Set(s string) error {
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil {
		return errors.New("use a number, for example 99.9")
	}
	const places = 1e6 // what is meant exactly must not be missed by how floating point divides
	*p.share = math.Round(v*places) / (100 * places)
	return nil
}

// String implements pflag.Value.
func (p percent) String() string {
	if p.share == nil { // pflag asks a zero value what nothing looks like
		return ""
	}
	return fmt.Sprintf("%g", 100**p.share)
}

// Type implements pflag.Value.
func (p percent) Type() string { return "percent" }
