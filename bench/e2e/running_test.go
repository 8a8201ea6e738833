package e2e

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/bench/cluster"
)

// TestRunningIsFound shows that TestMain would find a process that outlives its test.
func TestRunningIsFound(t *testing.T) {
	c := start(t, cluster.Config{Stack: cluster.Sync})
	found, err := running(os.Getenv(binVariable))
	require.NoError(t, err)
	for _, part := range c.Parts() {
		require.Contains(t, found, fmt.Sprintf("%d sync-%s", c.Pid(part), part))
	}
	require.NoError(t, c.Stop(t.Context()))
	found, err = running(os.Getenv(binVariable))
	require.NoError(t, err)
	require.Empty(t, found)
}
