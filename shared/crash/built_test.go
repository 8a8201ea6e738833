package crash_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/shared/crash"
	"tandem/shared/mutant"
)

// TestNormalProgramsHaveNone: of crash points and mutants a program that is not built for tests holds nothing, neither a name, nor
// the variable that would choose one, nor the code that one would run. The program built for tests, which holds all that, shows
// that this looks in the right place.
func TestNormalProgramsHaveNone(t *testing.T) {
	for _, tc := range []struct {
		name  string
		tags  string
		holds bool
	}{
		{"normal", "", false},
		{"lab", "lab", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "posts")
			out, err := exec.Command("go", "build", "-tags", tc.tags, "-o", program, "tandem/async/posts").CombinedOutput()
			require.NoError(t, err, string(out))
			raw, err := os.ReadFile(program)
			require.NoError(t, err)
			for _, text := range []string{
				string(crash.RequestAfterCommit), string(crash.RelayAfterPublish), string(crash.ConsumerBeforeCommit),
				string(mutant.SentBeforePublish), string(mutant.NoInbox), string(mutant.OffsetFirst), string(mutant.CountersKept),
				mutant.Variable,
			} {
				require.Equal(t, tc.holds, bytes.Contains(raw, []byte(text)), text)
			}
			symbols, err := exec.Command("go", "tool", "nm", program).Output()
			require.NoError(t, err)
			for _, symbol := range []string{"tandem/shared/crash.At", "tandem/shared/mutant.On", "store.keepCounters"} {
				require.Equal(t, tc.holds, bytes.Contains(symbols, []byte(symbol)), symbol)
			}
		})
	}
}
