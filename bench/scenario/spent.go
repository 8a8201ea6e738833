package scenario

import (
	"runtime"
	"time"

	"tandem/bench/cluster"
	"tandem/bench/history"
)

// spent is the CPU time that was used up to a moment of a run.
type spent struct {
	at      time.Duration // run time
	stack   time.Duration // by the processes of the stack, in all their lives
	lab     time.Duration // by this process
	machine time.Duration // by all programs of the machine; 0 where the system does not tell
}

func (r *run) spent() spent {
	s := spent{at: r.bed.Clock.Now(), stack: r.bed.Usage().CPU}
	s.lab, _ = cluster.OwnCPU()
	s.machine, _ = cluster.MachineBusy()
	return s
}

// generator is what the lab used between two moments, and what others took away meanwhile.
func generator(from, until spent) history.Generator {
	g := history.Generator{CPU: until.lab - from.lab, Wall: until.at - from.at, Cores: runtime.NumCPU()}
	if from.machine > 0 && until.machine > 0 {
		// The machine counts in ticks, processes in nanoseconds: on a machine with nothing else to do the rest may be below 0.
		g.Stolen = max(0, until.machine-from.machine-(until.stack-from.stack)-g.CPU)
	}
	return g
}

// perThousand is a time per 1,000 operations of n.
func perThousand(d time.Duration, n int) time.Duration { return d * 1000 / time.Duration(max(1, n)) }
