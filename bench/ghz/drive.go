package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"time"

	"tandem/bench/history"
	"tandem/bench/load"
)

// driveCommand makes this program the laboratory's load generator.
const driveCommand = "drive"

// driving is how the laboratory's generator is to load.
type driving struct {
	address string
	history string // path
	rate    float64
	length  time.Duration
	procs   int // GOMAXPROCS
}

// arguments are the command line of a driving.
func (d driving) arguments() []string {
	return []string{
		driveCommand, "-address", d.address, "-history", d.history, "-rate", fmt.Sprint(d.rate), "-length", d.length.String(),
		"-procs", strconv.Itoa(d.procs),
	}
}

// drive sends GetPost as `tandem bench` sends its operations: open loop, with a deadline, and each in a history on disk. It prints
// a turn as JSON.
func drive(ctx context.Context, args []string, stdout io.Writer) error {
	var d driving
	f := flag.NewFlagSet(driveCommand, flag.ContinueOnError)
	f.StringVar(&d.address, "address", "", "of posts")
	f.StringVar(&d.history, "history", "", "`path` of the history to write")
	f.Float64Var(&d.rate, "rate", 0, "operations per second")
	f.DurationVar(&d.length, "length", 0, "of the load")
	f.IntVar(&d.procs, "procs", 0, "GOMAXPROCS; 0 leaves it alone")
	if err := f.Parse(args); err != nil {
		return err
	}
	runtime.GOMAXPROCS(d.procs)
	ops, err := d.load(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(turnOf(ops))
}

// load finds the post by asking for it to be stored, which with the same request_id changes nothing, and then reads it.
func (d driving) load(ctx context.Context) (ops []*history.Operation, err error) {
	world, err := load.NewWorld(seed, worldSize())
	if err != nil {
		return nil, err
	}
	schedule, err := load.NewSchedule(load.ScheduleConfig{
		World: world, Seed: seed, Rate: d.rate, Length: d.length, Arrivals: load.Constant, Mix: []load.Share{{Op: load.GetPost, Share: 1}},
	})
	if err != nil {
		return nil, err
	}
	clock := load.NewClock()
	out, err := history.Create(d.history, history.Header{
		Stack: "sync", Seed: seed, Schedule: schedule.Hash(), Start: clock.Start(), OfferedRate: d.rate, Length: d.length, Deadline: time.Second, Clients: 1,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, out.Finish()) }()
	addresses := map[string]string{}
	for _, name := range load.Services() {
		addresses[name] = d.address
	}
	client, err := load.NewClient(load.ClientConfig{
		Addresses: addresses, World: world, Clock: clock, Deadline: time.Second, OnSend: out.Invoke,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if _, err := load.Preload(ctx, client, load.PreloadConfig{}); err != nil {
		return nil, err
	}
	const runUp = 100 * time.Millisecond
	return load.Run(ctx, load.RunConfig{
		Schedule: schedule, Client: client, Clock: clock, Start: clock.Now() + runUp, OnDone: out.Complete,
	})
}
