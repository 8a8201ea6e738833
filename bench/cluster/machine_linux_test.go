package cluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseBusy(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want time.Duration
		fail bool
	}{
		"every_field":       {"cpu  100 20 3 40000 500000 6 7 8 90 10\ncpu0 1 1 1 1 1 1 1 1 1 1\n", 1440 * time.Millisecond, false},
		"without_guests":    {"cpu 1 0 0 0 0 0 0 0", 10 * time.Millisecond, false},
		"idle_only":         {"cpu 0 0 0 77 77 0 0 0 0 0\n", 0, false},
		"empty":             {"", 0, true},
		"another_first_row": {"intr 1 2 3 4 5 6 7 8\n", 0, true},
		"too_short":         {"cpu 1 2 3\n", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			busy, err := parseBusy([]byte(c.text))
			require.Equal(t, c.fail, err != nil, err)
			if !c.fail {
				require.Equal(t, c.want, busy)
			}
		})
	}
}

// TestMachineIsBusyWhenWeAre: what this process burns shows in its own account and in the machine's.
func TestMachineIsBusyWhenWeAre(t *testing.T) {
	own, ok := OwnCPU()
	require.True(t, ok)
	machine, ok := MachineBusy()
	require.True(t, ok)
	const burn = 100 * time.Millisecond
	used := time.Duration(0)
	for used < burn {
		now, _ := OwnCPU()
		used = now - own
	}
	after, _ := MachineBusy()
	require.GreaterOrEqual(t, after-machine, burn-5*tick, "ticks are charged to whoever runs when they come")
}
