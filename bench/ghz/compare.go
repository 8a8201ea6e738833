package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// generator is one of the two that are compared: it loads for a time, in a process of its own.
type generator func(ctx context.Context, length time.Duration) (turn, error)

// results are the turns of both, round by round.
type results struct {
	delay     time.Duration // of the link between them and the service
	set       settings
	ours, ghz []turn
	// oursShort and ghzShort are turns that are mostly starting up: what they used is no cost of an operation.
	oursShort, ghzShort turn
}

// compare lets the two generators load the same process in turn: straight, where what each spends itself is a part of every call,
// and over a slow link, where hardly anything but the link is left to be measured.
func compare(ctx context.Context, set settings, stderr io.Writer) (all []*results, err error) {
	err = withPosts(ctx, set, func(p posts) error {
		for _, at := range p.addresses {
			r := &results{set: set, delay: at.delay}
			if err := r.compare(ctx, oursAt(set, at.address, p.dir), ghzAt(set, at.address, p.id), stderr); err != nil {
				return err
			}
			all = append(all, r)
		}
		return nil
	})
	return all, err
}

func (r *results) compare(ctx context.Context, ours, theirs generator, stderr io.Writer) error {
	if err := r.warmUp(ctx, ours, theirs); err != nil {
		return err
	}
	for n := range r.set.rounds {
		fmt.Fprintf(stderr, "%s: round %d of %d\n", r.way(), n+1, r.set.rounds)
		if err := r.round(ctx, n, ours, theirs); err != nil {
			return err
		}
	}
	return nil
}

// way is how the generators reach the service.
func (r *results) way() string {
	if r.delay == 0 {
		return "straight"
	}
	return fmt.Sprintf("over a link that holds answers back by %v ± %v", r.delay, r.delay/2)
}

// short is the length of a turn that is mostly starting up. At a tenth of a second ghz may end before it is connected.
const short = 300 * time.Millisecond

// warmUp wakes the service up, and learns what the start of each generator costs.
func (r *results) warmUp(ctx context.Context, ours, theirs generator) error {
	for _, g := range []struct {
		load  generator
		short *turn
	}{{ours, &r.oursShort}, {theirs, &r.ghzShort}} {
		if _, err := g.load(ctx, time.Second); err != nil {
			return err
		}
		var err error
		if *g.short, err = g.load(ctx, short); err != nil {
			return err
		}
	}
	return nil
}

// round gives each generator its turn. Who begins alternates: what the first leaves behind is not always the other's.
func (r *results) round(ctx context.Context, n int, ours, theirs generator) error {
	turns := []func() error{
		func() error { return keep(ctx, ours, r.set.length, &r.ours) },
		func() error { return keep(ctx, theirs, r.set.length, &r.ghz) },
	}
	if n%2 == 1 {
		turns[0], turns[1] = turns[1], turns[0]
	}
	return errors.Join(turns[0](), turns[1]())
}

func keep(ctx context.Context, g generator, length time.Duration, turns *[]turn) error {
	t, err := g(ctx, length)
	*turns = append(*turns, t)
	return err
}

func oursAt(set settings, address, dir string) generator {
	n := 0
	return func(ctx context.Context, length time.Duration) (t turn, err error) {
		self, err := os.Executable()
		if err != nil {
			return t, err
		}
		n++
		d := driving{address: address, history: filepath.Join(dir, fmt.Sprintf("%d.jsonl", n)), rate: float64(set.rate), length: length, procs: set.procs}
		out, cpu, err := output(exec.CommandContext(ctx, self, d.arguments()...))
		if err != nil {
			return t, err
		}
		if err := json.Unmarshal(out, &t); err != nil {
			return t, err
		}
		t.CPU = cpu
		return t, os.Remove(d.history)
	}
}

func ghzAt(set settings, address, id string) generator {
	return func(ctx context.Context, length time.Duration) (turn, error) {
		out, cpu, err := output(exec.CommandContext(ctx, set.ghz, ghzArguments(set, address, id, length)...))
		if err != nil {
			return turn{}, err
		}
		t, err := ghzTurn(bytes.NewReader(out))
		t.CPU = cpu
		return t, err
	}
}

// output runs a command and returns what it printed and the CPU time that it used.
func output(cmd *exec.Cmd) ([]byte, time.Duration, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w: %s%s", filepath.Base(cmd.Path), err, stderr.String(), out)
	}
	return out, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}
