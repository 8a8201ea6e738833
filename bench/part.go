package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func newKill() *cobra.Command {
	var dir stateDir
	cmd := &cobra.Command{
		Use:     "kill STACK PART",
		Short:   "Kill one part of what is up, as kill -9 does",
		Example: "  tandem kill sync comments\n  tandem kill async broker",
		Args:    arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, part, err := findPart(cmd, dir, args)
			if err != nil {
				return err
			}
			return killPart(dir, part, cmd.OutOrStdout())
		},
	}
	addStateDir(cmd, &dir)
	return cmd
}

func newRestart() *cobra.Command {
	var dir stateDir
	cmd := &cobra.Command{
		Use:     "restart STACK PART",
		Short:   "Start a part of what is up again after it was killed or ended",
		Example: "  tandem restart sync comments",
		Args:    arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			state, part, err := findPart(cmd, dir, args)
			if err != nil {
				return err
			}
			said, err := askRestart(cmd.Context(), state.Socket, part.Stack, part.Part)
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), said)
			}
			return err
		},
	}
	addStateDir(cmd, &dir)
	return cmd
}

// findPart finds the part that two arguments name in what is up. A name that is not there is a usage error.
func findPart(cmd *cobra.Command, dir stateDir, args []string) (upState, upPart, error) {
	state, err := dir.loadRunning()
	if err != nil {
		return upState{}, upPart{}, err
	}
	part, found := state.find(args[0], args[1])
	if !found {
		return upState{}, upPart{}, usageError(cmd,
			fmt.Errorf("%s %s is not up (there are: %s)", args[0], args[1], state.names()))
	}
	return state, part, nil
}

func (s upState) names() string {
	var all []string
	for _, p := range s.Parts {
		all = append(all, p.Stack+" "+p.Part)
	}
	return strings.Join(all, ", ")
}

func killPart(dir stateDir, part upPart, stdout io.Writer) error {
	restart := dir.command("restart " + part.Stack + " " + part.Part)
	if !part.Process.alive() {
		return fmt.Errorf("%s %s is down already: restart it with `%s`", part.Stack, part.Part, restart)
	}
	if err := kill(part.Process); err != nil {
		return fmt.Errorf("kill %s %s: %w", part.Stack, part.Part, err)
	}
	fmt.Fprintf(stdout, "killed %s %s (pid %d); restart it with: %s\n", part.Stack, part.Part, part.Process.Pid, restart)
	return nil
}
