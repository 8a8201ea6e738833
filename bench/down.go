package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

const (
	// upStopsWithin is more than `tandem up` needs to stop services that use up their drain timeout, and the broker after them.
	upStopsWithin = 30 * time.Second
	// goneWithin bounds the end of a process after SIGKILL, and of the parts after that of `tandem up`.
	goneWithin = 5 * time.Second
)

func newDown() *cobra.Command {
	var dir stateDir
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop what `tandem up` runs",
		Long:  "Stop the running `tandem up` and wait until all its processes are gone, also those it left behind if it was killed.",
		Args:  arguments(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return down(dir, cmd.OutOrStdout()) },
	}
	addStateDir(cmd, &dir)
	return cmd
}

func down(dir stateDir, stdout io.Writer) error {
	release, err := dir.lock(0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		fmt.Fprintln(stdout, "nothing is running")
		return nil
	case errors.Is(err, errHeld):
		return stopUp(dir, stdout)
	case err != nil:
		return err
	}
	defer release()
	return killLeftovers(dir, stdout)
}

// stopUp asks the running `tandem up` to stop, and waits until it and its parts are gone.
func stopUp(dir stateDir, stdout io.Writer) error {
	state, err := dir.load()
	if err != nil {
		return fmt.Errorf("`tandem up` is just starting or ending: try again: %w", err)
	}
	if err := state.Tandem.signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop `tandem up` (pid %d): %w", state.Tandem.Pid, err)
	}
	if !state.Tandem.awaitGone(upStopsWithin) {
		return fmt.Errorf("`tandem up` did not stop within %v: end it with `kill -9 %d`, then run `%s` again",
			upStopsWithin, state.Tandem.Pid, dir.command("down"))
	}
	for _, part := range state.Parts {
		if !part.Process.awaitGone(goneWithin) {
			return fmt.Errorf("%s %s outlived `tandem up`: end it with `kill -9 %d`", part.Stack, part.Part, part.Process.Pid)
		}
	}
	fmt.Fprintln(stdout, "stopped")
	return nil
}

// killLeftovers ends the parts of a `tandem up` that is gone. The caller has the lock of the folder.
func killLeftovers(dir stateDir, stdout io.Writer) error {
	state, err := dir.load()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: delete the file if nothing is running", err)
	}
	var killed []string
	for _, part := range state.Parts {
		name := part.Stack + " " + part.Part
		if !part.Process.alive() {
			continue
		}
		if err := kill(part.Process); err != nil {
			return fmt.Errorf("kill %s: %w", name, err)
		}
		killed = append(killed, name)
	}
	dir.forget()
	if len(killed) == 0 {
		fmt.Fprintln(stdout, "nothing is running")
		return nil
	}
	fmt.Fprintf(stdout, "`tandem up` was gone already; killed what it had left: %s\n", strings.Join(killed, ", "))
	return nil
}

// kill ends a process with SIGKILL and waits until it is gone.
func kill(process processRef) error {
	if err := process.signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("process %d: %w", process.Pid, err)
	}
	if !process.awaitGone(goneWithin) {
		return fmt.Errorf("process %d is still there %v after SIGKILL: see what it waits for with `ps -l %d`",
			process.Pid, goneWithin, process.Pid)
	}
	return nil
}
