// Package report turns the figures of a run into what people and programs read: results.json, and tables for a terminal. It
// computes nothing that the figures do not hold.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tandem/bench/check"
	"tandem/bench/measure"
	"tandem/bench/scenario"
)

// Schema is the version of results.json. It changes whenever a reader of the old one would misread the new one.
const Schema = 2

// Results is everything that a run found out, with everything that it was done with.
type Results struct {
	Schema   int       `json:"schema"`
	Name     string    `json:"name"`
	Start    time.Time `json:"start"`
	Settings Settings  `json:"settings"`
	Machine  Machine   `json:"machine"`
	// Stacks are the figures of the first round. Rounds are all rounds, the first one too, if there was more than one.
	Stacks []Stack `json:"stacks"`
	Rounds []Round `json:"rounds,omitempty"`
	// Contrasts set sync (A) and async (B) beside each other over all rounds; empty if the two may not be compared.
	Contrasts []measure.Contrast `json:"contrasts,omitempty"`
	// NotComparable is why the stacks' figures must not stand side by side; empty if they may.
	NotComparable string `json:"not_comparable,omitempty"`
}

// Round is one repetition of the whole experiment. What its figures are over time stands in its histories only.
type Round struct {
	Stacks []Stack `json:"stacks"` // in the order in which they ran
}

// Settings is what a run was done with.
type Settings struct {
	Plan       scenario.Plan `json:"plan"`
	Repeat     int           `json:"repeat"` // how many rounds were asked for; a run that was interrupted has fewer
	SyncLevel  string        `json:"sync_level"`
	AsyncLevel string        `json:"async_level"`
	Acks       string        `json:"acks"`
	// Mistake is the one that async's programs made, which were built for tests: then no figure is the real stack's. "none" is such
	// programs without a mistake; empty for the programs that everybody runs.
	Mistake  string `json:"mistake,omitempty"`
	DBSync   string `json:"db_sync"`
	Procs    int    `json:"procs"`     // GOMAXPROCS of each service; 0: not set
	OwnProcs int    `json:"own_procs"` // GOMAXPROCS of the laboratory while a stack ran; 0: not set
	Broker   string `json:"broker"`
	// ReconnectBase and ReconnectMax bound the wait between two attempts of every gRPC client to reach a server that is gone.
	ReconnectBase time.Duration `json:"reconnect_base_ns"`
	ReconnectMax  time.Duration `json:"reconnect_max_ns"`
}

// Stack is what was found out about one stack.
type Stack struct {
	Stack   string         `json:"stack"`
	History string         `json:"history"` // relative to results.json
	Figures measure.Report `json:"figures"`
	Check   check.Result   `json:"check"`
	Cost    scenario.Cost  `json:"cost"`
}

// Verdict is the worst of the stacks' verdicts in all rounds: invalid before unknown before valid.
func (r *Results) Verdict() check.Verdict {
	worst := check.Valid
	for _, s := range r.OfRounds() {
		if s.Check.Verdict == check.Invalid || worst == check.Valid {
			worst = s.Check.Verdict
		}
	}
	return worst
}

// FileName is the name of the results in their folder.
const FileName = "results.json"

// Write writes the results into a folder. The file appears whole or not at all.
func (r *Results) Write(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode results: %w", err)
	}
	return writeWhole(filepath.Join(dir, FileName), append(text, '\n'))
}

// writeWhole writes a file that appears whole or not at all.
func writeWhole(path string, content []byte) error {
	part := path + ".part"
	if err := os.WriteFile(part, content, 0o644); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", filepath.Base(path), err), removeIfThere(part))
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Read reads the results in a folder.
func Read(dir string) (*Results, error) {
	path := filepath.Join(dir, FileName)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	r := &Results{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", path, err)
	}
	if r.Schema != Schema {
		return nil, fmt.Errorf("%s has schema %d, and this tandem reads schema %d: use the tandem that made it", path, r.Schema, Schema)
	}
	return r, nil
}
