package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/bench/scenario"
)

// told feeds a whole run to a progress and returns what it wrote.
func told(moving bool) string {
	var out bytes.Buffer
	p := &progress{
		out: &out, stack: "async", moving: moving, updates: make(chan scenario.Progress, 1), ended: make(chan struct{}),
	}
	go p.show()
	const total = 10_000
	for _, stage := range []string{"start", "preload", "load", "drain", "look"} {
		for i := range total {
			p.update(scenario.Progress{Stage: stage, Done: i, Total: total})
		}
	}
	_, _ = p.aside().Write([]byte("a warning\n"))
	p.end()
	return out.String()
}

func TestProgressInAFile(t *testing.T) {
	text := told(false)
	require.NotContains(t, text, "\r")
	require.Contains(t, text, "async  looking at what is there  ")
	require.Contains(t, text, "\na warning\n")
	require.LessOrEqual(t, strings.Count(text, "\n"), 6, text)
}

func TestProgressOnATerminal(t *testing.T) {
	text := told(true)
	require.Equal(t, 1, strings.Count(text, "\n"), "only the warning is a line of its own")
	require.Contains(t, text, clearLine+"a warning\n")
	require.True(t, strings.HasSuffix(text, clearLine), "the line is cleared at the end")
}

func TestProgressText(t *testing.T) {
	p := &progress{stack: "sync"}
	for want, state := range map[string]scenario.Progress{
		"sync   starting":             {Stage: "start"},
		"sync   filling   50 % of 10": {Stage: "preload", Done: 5, Total: 10},
		"sync   under load   99 % of 1000  7 not OK  posts is killed": {
			Stage: "load", Done: 999, Total: 1000, Failed: 7, Down: "posts",
		},
		"sync   under load   50 % of 1000  0 not OK  slow calls subscriptions in effect": {Stage: "load", Done: 500, Total: 1000, Down: "slow calls subscriptions"},
		"sync   waiting for the last effects":                                            {Stage: "drain"},
		"sync   waiting for the last effects  12 writes do not show yet":                 {Stage: "drain", Waiting: 12},
		"sync   looking at what is there":                                                {Stage: "look"},
	} {
		require.Equal(t, want, p.text(state))
		require.Less(t, len(p.text(state)), 80, "it must be one line on any terminal")
	}
}
