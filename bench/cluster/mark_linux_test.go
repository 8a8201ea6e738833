package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseStat(t *testing.T) {
	const rest = " 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 123456 10 11"
	for _, tc := range []struct{ name, text, want, err string }{
		{"plain", "7 (posts) S" + rest, "123456", ""},
		{"name with spaces and brackets", "7 (a) Z (b) S" + rest, "123456", ""},
		{"waits to be reaped", "7 (posts) Z" + rest, "", "no such process"},
		{"cut off", "7 (posts) S 1 7", "", "unexpected form"},
		{"empty", "", "", "unexpected form"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := parseStat(7, tc.text)
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}
