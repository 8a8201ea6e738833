package e2e

import (
	"testing"
	"time"

	"tandem/bench/cluster"
	"tandem/shared/conformance"
)

// unknownPostAfter is short, for the suite waits for it; long enough for word of a post on a busy machine.
const unknownPostAfter = 3 * time.Second

// TestConformance holds each stack to the contract that both share.
func TestConformance(t *testing.T) {
	for stack, features := range map[string]conformance.Features{
		cluster.Sync: conformance.SyncFeatures(), cluster.Async: conformance.AsyncFeatures(unknownPostAfter),
	} {
		t.Run(stack, func(t *testing.T) {
			c := start(t, cluster.Config{Stack: stack, UnknownPostAfter: unknownPostAfter})
			conformance.Run(t, conformance.Target{Addresses: c.Addresses(), Features: features})
		})
	}
}
