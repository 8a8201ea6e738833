package testbed

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/history"
)

func TestGenerator(t *testing.T) {
	from := Spent{At: 10 * time.Second, Stack: 4 * time.Second, Lab: 2 * time.Second, Machine: 100 * time.Second}
	for name, c := range map[string]struct {
		until Spent
		want  history.Generator
	}{
		"others_at_work": {
			Spent{At: 30 * time.Second, Stack: 9 * time.Second, Lab: 5 * time.Second, Machine: 120 * time.Second},
			history.Generator{CPU: 3 * time.Second, Wall: 20 * time.Second, Stolen: 12 * time.Second},
		},
		"never_below_0": {
			Spent{At: 30 * time.Second, Stack: 9 * time.Second, Lab: 5 * time.Second, Machine: 107 * time.Second},
			history.Generator{CPU: 3 * time.Second, Wall: 20 * time.Second},
		},
		"machine_does_not_tell": {
			Spent{At: 30 * time.Second, Stack: 9 * time.Second, Lab: 5 * time.Second},
			history.Generator{CPU: 3 * time.Second, Wall: 20 * time.Second},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.want.Cores = runtime.NumCPU()
			require.Equal(t, c.want, from.Generator(c.until))
		})
	}
}
