package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/bench/cluster"
	"tandem/bench/fault"
	"tandem/shared/crash"
)

// TestCrashPoints crashes services where it hurts most, each once under load. Nothing may be lost or doubled by that.
func TestCrashPoints(t *testing.T) {
	outbox := cluster.Config{Stack: cluster.Async, AsyncLevel: "outbox"} // where offset and effect are apart
	async, sync := cluster.Config{Stack: cluster.Async}, cluster.Config{Stack: cluster.Sync}
	tested := map[crash.Point]bool{}
	for _, tc := range []struct {
		point   crash.Point
		config  cluster.Config
		victims []string
	}{
		{crash.RequestBeforeCommit, sync, []string{"posts", "comments", "subscriptions"}},
		{crash.RequestBeforeCommit, async, []string{"posts", "comments", "subscriptions"}},
		{crash.RequestAfterCommit, sync, []string{"posts", "comments", "moderation", "subscriptions"}},
		{crash.RequestAfterCommit, async, []string{"posts", "comments", "subscriptions"}},
		{crash.RelayBeforePublish, async, []string{"posts", "comments", "moderation", "subscriptions"}},
		{crash.RelayAfterPublish, async, []string{"posts", "comments", "moderation", "subscriptions"}},
		{crash.RelayAfterSent, async, []string{"posts", "comments", "moderation", "subscriptions"}},
		{crash.ConsumerBeforeCommit, async, []string{"comments", "moderation", "query"}},
		{crash.ConsumerBeforeOffset, outbox, []string{"comments"}},
		{crash.ConsumerAfterCommit, async, []string{"comments", "moderation", "query"}},
		{crash.PeerAfterCall, sync, []string{"comments", "posts"}},
	} {
		tested[tc.point] = true
		t.Run(string(tc.point)+"/"+tc.config.Stack, func(t *testing.T) {
			t.Parallel()
			at := fault.Spec{Kind: fault.Crash, Point: crash.Pass{Point: tc.point, N: 2}.String()}
			result := experiment{plan: labPlan(seed(t), each(at, tc.victims...)...), config: tc.config}.run(t)
			f := &result.Figures
			t.Logf("| %s | %s %v | %d of %d writes acknowledged, %d unknown, of which %d happened, %d by half | %s |",
				tc.point, tc.config.Stack, tc.victims, f.Acknowledged.Count, f.Attempted.Count, f.Unknown.Count, f.Recovered.Count,
				f.HalfDone.Count, result.Verdict)
			requireSound(t, result)
		})
	}
	for _, point := range crash.Points() {
		require.True(t, tested[point], "no test crashes at %s", point)
	}
}
