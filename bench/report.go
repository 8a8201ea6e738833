package main

import (
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"tandem/bench/report"
)

func newReport() *cobra.Command {
	var open bool
	cmd := &cobra.Command{
		Use:   "report FOLDER",
		Short: "Make report.html and report.md of a saved run anew",
		Long: "Make " + report.PageName + " and " + report.SummaryName + " of a saved run anew, from its " + report.FileName + " alone.\n\n" +
			"FOLDER is one of `tandem bench`, for example results/latest. The exit code says nothing about the run's verdict.",
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			results, err := report.Read(args[0])
			if err != nil {
				return fmt.Errorf("%w: name a folder of `tandem bench`", err)
			}
			if err := results.WritePage(args[0]); err != nil {
				return err
			}
			page := filepath.Join(args[0], report.PageName)
			fmt.Fprintln(cmd.OutOrStdout(), page)
			if open {
				openPage(page, cmd.ErrOrStderr())
			}
			return nil
		},
	}
	addOpen(cmd, &open)
	return cmd
}

func addOpen(cmd *cobra.Command, open *bool) {
	cmd.Flags().BoolVar(open, "open", false, "open the report in the browser")
}

// openPage asks the desktop to show a page. A machine without a browser is told where the page is, and that is all.
func openPage(page string, stderr io.Writer) {
	if err := startBrowser(page); err != nil {
		fmt.Fprintf(stderr, "tandem: the report was not opened (%v): open %s yourself\n", err, page)
	}
}

func startBrowser(page string) error {
	path, err := filepath.Abs(page)
	if err != nil {
		return err
	}
	name, args := opener(runtime.GOOS, path)
	// It outlives tandem, so no context ends it.
	browser := exec.Command(name, args...)
	if err := browser.Start(); err != nil {
		return err
	}
	return browser.Process.Release()
}

// opener is the program that opens a file as a double click would.
func opener(system, path string) (name string, args []string) {
	switch system {
	case "darwin":
		return "open", []string{path}
	case "windows":
		return "rundll32", []string{"url.dll,FileProtocolHandler", path}
	}
	return "xdg-open", []string{path}
}

// whereItIs says where to look for what a run left behind.
func whereItIs(dir string) string {
	return fmt.Sprintf("\nThe report: %s\nEverything is in %s\n", filepath.Join(dir, report.PageName), dir)
}
