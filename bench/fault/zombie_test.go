package fault

import (
	"bufio"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the database of a process that is taken for dead
)

// holdVariable names the database of which this program, started once more, holds the lock.
const holdVariable = "FAULT_TEST_HOLD"

// TestAProcessThatWritesIsSeen: the lock is another process's, as a process is told nothing of its own.
func TestAProcessThatWritesIsSeen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if held := os.Getenv(holdVariable); held != "" {
		hold(t, held)
		return
	}
	self, err := os.Executable()
	require.NoError(t, err)
	other := exec.Command(self, "-test.run=^TestAProcessThatWritesIsSeen$")
	other.Env = append(os.Environ(), holdVariable+"="+path)
	stdin, err := other.StdinPipe()
	require.NoError(t, err)
	stdout, err := other.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	defer func() { require.NoError(t, other.Wait()) }()
	defer stdin.Close()
	said := bufio.NewScanner(stdout)
	for _, want := range []bool{false, true, false} {
		require.True(t, said.Scan())
		found, err := writes(path)
		require.NoError(t, err)
		require.Equal(t, want, found, said.Text())
		_, err = fmt.Fprintln(stdin)
		require.NoError(t, err)
	}
	_, err = io.Copy(io.Discard, stdout)
	require.NoError(t, err)
}

// hold opens a database, begins a transaction that writes, and commits it, and goes on when it is told to.
func hold(t *testing.T, path string) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	db.SetMaxOpenConns(1)
	told := bufio.NewScanner(os.Stdin)
	for _, step := range []string{"CREATE TABLE x (n INTEGER)", "BEGIN IMMEDIATE", "COMMIT"} {
		_, err = db.ExecContext(t.Context(), step)
		require.NoError(t, err)
		_, err = fmt.Fprintln(os.Stdout, step)
		require.NoError(t, err)
		require.True(t, told.Scan())
	}
}
