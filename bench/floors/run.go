package main

import (
	"os"
	"path/filepath"
	"time"

	"tandem/bench/report"
	"tandem/shared/floor"
)

// What `make bench` may cost.
const (
	mostRun     = 180 // s
	mostServing = 3   // s
	mostMemory  = 500 // MB
)

// linesOfRun returns what a run of the whole lab cost, as its results tell. Without one they are not measured.
func linesOfRun(dir string) [][]string {
	results, err := report.Read(dir)
	if err != nil {
		results = &report.Results{}
	}
	var serving time.Duration
	var memory int64
	for _, s := range results.Stacks {
		serving, memory = serving+s.Cost.StartUp, memory+s.Cost.Memory
	}
	when := " (no run found)"
	if err == nil {
		when = " (run of " + results.Start.UTC().Format(time.DateTime) + ")"
	}
	return [][]string{
		ofRun("make bench, start to results"+when, "s", lasted(dir, results.Start).Seconds(), mostRun),
		ofRun("both stacks and the broker SERVING, one after the other"+when, "s", serving.Seconds(), mostServing),
		ofRun("memory of all processes of both stacks"+when, "MB", float64(memory)/1e6, mostMemory),
	}
}

// ofRun is a line that has no floor. A cost of 0 was not measured.
func ofRun(path, unit string, cost, most float64) []string {
	target := floor.Target{Bound: floor.AtMost, Value: most}
	if cost <= 0 {
		return []string{path, "", "", "", target.Text(unit), "not measured"}
	}
	return []string{path, "", floor.Number(cost) + " " + unit, "", target.Text(unit), verdict(target, floor.Measured{Ours: cost})}
}

// lasted is how long a run took until it had written its results; 0 if that is not known.
func lasted(dir string, start time.Time) time.Duration {
	written, err := os.Stat(filepath.Join(dir, report.FileName))
	if err != nil || start.IsZero() {
		return 0
	}
	return written.ModTime().Sub(start)
}
