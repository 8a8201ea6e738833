package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tandem/bench/check"
	"tandem/bench/cluster"
	"tandem/bench/history"
	"tandem/bench/load"
	"tandem/bench/measure"
	"tandem/bench/report"
	"tandem/bench/scenario"
	"tandem/shared/service"
)

// embeddedBroker is how reports name the broker that async/broker is.
const embeddedBroker = "embedded (kfake, one process; not Apache Kafka)"

// historyName is the name of a history in its stack's folder.
const historyName = "history.jsonl"

// bench is one run of `tandem bench`.
type bench struct {
	plan    scenario.Plan
	config  cluster.Config // but for the stack and the folder
	stacks  []string
	repeat  int    // rounds
	procs   int    // GOMAXPROCS of this process, while a stack runs
	results string // the folder that gets a folder for this run
	name    string
	asJSON  bool
	// keepData keeps the databases of valid runs too.
	keepData bool
	open     bool // the report, in the browser

	stdout, stderr io.Writer
}

func newBench() *cobra.Command {
	b := &bench{plan: scenario.DefaultPlan()}
	slot, victims := scenario.DefaultSlot(), scenario.DefaultVictims()
	cmd := &cobra.Command{
		Use:   "bench [sync|async|both]",
		Short: "Load each stack, kill each of its parts in turn, and say what that cost",
		Long: "Load each stack in turn from a fresh start, kill each of its parts under load, restart it, wait until all is quiet,\n" +
			"and print latency, availability, and what was lost or doubled, side by side.\n\n" +
			"Exit codes: 0 valid, 1 error, 2 usage, 3 a guarantee was violated, 4 the run does not allow a verdict.",
		ValidArgs: []string{cluster.Sync, cluster.Async, both},
		Args:      arguments(oneStackOrBoth),
		RunE: func(cmd *cobra.Command, args []string) error {
			b.stacks, b.stdout, b.stderr = stacksOf(args), cmd.OutOrStdout(), cmd.ErrOrStderr()
			b.plan.Steps = scenario.Kills(slot, victims...)
			if err := errors.Join(checkName(b.name), checkRepeat(b.repeat), b.plan.Check()); err != nil {
				return usageError(cmd, err)
			}
			return b.run(cmd.Context())
		},
	}
	addSettings(cmd, &b.config)
	addPlan(cmd, &b.plan)
	addOwnProcs(cmd, &b.procs)
	cmd.Flags().DurationVar(&slot.Before, "before", slot.Before, "load before each kill")
	cmd.Flags().DurationVar(&slot.For, "down", slot.For, "how long each victim stays down")
	cmd.Flags().DurationVar(&slot.After, "after", slot.After, "load after each restart")
	cmd.Flags().StringSliceVar(&victims, "kill", victims, "parts to kill, one after the other")
	cmd.Flags().StringVar(&b.results, "results", "results", "`folder` that gets a folder for this run")
	cmd.Flags().StringVar(&b.name, "name", "bench", "name of this run: the end of its folder's name")
	cmd.Flags().IntVar(&b.repeat, "repeat", 1, "how many `rounds` of the whole experiment; from 6 on, differences can be claimed")
	cmd.Flags().BoolVar(&b.keepData, "keep-data", false, "keep the databases of a valid run too")
	cmd.Flags().BoolVar(&b.asJSON, "json", false, "print results.json to stdout instead of tables")
	addOpen(cmd, &b.open)
	return cmd
}

func addPlan(cmd *cobra.Command, p *scenario.Plan) {
	f := cmd.Flags()
	f.Uint64Var(&p.Seed, "seed", p.Seed, "seed of everything that is left to chance")
	f.Float64Var(&p.Rate, "rate", p.Rate, "operations per second")
	addWork(cmd, work{&p.Arrivals, &p.Zipf, &p.Mix, &p.World})
	f.IntVar(&p.Retries, "retries", p.Retries, "how often a write that ends UNAVAILABLE is sent again, within its deadline")
	f.IntVar(&p.Clients, "clients", p.Clients, "sessions that the operations are spread over")
	f.Float64Var(&p.WitnessShare, "witness", p.WitnessShare, "share of the writes that are looked for on query's pages")
	f.DurationVar(&p.Deadline, "deadline", p.Deadline, "of each operation, from its intended send time")
	f.DurationVar(&p.Delay, "delay", 0, "added between the load and every service, to check the laboratory itself; whole milliseconds")
	f.DurationVar(&p.Steady, "steady", p.Steady, "load before the first kill")
}

// work is what a load does, and to which world.
type work struct {
	arrivals *load.Arrivals
	zipf     *float64
	mix      *[]load.Share
	world    *load.WorldSize
}

// addWork adds the flags that say what a load does.
func addWork(cmd *cobra.Command, w work) {
	f := cmd.Flags()
	f.Var(newChoice((*string)(w.arrivals), string(*w.arrivals), string(load.Poisson), string(load.Constant)), "arrivals",
		"how operations are spread over time: poisson or constant")
	f.Float64Var(w.zipf, "zipf", *w.zipf, "how steep the popularity of posts and authors is; 0: all alike")
	f.Func("mix", "`file` with the operations and their shares (YAML or JSON: a list of op and share)", func(path string) (err error) {
		*w.mix, err = load.ReadMix(path)
		return err
	})
	f.IntVar(&w.world.Posts, "posts", w.world.Posts, "posts that exist before the load")
	f.IntVar(&w.world.Comments, "comments", w.world.Comments, "comments that exist before the load")
	f.IntVar(&w.world.Authors, "authors", w.world.Authors, "authors that exist before the load")
	f.IntVar(&w.world.Subscriptions, "subscriptions", w.world.Subscriptions, "subscriptions that exist before the load")
}

func (b *bench) run(ctx context.Context) error {
	results, dir, err := b.carryOut(ctx)
	if err != nil {
		return err
	}
	return b.tell(results, dir)
}

// carryOut runs the experiment in a new folder, and leaves everything there.
func (b *bench) carryOut(ctx context.Context) (results *report.Results, dir string, err error) {
	experiment, err := scenario.New(b.plan)
	if err != nil {
		return nil, "", err
	}
	start := time.Now()
	dir, err = newFolder(b.results, start.Format("20060102-150405")+"-"+b.name)
	if err != nil {
		return nil, "", fmt.Errorf("make the folder of the results: %w; choose another with --results", err)
	}
	results = &report.Results{
		Schema: report.Schema, Name: b.name, Start: start, Settings: b.settings(), Machine: report.ThisMachine(),
	}
	all := rounds{bench: b, experiment: experiment, results: results, dir: dir}
	return results, dir, all.run(ctx)
}

// checkName refuses what cannot end the name of a folder.
func checkName(name string) error {
	if name == "" || strings.ContainsAny(name, `/\`) {
		return fmt.Errorf("name %q: use one that can be part of a folder's name", name)
	}
	return nil
}

func checkRepeat(n int) error {
	if n < 1 {
		return fmt.Errorf("repeat %d: use 1 round or more", n)
	}
	return nil
}

// newFolder makes a folder that was not there before. Of two runs that begin within a second the later one gets a number.
func newFolder(parent, name string) (string, error) {
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	dir := filepath.Join(parent, name)
	err := os.Mkdir(dir, 0o755)
	for n := 2; errors.Is(err, fs.ErrExist); n++ {
		dir = filepath.Join(parent, fmt.Sprintf("%s-%d", name, n))
		err = os.Mkdir(dir, 0o755)
	}
	return dir, err
}

// leftBehind says where to look after a run that failed. Folders in which nothing was recorded are removed first.
func leftBehind(dir, round, stack string) string {
	_ = os.Remove(filepath.Join(dir, round, stack)) // fails unless it is empty
	_ = os.Remove(filepath.Join(dir, round))
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if os.Remove(dir) == nil {
		return ""
	}
	return "; what was recorded until then is in " + dir
}

func (b *bench) settings() report.Settings {
	reconnect := service.Reconnect()
	return report.Settings{
		Plan: b.plan, Repeat: b.repeat, SyncLevel: b.config.SyncLevel, AsyncLevel: b.config.AsyncLevel, Acks: b.config.Acks, Mistake: b.config.Mistake,
		DBSync: b.config.DBSync, Procs: b.config.Procs, OwnProcs: b.procs, Broker: embeddedBroker,
		ReconnectBase: reconnect.BaseDelay, ReconnectMax: reconnect.MaxDelay,
	}
}

// runStack runs the experiment on one stack and judges its history as it is on disk, so that what is judged is what is kept.
func (b *bench) runStack(
	ctx context.Context, e *scenario.Experiment, at place,
) (found report.Stack, h *history.History, err error) {
	config := b.config
	config.Stack, config.Dir, config.Mistake = at.stack, at.folder(), config.MistakeOf(at.stack)
	if err := os.MkdirAll(config.Dir, 0o755); err != nil {
		return report.Stack{}, nil, err
	}
	path := filepath.Join(config.Dir, historyName)
	show := newProgress(b.stderr, strings.TrimSpace(at.round+" "+at.stack))
	giveBack := takeProcs(b.procs)
	cost, err := e.Run(ctx, scenario.Lab{
		Cluster: config, History: path, Show: show.update, Log: slog.New(slog.NewTextHandler(show.aside(), nil)),
	})
	giveBack()
	show.end()
	if err != nil {
		if ctx.Err() != nil { // whatever the step under way made of it
			err = errors.New("interrupted")
		}
		return report.Stack{}, nil, err
	}
	if h, err = history.Read(path); err != nil {
		return report.Stack{}, nil, err
	}
	return report.Stack{
		Stack: at.stack, History: filepath.Join(at.round, at.stack, historyName),
		Figures: measure.Measure(h), Check: check.Check(h), Cost: cost,
	}, h, nil
}

// tell prints the results, points results/latest to them, and returns what the verdict says of the exit code.
func (b *bench) tell(results *report.Results, dir string) error {
	if err := b.print(results); err != nil {
		return err
	}
	if err := pointLatest(b.results, dir); err != nil {
		fmt.Fprintf(b.stderr, "tandem: %v\n", err)
	}
	if err := b.remind(results); err != nil {
		return err
	}
	fmt.Fprint(b.stderr, whereItIs(dir))
	if b.open {
		openPage(filepath.Join(dir, report.PageName), b.stderr)
	}
	return verdictError(results)
}

func (b *bench) print(results *report.Results) error {
	if !b.asJSON {
		return results.Print(b.stdout)
	}
	return printJSON(b.stdout, results)
}

// remind prints the answer once more where the tables have pushed it off the screen.
func (b *bench) remind(results *report.Results) error {
	if b.asJSON || !isTerminal(b.stdout) {
		return nil
	}
	fmt.Fprintln(b.stdout)
	return results.PrintAnswer(b.stdout)
}

// pointLatest makes <results>/latest a link to the folder of the newest run.
func pointLatest(results, dir string) error {
	link := filepath.Join(results, "latest")
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("point %s to the newest run: %w", link, err)
	}
	return os.Symlink(filepath.Base(dir), link)
}

func verdictError(results *report.Results) error {
	switch results.Verdict() {
	case check.Valid:
		return nil
	case check.Invalid:
		return &exitError{exitInvalid, errors.New("a guarantee was violated: the reasons are under Verdict")}
	default:
		return &exitError{exitUnknown, errors.New("this run does not allow a verdict: the reasons are under Verdict")}
	}
}
