// Command tandem is the laboratory: it runs both stacks on this machine, loads and breaks them, and says what that cost.
// It sees the services only by their addresses.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailed  = 1 // something went wrong, as the message says
	exitUsage   = 2 // the command line is not understood
	exitInvalid = 3 // a run broke a guarantee
	exitUnknown = 4 // a run does not allow a verdict
)

// exitError is an error that asks for an exit code of its own. With a nil err nothing is printed.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends tandem at once; its children notice
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run runs one command line and returns its exit code. Data goes to stdout, progress and errors to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err != nil && err.Error() != "" {
		fmt.Fprintf(stderr, "tandem: %v\n", err)
	}
	return codeOf(err)
}

func codeOf(err error) int {
	var e *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &e):
		return e.code
	}
	return exitFailed
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "tandem",
		Short:         "Compare gRPC calls with Kafka events: the same app twice, loaded and broken in the same way",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          unknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(usageError)
	root.AddCommand(newBench(), newCapacity(), newScenario(), newLadder(), newCheck(), newCompare(), newReport(), newUp(), newDown(), newKill(), newRestart())
	return root
}

// usageError is an error of the command line, with where to read more.
func usageError(cmd *cobra.Command, err error) error {
	return &exitError{exitUsage, fmt.Errorf("%w: see `%s --help`", err, cmd.CommandPath())}
}

// arguments makes what cobra says about arguments a usage error.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError(cmd, err)
		}
		return nil
	}
}

func unknownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	guess := ""
	if near := root.SuggestionsFor(args[0]); len(near) > 0 {
		guess = fmt.Sprintf(" (did you mean %s?)", strings.Join(near, " or "))
	}
	return usageError(root, fmt.Errorf("unknown command %q%s", args[0], guess))
}
