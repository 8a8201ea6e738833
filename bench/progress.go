package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"tandem/bench/fault"
	"tandem/bench/scenario"
)

// progress shows how far a run is: one line that changes on a terminal, a line per step elsewhere.
type progress struct {
	out     io.Writer
	stack   string
	moving  bool
	updates chan scenario.Progress
	ended   chan struct{}
	writing sync.Mutex
}

func newProgress(out io.Writer, stack string) *progress {
	p := &progress{
		out: out, stack: stack, moving: isTerminal(out), updates: make(chan scenario.Progress, 1), ended: make(chan struct{}),
	}
	go p.show()
	return p
}

// update takes the newest state, and drops one that was not shown in time.
func (p *progress) update(state scenario.Progress) {
	for {
		select {
		case p.updates <- state:
			return
		default:
		}
		select {
		case <-p.updates: // older
		default:
		}
	}
}

// end shows the last state and returns when nothing more is written.
func (p *progress) end() {
	close(p.updates)
	<-p.ended
}

// show writes the states, a few a second.
func (p *progress) show() {
	defer close(p.ended)
	var last scenario.Progress
	var shown time.Time
	for state := range p.updates {
		news := state.Stage != last.Stage || state.Down != last.Down
		if !news && (!p.moving || time.Since(shown) < 200*time.Millisecond) {
			continue
		}
		last, shown = state, time.Now()
		if p.moving {
			p.write(clearLine + p.text(state))
		} else {
			p.write(p.text(state) + "\n")
		}
	}
	if p.moving {
		p.write(clearLine)
	}
}

// clearLine takes a terminal back to the start of an empty line.
const clearLine = "\r\x1b[K"

func (p *progress) write(text string) {
	p.writing.Lock()
	defer p.writing.Unlock()
	_, _ = io.WriteString(p.out, text) // nobody can be told that nobody can be told
}

// aside is for whole lines that are written meanwhile: they take the place of the moving line, which comes again below them.
func (p *progress) aside() io.Writer { return aside{p} }

type aside struct{ p *progress }

func (a aside) Write(line []byte) (int, error) {
	if a.p.moving {
		a.p.write(clearLine + string(line))
	} else {
		a.p.write(string(line))
	}
	return len(line), nil
}

func (p *progress) text(s scenario.Progress) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-5s  %s", p.stack, stageName(s.Stage))
	if s.Total > 0 {
		fmt.Fprintf(&b, "  %3d %% of %d", 100*s.Done/s.Total, s.Total)
	}
	if s.Stage == "load" {
		fmt.Fprintf(&b, "  %d not OK", s.Failed)
	}
	if s.Waiting > 0 {
		fmt.Fprintf(&b, "  %d writes do not show yet", s.Waiting)
	}
	if slices.Contains(fault.Parts(), s.Down) { // a kill is told by its victim alone
		fmt.Fprintf(&b, "  %s is killed", s.Down)
	} else if s.Down != "" {
		fmt.Fprintf(&b, "  %s in effect", s.Down)
	}
	return b.String()
}

func stageName(stage string) string {
	switch stage {
	case "start":
		return "starting"
	case "preload":
		return "filling"
	case "load":
		return "under load"
	case "drain":
		return "waiting for the last effects"
	case "look":
		return "looking at what is there"
	}
	return stage
}
