// Command ghz sets the laboratory's load generator beside ghz (https://ghz.sh), a load generator for gRPC that others wrote: the
// same calls at the same rate to the same process, turn by turn. It prints the percentiles of both and the CPU time that each
// spends on an operation. `make bench-ghz` builds what it needs and runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"tandem/bench/cluster"
	"tandem/bench/load"
	"tandem/bench/measure"
	"tandem/bench/testbed"
	"tandem/bench/wire"
)

// settings are the flags.
type settings struct {
	bin    string // folder with the services
	ghz    string // path of ghz
	proto  string // folder with blog/v1
	rate   int    // operations per second
	length time.Duration
	rounds int
	delay  time.Duration // of the slow link; 0 for none
	procs  int           // GOMAXPROCS of the laboratory's generator
	cpus   int           // of ghz
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "bench-ghz: %v\n", err)
		os.Exit(1) //nolint:gocritic // stop only lets go of the signals
	}
}

// run compares the two generators or, told to drive, is one of them: in a process of its own, whose CPU time can be asked for.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == driveCommand {
		return drive(ctx, args[1:], stdout)
	}
	set, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	results, err := compare(ctx, set, stderr)
	if err != nil {
		return err
	}
	for _, r := range results {
		if err := r.print(stdout); err != nil {
			return err
		}
	}
	return notes(stdout)
}

func parse(args []string, stderr io.Writer) (settings, error) {
	var set settings
	f := flag.NewFlagSet("bench-ghz", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&set.bin, "bin", "bin", "`folder` with the services that make build made")
	f.StringVar(&set.ghz, "ghz", "bin/ghz", "`path` of ghz")
	f.StringVar(&set.proto, "proto", "proto", "`folder` with blog/v1/posts.proto")
	f.IntVar(&set.rate, "rate", 1000, "operations per second")
	f.DurationVar(&set.length, "length", 5*time.Second, "of each round of each generator")
	f.IntVar(&set.rounds, "rounds", measure.LeastRounds, "rounds: in each both generators have their turn, and the order alternates")
	f.DurationVar(&set.delay, "delay", 20*time.Millisecond, "of the slow link that is tried too, in whole milliseconds; 0 for none")
	f.IntVar(&set.procs, "procs", 1, "GOMAXPROCS of tandem's generator; 0 leaves it alone. tandem bench has 1")
	f.IntVar(&set.cpus, "ghz-cpus", runtime.NumCPU(), "GOMAXPROCS of ghz. Its own default is all cores")
	if err := f.Parse(args); err != nil {
		return set, err
	}
	if set.rate <= 0 || set.length < time.Second || set.rounds < 1 {
		return set, fmt.Errorf("rate %d, length %v, rounds %d: use at least 1, 1s and 1", set.rate, set.length, set.rounds)
	}
	return set, nil
}

// worldSize is a world with the one post that all calls ask for.
func worldSize() load.WorldSize { return load.WorldSize{Posts: 1, Authors: 1} }

// seed is that of the world and the schedule. Nothing here is left to chance: there is one post, and arrivals are constant.
const seed = 1

// posts is a service that runs, with one post.
type posts struct {
	id        string // of the post
	dir       string // for what is of no use later
	addresses []address
}

// address is a way to the service.
type address struct {
	address string
	delay   time.Duration
}

// withPosts runs the sync stack in a new folder, stores the post, and tells do of it.
func withPosts(ctx context.Context, set settings, do func(posts) error) (err error) {
	dir, err := os.MkdirTemp("", "bench-ghz-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	world, err := load.NewWorld(seed, worldSize())
	if err != nil {
		return err
	}
	bed, err := testbed.Start(ctx, testbed.Config{
		Cluster: cluster.Config{Stack: cluster.Sync, BinDir: set.bin, Dir: filepath.Join(dir, "sync"), FreePorts: true, Procs: 1},
		World:   world, Clock: load.NewClock(), Deadline: time.Second, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bed.Stop(ctx)) }()
	filling, err := bed.Fill(ctx, nil)
	if err != nil {
		return err
	}
	p := posts{id: filling.Operations[0].ID, dir: dir, addresses: []address{{address: bed.Cluster.Address("posts")}}}
	if set.delay > 0 {
		net := wire.New([]wire.Link{{From: wire.Users, To: "posts"}}, nil)
		defer net.Close()
		slow, err := slowed(net, p.addresses[0].address, set.delay)
		if err != nil {
			return err
		}
		p.addresses = append(p.addresses, address{slow, set.delay})
	}
	return do(p)
}

// slowed is where posts is found over a link that holds answers back, by half more or less.
func slowed(net *wire.Net, own string, delay time.Duration) (string, error) {
	slow, err := net.Via(wire.Users, "posts", own)
	if err != nil {
		return "", err
	}
	path, found := net.Path(wire.Link{From: wire.Users, To: "posts"})
	if !found {
		return "", errors.New("the link from users to posts was not opened")
	}
	return slow, path.Slow(wire.Answers, delay, delay/2)
}
