package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"tandem/bench/cluster"
)

const both = "both"

func newUp() *cobra.Command {
	u := &up{}
	cmd := &cobra.Command{
		Use:   "up [sync|async|both]",
		Short: "Run one stack or both here until Ctrl-C, for you to call and to kill",
		Long: "Run one stack or both (the default) in the foreground until Ctrl-C or `tandem down`.\n" +
			"Every service serves blog.v1 with reflection, so grpcurl can call it. Kill what you like: up says so and keeps the rest.",
		ValidArgs: []string{cluster.Sync, cluster.Async, both},
		Args:      arguments(oneStackOrBoth),
		RunE: func(cmd *cobra.Command, args []string) error {
			u.stacks, u.stdout, u.stderr = stacksOf(args), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return u.run(cmd.Context())
		},
	}
	addStateDir(cmd, &u.dir)
	addSettings(cmd, &u.config)
	cmd.Flags().BoolVar(&u.keep, "keep", false, "go on with the data and logs of the last time instead of starting empty")
	return cmd
}

func oneStackOrBoth(_ *cobra.Command, args []string) error {
	switch {
	case len(args) > 1:
		return fmt.Errorf("%d arguments: name one stack, or %s", len(args), both)
	case len(args) == 1 && args[0] != cluster.Sync && args[0] != cluster.Async && args[0] != both:
		return fmt.Errorf("unknown stack %q: use %s, %s or %s", args[0], cluster.Sync, cluster.Async, both)
	}
	return nil
}

func stacksOf(args []string) []string {
	if len(args) == 0 || args[0] == both {
		return []string{cluster.Sync, cluster.Async}
	}
	return args
}

// up is one run of `tandem up`.
type up struct {
	dir            stateDir
	config         cluster.Config // but for the stack and the folder
	keep           bool
	stacks         []string
	stdout, stderr io.Writer

	socket string

	mu       sync.Mutex // guards clusters and the writing of the state
	clusters []*cluster.Cluster
}

// run brings the stacks up, watches them until ctx ends, and brings them down again.
func (u *up) run(ctx context.Context) (err error) {
	release, err := u.dir.claim()
	if errors.Is(err, errHeld) {
		return u.alreadyUp()
	}
	if err != nil {
		return err
	}
	defer release()
	if u.socket, err = u.dir.socket(); err != nil {
		return err
	}
	if err := u.save(); err != nil {
		return err
	}
	defer u.dir.forget()
	control, err := serveControl(u.socket, u.restart)
	if err != nil {
		return err
	}
	defer control.close()
	defer func() { err = errors.Join(err, u.stop()) }()
	if err := u.start(ctx); err != nil {
		return err
	}
	u.describe()
	u.watch(ctx)
	return nil
}

func (u *up) alreadyUp() error {
	who := ""
	if state, err := u.dir.load(); err == nil {
		who = fmt.Sprintf(" (pid %d)", state.Tandem.Pid)
	}
	return fmt.Errorf("`tandem up` is running already%s: stop it with `%s`, or give this one a folder of its own with --dir",
		who, u.dir.command("down"))
}

func (u *up) start(ctx context.Context) error {
	for _, stack := range u.stacks {
		fmt.Fprintf(u.stderr, "starting %s\n", stack)
		c, err := u.startStack(ctx, stack)
		if err != nil {
			return err
		}
		u.mu.Lock()
		u.clusters = append(u.clusters, c)
		u.mu.Unlock()
		if err := u.save(); err != nil {
			return err
		}
	}
	return nil
}

func (u *up) startStack(ctx context.Context, stack string) (*cluster.Cluster, error) {
	cfg := u.config
	cfg.Stack, cfg.Dir = stack, u.dir.stack(stack)
	if !u.keep {
		for _, old := range []string{"data", "logs"} {
			if err := os.RemoveAll(filepath.Join(cfg.Dir, old)); err != nil {
				return nil, fmt.Errorf("start empty: %w", err)
			}
		}
	}
	return cluster.Start(ctx, cfg)
}

// stop brings all stacks down, side by side.
func (u *up) stop() error {
	if len(u.clusters) > 0 {
		fmt.Fprintln(u.stderr, "stopping")
	}
	var group errgroup.Group
	for _, c := range u.clusters {
		group.Go(func() error { return c.Stop(context.Background()) })
	}
	return group.Wait()
}

// watch reports what ends by itself, until ctx ends.
func (u *up) watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case exit := <-u.exits(cluster.Sync):
			u.reportExit(cluster.Sync, exit)
		case exit := <-u.exits(cluster.Async):
			u.reportExit(cluster.Async, exit)
		}
	}
}

// exits are the unexpected ends in one stack; nil, which blocks for ever, if it is not up.
func (u *up) exits(stack string) <-chan *cluster.Exit {
	if c := u.cluster(stack); c != nil {
		return c.Unexpected()
	}
	return nil
}

func (u *up) cluster(stack string) *cluster.Cluster {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range u.clusters {
		if c.Stack() == stack {
			return c
		}
	}
	return nil
}

func (u *up) reportExit(stack string, exit *cluster.Exit) {
	fmt.Fprintf(u.stderr, "%s ended (%s); restart it with: %s\n", exit.Part, exit.State,
		u.dir.command("restart "+stack+" "+exit.Part))
	if exit.Tail != "" {
		fmt.Fprintf(u.stderr, "  the end of %s:\n  %s\n", exit.Log, strings.ReplaceAll(exit.Tail, "\n", "\n  "))
	}
	u.saveOrSay()
}

// restart implements restarter.
func (u *up) restart(ctx context.Context, stack, part string) (string, error) {
	c := u.cluster(stack)
	if c == nil {
		return "", fmt.Errorf("%s is not up", stack)
	}
	if _, err := c.Restart(ctx, part); errors.Is(err, cluster.ErrRunning) {
		return "", fmt.Errorf("%s %s is running (pid %d): kill it first with `%s`", stack, part, c.Pid(part),
			u.dir.command("kill "+stack+" "+part))
	} else if err != nil {
		return "", err
	}
	said := fmt.Sprintf("%s %s is SERVING again on %s after %v (pid %d)", stack, part, c.Address(part),
		c.StartUp(part).Round(time.Millisecond), c.Pid(part))
	fmt.Fprintln(u.stderr, said)
	u.saveOrSay()
	return said, nil
}

func (u *up) saveOrSay() {
	if err := u.save(); err != nil {
		fmt.Fprintf(u.stderr, "other terminals may see old process ids: %v\n", err)
	}
}

// save writes down what is up now.
func (u *up) save() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	state := upState{Tandem: refTo(os.Getpid()), Socket: u.socket}
	for _, c := range u.clusters {
		for _, part := range c.Parts() {
			state.Parts = append(state.Parts, upPart{
				Stack: c.Stack(), Part: part, Address: c.Address(part), Process: refTo(c.Pid(part)),
			})
		}
	}
	return u.dir.save(state)
}

// describe says what is where, and what to try first.
func (u *up) describe() {
	table := tabwriter.NewWriter(u.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STACK\tPART\tADDRESS\tPID")
	for _, c := range u.clusters {
		for _, part := range c.Parts() {
			fmt.Fprintf(table, "%s\t%s\t%s\t%d\n", c.Stack(), part, c.Address(part), c.Pid(part))
		}
	}
	table.Flush()
	for _, c := range u.clusters {
		fmt.Fprintf(u.stdout, "\nLogs of %s: %s\nTry:\n  %s\n", c.Stack(), filepath.Join(u.dir.stack(c.Stack()), "logs"),
			firstCall(c.Address("posts")))
	}
	fmt.Fprintf(u.stderr, "\nUp until Ctrl-C. In another terminal: `%s`, `%s`, `%s`\n", u.dir.command("kill STACK PART"),
		u.dir.command("restart STACK PART"), u.dir.command("down"))
}

// firstCall creates a post. Sent twice it returns the same post: the request_id is the same.
func firstCall(address string) string {
	return fmt.Sprintf(`grpcurl -plaintext -d '{"request_id": %q, "author": "ada", "title": "Hello", "body": "My first post"}' `+
		`%s blog.v1.PostsService/CreatePost`, uuid.NewString(), address)
}
