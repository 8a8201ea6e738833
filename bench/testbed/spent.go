package testbed

import (
	"runtime"
	"time"

	"tandem/bench/cluster"
	"tandem/bench/history"
)

// Spent is the CPU time that was used up to a moment of a run.
type Spent struct {
	At      time.Duration // run time
	Stack   time.Duration // by the processes of the stack, in all their lives
	Lab     time.Duration // by this process
	Machine time.Duration // by all programs of the machine; 0 where the system does not tell
}

// Spent is what was used up to now.
func (t *Testbed) Spent() Spent {
	s := Spent{At: t.Clock.Now(), Stack: t.Usage().CPU}
	s.Lab, _ = cluster.OwnCPU()
	s.Machine, _ = cluster.MachineBusy()
	return s
}

// Generator is what the lab used between two moments, and what others took away meanwhile.
func (from Spent) Generator(until Spent) history.Generator {
	g := history.Generator{CPU: until.Lab - from.Lab, Wall: until.At - from.At, Cores: runtime.NumCPU()}
	if from.Machine > 0 && until.Machine > 0 {
		// The machine counts in ticks, processes in nanoseconds: on a machine with nothing else to do the rest may be below 0.
		g.Stolen = max(0, until.Machine-from.Machine-(until.Stack-from.Stack)-g.CPU)
	}
	return g
}
