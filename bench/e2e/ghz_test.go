package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ghzDouble prints what ghz prints, whatever it is told to load.
const ghzDouble = `#!/bin/sh
cat <<'END'
ghz_run_count{x="y"} 1000
ghz_run_errors{x="y"} 0
ghz_run_latency{x="y",quantile="0.5"} 500000
ghz_run_latency{x="y",quantile="0.9"} 600000
ghz_run_latency{x="y",quantile="0.99"} 700000
END
`

// TestComparedWithGhz has the laboratory's generator load a real posts, and a double of ghz, which is no part of the project.
func TestComparedWithGhz(t *testing.T) {
	dependOnSources(t)
	dir := t.TempDir()
	program, ghz := filepath.Join(dir, "bench-ghz"), filepath.Join(dir, "ghz")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "tandem/bench/ghz").CombinedOutput()
	require.NoError(t, err, string(out))
	require.NoError(t, os.WriteFile(ghz, []byte(ghzDouble), 0o700))
	c := exec.CommandContext(t.Context(), program, "-bin", os.Getenv(binVariable), "-ghz", ghz, "-rate", "200", "-rounds", "1", "-length", "1s", "-delay", "4ms")
	said, err := c.CombinedOutput()
	require.NoError(t, err, string(said))
	require.Equal(t, 2, strings.Count(string(said), "199 of tandem (0 failed)"), string(said))
	require.Equal(t, 2, strings.Count(string(said), "1000 of ghz (0 failed)"), string(said))
	requireNoProcesses(t)
}
