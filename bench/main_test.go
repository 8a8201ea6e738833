package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/bench/cluster/clustertest"
)

func TestMain(m *testing.M) {
	clustertest.BeDouble()
	if filepath.Base(os.Args[0]) == "tandem" { // as the tests of up and down start it
		main()
	}
	code, err := withProgramFolder(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// tandem runs a command line in this process.
func tandem(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	code = run(ctx, append([]string{}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

func TestUsage(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		says string
	}{
		{"unknown command", []string{"dwn"}, `unknown command "dwn" (did you mean down?): see ` + "`tandem --help`"},
		{"unknown flag", []string{"up", "--fast"}, "unknown flag: --fast: see `tandem up --help`"},
		{"unknown stack", []string{"up", "kafka"}, `unknown stack "kafka": use sync, async or both`},
		{"two stacks", []string{"up", "sync", "async"}, "2 arguments"},
		{"unknown level", []string{"up", "--sync-level", "brave"}, "use one of naive, deadline"},
		{"argument for down", []string{"down", "sync"}, "see `tandem down --help`"},
		{"kill without a part", []string{"kill", "sync"}, "accepts 2 arg(s), received 1"},
		{"restart without a part", []string{"restart"}, "accepts 2 arg(s), received 0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, stdout, stderr := tandem(t, tc.args...)
			require.Equal(t, exitUsage, code, stderr)
			require.Empty(t, stdout)
			require.Contains(t, stderr, "tandem: ")
			require.Contains(t, stderr, tc.says)
		})
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}, {"help"}} {
		code, stdout, stderr := tandem(t, args...)
		require.Equal(t, exitOK, code)
		require.Contains(t, stdout, "Available Commands")
		require.Empty(t, stderr)
	}
}

func TestExitCodes(t *testing.T) {
	broken := errors.New("broken")
	for _, tc := range []struct {
		err  error
		want int
	}{
		{nil, exitOK},
		{broken, exitFailed},
		{context.Canceled, exitFailed},
		{&exitError{exitInvalid, nil}, exitInvalid},
		{fmt.Errorf("run: %w", &exitError{exitUnknown, broken}), exitUnknown},
	} {
		require.Equal(t, tc.want, codeOf(tc.err), "%v", tc.err)
	}
	require.ErrorIs(t, &exitError{exitInvalid, broken}, broken)
	require.Empty(t, (&exitError{exitInvalid, nil}).Error())
}
