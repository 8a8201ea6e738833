package e2e

import (
	"testing"
	"time"

	"tandem/bench/cluster"
	"tandem/shared/conformance"
)

// unknownPostAfter is short, for the suite waits for it; long enough for word of a post on a busy machine.
const unknownPostAfter = 3 * time.Second

// TestConformance holds each stack to the contract that both share; sync at every protection level, for what protects a service
// in trouble must change nothing while there is none.
func TestConformance(t *testing.T) {
	for _, level := range []string{"naive", "deadline", "retry", "budget", "breaker", "fallback"} {
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
