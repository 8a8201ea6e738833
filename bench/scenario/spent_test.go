package scenario

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/history"
)

func TestGenerator(t *testing.T) {
	from := spent{at: 10 * time.Second, stack: 4 * time.Second, lab: 2 * time.Second, machine: 100 * time.Second}
	for name, c := range map[string]struct {
		until spent
		want  history.Generator
	}{
		"others_at_work": {
			spent{at: 30 * time.Second, stack: 9 * time.Second, lab: 5 * time.Second, machine: 120 * time.Second},
			history.Generator{CPU: 3 * time.Second, Wall: 20 * time.Second, Stolen: 12 * time.Second},
		},
		"never_below_0": {
			spent{at: 30 * time.Second, stack: 9 * time.Second, lab: 5 * time.Second, machine: 107 * time.Second},
			history.Generator{CPU: 3 * time.Second, Wall: 20 * time.Second},
		},
		"machine_does_not_tell": {
			spent{at: 30 * time.Second, stack: 9 * time.Second, lab: 5 * time.Second},
			history.Generator{CPU: 3 * time.Second, Wall: 20 * time.Second},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.want.Cores = runtime.NumCPU()
			require.Equal(t, c.want, generator(from, c.until))
		})
	}
}

func TestPerThousand(t *testing.T) {
	require.Equal(t, 4*time.Second, perThousand(2*time.Second, 500))
	require.Equal(t, time.Duration(0), perThousand(0, 0))
}
