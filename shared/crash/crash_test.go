package crash_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/shared/crash"
)

func TestParse(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want crash.Pass
		says string
	}{
		"point_alone":   {"relay-after-sent", crash.Pass{Point: crash.RelayAfterSent, N: 1}, ""},
		"with_its_pass": {"relay-after-sent:12", crash.Pass{Point: crash.RelayAfterSent, N: 12}, ""},
		"unknown_point": {"relay", crash.Pass{}, `no crash point "relay": use one of`},
		"empty":         {"", crash.Pass{}, `no crash point ""`},
		"no_number":     {"relay-after-sent:", crash.Pass{}, "use relay-after-sent:1 or a larger number"},
		"pass_zero":     {"relay-after-sent:0", crash.Pass{}, "use relay-after-sent:1 or a larger number"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := crash.Parse(tc.text)
			require.Equal(t, tc.want, got)
			if tc.says != "" {
				require.ErrorContains(t, err, tc.says)
				return
			}
			require.NoError(t, err)
			again, err := crash.Parse(got.String())
			require.NoError(t, err)
			require.Equal(t, got, again)
		})
	}
}

func TestDisarm(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, crash.Arm(dir, crash.Pass{Point: crash.RelayAfterSent, N: 2}))
	crashed, err := crash.Disarm(dir)
	require.NoError(t, err)
	require.False(t, crashed)
	crashed, err = crash.Disarm(dir)
	require.NoError(t, err)
	require.True(t, crashed, "what is armed no more has crashed")
	require.Error(t, crash.Arm(dir+"/missing", crash.Pass{Point: crash.RelayAfterSent, N: 1}))
}
