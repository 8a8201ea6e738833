//go:build unix

package load

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tandem/shared/floor"
)

// BenchmarkFloorTimer is how late operations start at the default rate, with nothing else to do.
func BenchmarkFloorTimer(b *testing.B) {
	world := newTestWorld(b, smallSize())
	s := newSchedule(b, ScheduleConfig{World: world, Seed: 1, Rate: 500, Length: time.Second})
	floor.Alone(b, func() float64 {
		clock := NewClock()
		ops, err := Run(b.Context(), RunConfig{Schedule: s, Client: nothing{clock}, Clock: clock, Start: clock.Now()})
		require.NoError(b, err)
		late := lateness(ops)
		return floor.Micros(late[len(late)*99/100])
	})
}

// BenchmarkGenerator reports the CPU that one operation costs: of the pacing alone, and with the call to a server that
// answers at once, whose own cost is in the figure because it runs in the same process.
func BenchmarkGenerator(b *testing.B) {
	b.Run("pacing", func(b *testing.B) {
		world := newTestWorld(b, smallSize())
		s := newSchedule(b, ScheduleConfig{World: world, Seed: 1, Rate: 500, Length: 2 * time.Second})
		clock := NewClock()
		measure(b, s, func() RunConfig { return RunConfig{Client: nothing{clock}, Clock: clock} })
	})
	b.Run("calls", func(b *testing.B) {
		_, c, _ := preloaded(b, time.Second)
		s := reads(b, c, 500, 2*time.Second)
		measure(b, s, func() RunConfig { return RunConfig{Client: c, Clock: c.cfg.Clock} })
	})
}

func measure(b *testing.B, s *Schedule, config func() RunConfig) {
	ops := 0
	begin := cpu(b)
	for b.Loop() {
		cfg := config()
		cfg.Schedule, cfg.Start = s, cfg.Clock.Now()
		done, err := Run(b.Context(), cfg)
		require.NoError(b, err)
		ops += len(done)
	}
	b.ReportMetric(float64((cpu(b)-begin).Microseconds())/float64(ops), "cpu-µs/op")
}

// cpu is what the process has used so far.
func cpu(b *testing.B) time.Duration {
	var usage unix.Rusage
	require.NoError(b, unix.Getrusage(unix.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
