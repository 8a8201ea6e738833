package e2e

import (
	"testing"
	"time"

	"tandem/bench/cluster"
	"tandem/shared/conformance"
)

// unknownPostAfter is short, for the suite waits for it; long enough for word of a post on a busy machine.
const unknownPostAfter = 3 * time.Second

// TestConformance holds each stack to the contract that both share. What protects a service in trouble must change nothing while there
// is none, so sync is tried without any, with retries alone, and at the level that holds all others.
func TestConformance(t *testing.T) {
	for _, level := range []string{"naive", "retry", "fallback"} {
		t.Run("sync_"+level, func(t *testing.T) {
			t.Parallel()
			c := start(t, cluster.Config{Stack: cluster.Sync, SyncLevel: level})
			conformance.Run(t, conformance.Target{Addresses: c.Addresses(), Features: conformance.SyncFeatures()})
		})
	}
	t.Run("async", func(t *testing.T) {
		t.Parallel()
		c := start(t, cluster.Config{Stack: cluster.Async, UnknownPostAfter: unknownPostAfter})
		features := conformance.AsyncFeatures(unknownPostAfter)
		conformance.Run(t, conformance.Target{Addresses: c.Addresses(), Features: features})
	})
}
