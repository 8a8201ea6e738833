package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"tandem/bench/capacity"
	"tandem/bench/measure"
)

// CapacitySchema is the version of capacity.json.
const CapacitySchema = 1

// CapacityFileName is the name of what searches for the capacity found, in their folder.
const CapacityFileName = "capacity.json"

// Capacity is what the searches for the capacity of one or both stacks found, with everything that they were done with.
type Capacity struct {
	Schema   int              `json:"schema"`
	Name     string           `json:"name"`
	Start    time.Time        `json:"start"`
	Settings CapacitySettings `json:"settings"`
	Machine  Machine          `json:"machine"`
	Stacks   []StackCapacity  `json:"stacks"`
	// Contrasts set sync (A) and async (B) beside each other, if the capacity of both was found in each of several rounds.
	Contrasts []measure.Contrast `json:"contrasts,omitempty"`
}

// CapacitySettings is what searches were done with.
type CapacitySettings struct {
	Plan       capacity.Plan `json:"plan"`
	Repeat     int           `json:"repeat"` // how many searches of each stack were asked for
	SyncLevel  string        `json:"sync_level"`
	AsyncLevel string        `json:"async_level"`
	Acks       string        `json:"acks"`
	DBSync     string        `json:"db_sync"`
	Procs      int           `json:"procs"`     // GOMAXPROCS of each service; 0: not set
	OwnProcs   int           `json:"own_procs"` // GOMAXPROCS of the laboratory while a stack ran; 0: not set
	Broker     string        `json:"broker"`
}

// StackCapacity is what was found out about one stack.
type StackCapacity struct {
	Stack    string            `json:"stack"`
	Searches []capacity.Result `json:"searches"` // each on a fresh stack
	// Known tells whether every search found the capacity. If not, Rate is only a rate that the stack holds: its capacity is at
	// least that.
	Known bool `json:"known"`
	// Rate is the highest rate that was held, in operations a second, over all searches; null if one of them found none.
	Rate *measure.Estimate `json:"rate"`
}

// Add adds what a search of a stack found.
func (c *Capacity) Add(stack string, found capacity.Result) {
	i := slices.IndexFunc(c.Stacks, func(s StackCapacity) bool { return s.Stack == stack })
	if i < 0 {
		i = len(c.Stacks)
		c.Stacks = append(c.Stacks, StackCapacity{Stack: stack})
	}
	s := &c.Stacks[i]
	s.Searches = append(s.Searches, found)
	s.Known = !slices.ContainsFunc(s.Searches, func(r capacity.Result) bool { return !r.Known() })
	s.Rate = nil
	if rates := s.rates(); len(rates) == len(s.Searches) {
		s.Rate = new(measure.Over(rates))
	}
	c.Contrasts = c.contrasts()
}

// rates are the highest rates that were held, of the searches that found one.
func (s *StackCapacity) rates() (rates []float64) {
	for _, r := range s.Searches {
		if r.Holds != nil {
			rates = append(rates, *r.Holds)
		}
	}
	return rates
}

// contrasts are claims only about what is known of both stacks.
func (c *Capacity) contrasts() []measure.Contrast {
	if len(c.Stacks) != 2 || !c.Known() || len(c.Stacks[0].Searches) != len(c.Stacks[1].Searches) || len(c.Stacks[0].Searches) < 2 {
		return nil
	}
	sides := map[string][][]measure.Figure{}
	for _, s := range c.Stacks {
		for _, rate := range s.rates() {
			sides[s.Stack] = append(sides[s.Stack], []measure.Figure{{Name: "capacity", Unit: "operations/s", Value: &rate}})
		}
	}
	return measure.Paired(sides["sync"], sides["async"])
}

// Known tells whether the capacity of every stack was found.
func (c *Capacity) Known() bool {
	return !slices.ContainsFunc(c.Stacks, func(s StackCapacity) bool { return !s.Known })
}

// Write writes capacity.json and report.html into a folder. Each appears whole or not at all.
func (c *Capacity) Write(dir string) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", CapacityFileName, err)
	}
	page, err := c.Page()
	if err != nil {
		return err
	}
	return errors.Join(writeWhole(filepath.Join(dir, CapacityFileName), append(text, '\n')), writeWhole(filepath.Join(dir, PageName), page))
}
