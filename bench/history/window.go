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

// SteadyEnd is when the steady window ends that begins at LoadStart: when the first fault was asked for, or at LoadEnd if there
// was none. A fault that was absent ends it too, so that both stacks have the same window.
func (h *History) SteadyEnd() time.Duration {
	if len(h.Faults) == 0 {
		return h.LoadEnd()
	}
	return min(h.Faults[0].Asked, h.LoadEnd())
}
