package main

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/bench/report"
)

// savedRun returns a folder with the results of a run that found out nothing.
func savedRun(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, (&report.Results{Schema: report.Schema, Name: "saved"}).Write(dir))
	return dir
}

func TestReportOfASavedRun(t *testing.T) {
	dir := savedRun(t)
	code, stdout, stderr := tandem(t, "report", dir)
	require.Equal(t, exitOK, code, stderr)
	require.Equal(t, filepath.Join(dir, report.PageName)+"\n", stdout)
	require.FileExists(t, filepath.Join(dir, report.PageName))
	require.FileExists(t, filepath.Join(dir, report.SummaryName))
}

func TestReportOfNothing(t *testing.T) {
	code, _, stderr := tandem(t, "report", t.TempDir())
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "name a folder of `tandem bench`")
	code, _, _ = tandem(t, "report")
	require.Equal(t, exitUsage, code)
}

// TestReportOpensABrowser: with one the page is handed to it, without one the user is told, and neither fails.
func TestReportOpensABrowser(t *testing.T) {
	dir, bin := savedRun(t), t.TempDir()
	t.Setenv("PATH", bin)
	code, _, stderr := tandem(t, "report", "--open", dir)
	require.Equal(t, exitOK, code)
	require.Contains(t, stderr, "open "+filepath.Join(dir, report.PageName)+" yourself")

	name, _ := opener(runtime.GOOS, "")
	require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\nexit 0\n"), 0o755))
	code, _, stderr = tandem(t, "report", "--open", dir)
	require.Equal(t, exitOK, code)
	require.Empty(t, stderr)
}

func TestOpener(t *testing.T) {
	for system, want := range map[string]string{"linux": "xdg-open", "darwin": "open", "windows": "rundll32", "freebsd": "xdg-open"} {
		name, args := opener(system, "/a/report.html")
		require.Equal(t, want, name)
		require.Equal(t, "/a/report.html", args[len(args)-1])
	}
}
