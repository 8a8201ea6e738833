package scenario

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPerOperation(t *testing.T) {
	for name, c := range map[string]struct {
		from, until traffic
		ops, looks  int
		rpcs        float64
	}{
		"operations_and_looks": {traffic{calls: 100}, traffic{calls: 400}, 90, 10, 3},
		"nothing_sent":         {traffic{calls: 100}, traffic{calls: 400}, 0, 10, 0},
		"not_known_before":     {traffic{calls: -1}, traffic{calls: 400}, 90, 10, 0},
		"not_known_after":      {traffic{calls: 100}, traffic{calls: -1}, 90, 10, 0},
		"restarted_meanwhile":  {traffic{calls: 100}, traffic{calls: 50}, 90, 10, 0},
	} {
		t.Run(name, func(t *testing.T) {
			rpcs, messages := perOperation(c.from, c.until, c.ops, c.looks)
			require.InDelta(t, c.rpcs, rpcs, 1e-9)
			require.Zero(t, messages, "a stack without a broker")
		})
	}
}
