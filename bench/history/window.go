package history

import "time"

// Load returns the operations of the load, in the order of their Index.
func (h *History) Load() []*Operation {
	var load []*Operation
	for _, o := range h.Operations {
		if o.Phase == PhaseLoad {
			load = append(load, o)
		}
	}
	return load
}

// LoadStart is when the load began, in run time: the first intended send time; 0 without a load.
func (h *History) LoadStart() time.Duration {
	var start time.Duration
	found := false
	for _, o := range h.Operations {
		if o.Phase == PhaseLoad && (!found || o.Intended < start) {
			start, found = o.Intended, true
		}
	}
	return start
}

// LoadEnd is when the load was to end, in run time: Header.Length after LoadStart.
func (h *History) LoadEnd() time.Duration { return h.LoadStart() + h.Header.Length }

// FirstFault is when the first fault was asked for, or LoadEnd if there was none before that. A fault that was absent counts
// too, so that both stacks have the same windows.
func (h *History) FirstFault() time.Duration {
	if len(h.Faults) == 0 {
		return h.LoadEnd()
	}
	return min(h.Faults[0].Asked, h.LoadEnd())
}

// SteadyEnd is when the steady window ends that begins at LoadStart: one Deadline before FirstFault, or at LoadEnd if there was
// none. What is intended later may still be on its way to query's pages when the fault strikes, and would take the outage into
// the figures of a system at peace. A load that was shorter than two deadlines before the fault is steady for half of that time.
func (h *History) SteadyEnd() time.Duration {
	fault := h.FirstFault()
	if fault == h.LoadEnd() {
		return fault
	}
	return SteadyUntil(h.LoadStart(), fault, h.Header.Deadline)
}

// SteadyUntil is when the steady window ends of a load that begins at start, has its first fault at fault, and whose operations
// have a deadline.
func SteadyUntil(start, fault, deadline time.Duration) time.Duration {
	quiet := max(0, fault-start)
	return start + quiet - min(deadline, quiet/2)
}
