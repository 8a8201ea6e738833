package history

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkWriter reports what noting one operation costs the load generator: the line before it is sent, and the one after.
func BenchmarkWriter(b *testing.B) {
	w, err := Create(filepath.Join(b.TempDir(), "history.jsonl"), Header{})
	require.NoError(b, err)
	o := Operation{
		Phase: PhaseLoad, Op: "GetPostPage", Client: 17, Intended: 12345678901, Woken: 12345698901, Sent: 12345699901,
		Completed: 12346999999, Attempts: 1, Outcome: OK, Code: "OK", Aggregate: Post, ID: "0b1c6a1e-5f0e-4c55-9d5e-3a7b6c8d9e0f", Version: 3,
	}
	b.ReportAllocs()
	for b.Loop() {
		o.Index++
		o.Intended += 2 * time.Millisecond
		w.Invoke(&o)
		w.Complete(&o)
	}
	require.NoError(b, w.Finish())
}
