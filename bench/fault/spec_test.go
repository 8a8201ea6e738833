package fault_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bench/cluster"
	"tandem/bench/fault"
	"tandem/bench/wire"
)

// examples holds one good fault of each kind.
func examples() map[string]fault.Spec {
	return map[string]fault.Spec{
		fault.Kill: {Victim: "posts"}, fault.Stop: {Victim: "query"}, fault.Pause: {Victim: cluster.Broker}, fault.Rolling: {},
		fault.Slow:       {Victim: "moderation", Delay: 50 * time.Millisecond, Jitter: 10 * time.Millisecond},
		fault.SlowCalls:  {Victim: "moderation", Delay: 50 * time.Millisecond},
		fault.SlowEvents: {Victim: "query", Delay: 20 * time.Millisecond},
		fault.Errors:     {Victim: "moderation", Share: 0.5},
		fault.Partition:  {Victim: "comments->moderation"}, fault.Reset: {Victim: "query"},
		fault.Bandwidth: {Victim: "posts", Rate: 2},
		fault.Poison:    {Victim: "blog.posts"}, fault.Duplicate: {Victim: "blog.subscriptions", Count: 3}, fault.Rebuild: {Victim: "query"},
		fault.Schema:   {Victim: "blog.subscriptions", Count: 3, Change: fault.Retyped},
		fault.DiskFull: {Victim: cluster.Broker},
		fault.Zombie:   {Victim: "query"},
		fault.Crash:    {Victim: "posts", Point: "relay-after-publish:3"},
		fault.Burst:    {Factor: 3},
	}
}

func TestEveryKindHasAnExample(t *testing.T) {
	for _, kind := range fault.Kinds() {
		spec, found := examples()[kind]
		require.True(t, found, kind)
		spec.Kind = kind
		require.NoError(t, spec.Check(), kind)
	}
	require.Len(t, examples(), len(fault.Kinds()))
}

func TestFaultsThatMeanNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		spec fault.Spec
		want string
	}{
		"no_kind":          {fault.Spec{Victim: "posts"}, "no fault"},
		"no_victim":        {fault.Spec{Kind: fault.Kill}, "no part"},
		"unknown_part":     {fault.Spec{Kind: fault.Kill, Victim: "likes"}, `no part "likes"`},
		"link_of_a_kill":   {fault.Spec{Kind: fault.Kill, Victim: "comments->posts"}, "no part"},
		"unknown_link":     {fault.Spec{Kind: fault.Reset, Victim: "posts->query"}, "no link posts->query"},
		"bad_link":         {fault.Spec{Kind: fault.Reset, Victim: "posts->"}, "caller->callee"},
		"unknown_topic":    {fault.Spec{Kind: fault.Poison, Victim: "posts"}, "no topic"},
		"rolling_victim":   {fault.Spec{Kind: fault.Rolling, Victim: "posts"}, "leave it out"},
		"rebuild_of_posts": {fault.Spec{Kind: fault.Rebuild, Victim: "posts"}, "only the read model"},
		"errors_of_broker": {fault.Spec{Kind: fault.Errors, Victim: cluster.Broker, Share: 1}, "no service of ours"},
		"no_delay":         {fault.Spec{Kind: fault.Slow, Victim: "posts"}, "delay"},
		"delay_of_a_kill":  {fault.Spec{Kind: fault.Kill, Victim: "posts", Delay: time.Second}, "has none"},
		"wide_jitter":      {fault.Spec{Kind: fault.Slow, Victim: "posts", Delay: time.Second, Jitter: time.Minute}, "jitter"},
		"no_share":         {fault.Spec{Kind: fault.Errors, Victim: "posts"}, "share"},
		"unknown_code":     {fault.Spec{Kind: fault.Errors, Victim: "posts", Share: 1, Code: "OOPS"}, `code "OOPS"`},
		"no_rate":          {fault.Spec{Kind: fault.Bandwidth, Victim: "posts"}, "rate_kb"},
		"too_many":         {fault.Spec{Kind: fault.Poison, Victim: "blog.posts", Count: 1e6}, "count"},
		"no_point":         {fault.Spec{Kind: fault.Crash, Victim: "posts"}, `no crash point ""`},
		"unknown_point":    {fault.Spec{Kind: fault.Crash, Victim: "posts", Point: "here"}, `no crash point "here"`},
		"point_of_a_kill":  {fault.Spec{Kind: fault.Kill, Victim: "posts", Point: "relay-after-publish"}, "has none"},
		"zombie_of_posts":  {fault.Spec{Kind: fault.Zombie, Victim: "posts"}, `no consumer "posts"`},
		"crash_of_broker":  {fault.Spec{Kind: fault.Crash, Victim: cluster.Broker, Point: "relay-after-publish"}, "has no crash points"},
		"event_of_poison":  {fault.Spec{Kind: fault.Poison, Victim: "blog.posts", Event: "event.v1.PostUpdated"}, "has none"},
		"schema_of_posts":  {fault.Spec{Kind: fault.Schema, Victim: "blog.posts", Change: fault.Added}, "use blog.subscriptions"},
		"no_change":        {fault.Spec{Kind: fault.Schema, Victim: "blog.subscriptions"}, `change ""`},
		"change_of_poison": {fault.Spec{Kind: fault.Poison, Victim: "blog.posts", Change: fault.Added}, "has none"},
		"disk_of_posts":    {fault.Spec{Kind: fault.DiskFull, Victim: "posts"}, "only the disk of the broker"},
		"code_of_a_kill":   {fault.Spec{Kind: fault.Kill, Victim: "posts", Code: "INTERNAL"}, "has none"},
		"after_of_a_pause": {fault.Spec{Kind: fault.Pause, Victim: "posts", After: true}, "has none"},
		"rate_of_a_reset":  {fault.Spec{Kind: fault.Reset, Victim: "posts", Rate: 9}, "has none"},
		"count_of_a_stop":  {fault.Spec{Kind: fault.Stop, Victim: "posts", Count: 2}, "has none"},
		"refusing_reset":   {fault.Spec{Kind: fault.Reset, Victim: "posts", Refuse: true}, "has none"},
		"one_way_kill":     {fault.Spec{Kind: fault.Kill, Victim: "posts", Direction: wire.Requests}, "one way only"},
		"one_way_refusal":  {fault.Spec{Kind: fault.Partition, Victim: "posts", Refuse: true, Direction: wire.Requests}, "one way only"},
		"no_factor":        {fault.Spec{Kind: fault.Burst}, "factor 0"},
		"factor_no_number": {fault.Spec{Kind: fault.Burst, Factor: math.NaN()}, "factor NaN"},
		"burst_victim":     {fault.Spec{Kind: fault.Burst, Factor: 3, Victim: "posts"}, "leave it out"},
		"factor_of_a_kill": {fault.Spec{Kind: fault.Kill, Victim: "posts", Factor: 3}, "has none"},
		"no_direction":     {fault.Spec{Kind: fault.Partition, Victim: "posts", Direction: "up"}, `direction "up"`},
	} {
		t.Run(name, func(t *testing.T) { require.ErrorContains(t, tc.spec.Check(), tc.want) })
	}
}

func TestLinksOfAFault(t *testing.T) {
	slow := fault.Spec{Kind: fault.Slow, Victim: "moderation", Delay: time.Second}
	require.Equal(t, []wire.Link{{From: wire.Users, To: "moderation"}, {From: "comments", To: "moderation"}}, slow.Links(cluster.Sync))
	require.Equal(t, []wire.Link{{From: wire.Users, To: "moderation"}}, slow.Links(cluster.Async))
	require.Len(t, fault.Spec{Kind: fault.Partition, Victim: cluster.Broker}.Links(cluster.Async), 5)
	require.Empty(t, fault.Spec{Kind: fault.Partition, Victim: "comments->moderation"}.Links(cluster.Async))
	require.Empty(t, fault.Spec{Kind: fault.Kill, Victim: "posts"}.Links(cluster.Sync))
}
