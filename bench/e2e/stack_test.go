package e2e

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"tandem/bench/cluster"
	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/service"
)

// bound is how long anything may take that has no bound of its own.
const bound = 30 * time.Second

// lookAgain is how often a condition is looked at.
const lookAgain = 10 * time.Millisecond

// start starts a stack on free ports. At the end of the test it is stopped, which every part must survive in good order, and
// its logs must tell of no data race and no panic.
func start(t testing.TB, cfg cluster.Config) *cluster.Cluster {
	t.Helper()
	cfg = complete(t, cfg)
	if cfg.Dir == "" {
		cfg.Dir = t.ArtifactDir()
	}
	c, err := cluster.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		err := c.Stop(context.Background())
		if t.Failed() {
			tellLogs(t, c)
		}
		require.NoError(t, err)
		requireNoUnexpectedEnds(t, c)
		requireCleanLogs(t, c)
	})
	return c
}

// complete adds what all stacks of these tests have.
func complete(t testing.TB, cfg cluster.Config) cluster.Config {
	t.Helper()
	dependOnSources(t)
	cfg.BinDir, cfg.FreePorts = os.Getenv(binVariable), true
	return cfg
}

// dependOnSources looks at every file that the programs are built from. go test keeps the result of a package that has not
// changed, and sees of the programs only what a test looks at: without this, a service could be broken and the result be old.
func dependOnSources(t testing.TB) {
	t.Helper()
	root := filepath.Join("..", "..")
	for _, folder := range []string{"go.mod", "sync", "async", "shared", "proto", "bench"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, folder), func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			_, err = os.Stat(path)
			return err
		}))
	}
}

// requireNoUnexpectedEnds is for after Stop. A part that a test has killed behind the cluster's back is no news.
func requireNoUnexpectedEnds(t testing.TB, c *cluster.Cluster) {
	t.Helper()
	for exit := range c.Unexpected() {
		require.Contains(t, exit.State, "killed", exit.Error())
	}
}

func requireCleanLogs(t testing.TB, c *cluster.Cluster) {
	t.Helper()
	for _, part := range c.Parts() {
		text, err := os.ReadFile(c.LogFile(part))
		require.NoError(t, err)
		for _, bad := range []string{"WARNING: DATA RACE", `"msg":"panic"`, "panic in a write", "panic: ", "fatal error: "} {
			if i := strings.Index(string(text), bad); i >= 0 {
				require.Fail(t, "the log of "+part+" tells of trouble", "%s", text[i:min(i+3000, len(text))])
			}
		}
	}
}

// tellLogs puts the end of each log into the test's output.
func tellLogs(t testing.TB, c *cluster.Cluster) {
	t.Helper()
	const size = 2000
	for _, part := range c.Parts() {
		text, err := os.ReadFile(c.LogFile(part))
		if err != nil {
			text = []byte(err.Error())
		}
		t.Logf("the end of the log of %s:\n%s", part, text[max(0, len(text)-size):])
	}
}

// seed is where everything that a test leaves to chance comes from. It is told, so that a failure can be run again.
func seed(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(1)
	if text := os.Getenv("E2E_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, "E2E_SEED must be a number")
	}
	t.Logf("seed %d (run again with E2E_SEED=%d)", seed, seed)
	return seed
}

// chance is a stream of random numbers, and of bytes for ids.
type chance struct {
	*rand.Rand
	source *rand.ChaCha8
}

func newChance(seed, stream uint64) chance {
	var key [32]byte
	copy(key[:], fmt.Sprintf("%016x%016x", seed, stream))
	source := rand.NewChaCha8(key)
	return chance{rand.New(source), source}
}

// between draws a time, from the first to just below the second.
func (c chance) between(least, most time.Duration) time.Duration {
	return least + time.Duration(c.Int64N(int64(most-least)))
}

// pause waits for d or until ctx ends. It spreads work over time; nothing may rely on what happens meanwhile.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// blog is the public API of one stack.
type blog struct {
	posts         blogv1.PostsServiceClient
	comments      blogv1.CommentsServiceClient
	subscriptions blogv1.SubscriptionsServiceClient
	query         blogv1.QueryServiceClient
}

// connect connects to a stack anew, until the test ends: no pause of an older connection between its attempts delays it.
func connect(t testing.TB, c *cluster.Cluster) blog {
	t.Helper()
	to := func(name string) *grpc.ClientConn {
		conn, err := grpc.NewClient(c.Address(name), service.DialOptions()...)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	return blog{
		blogv1.NewPostsServiceClient(to("posts")), blogv1.NewCommentsServiceClient(to("comments")),
		blogv1.NewSubscriptionsServiceClient(to("subscriptions")), blogv1.NewQueryServiceClient(to("query")),
	}
}

// databaseOf is where a service keeps its data.
func databaseOf(cfg cluster.Config, part string) string {
	return filepath.Join(cfg.Dir, "data", part, part+".db")
}

// kill and restart are the cluster's, with the test's bound.

func kill(t testing.TB, c *cluster.Cluster, part string) {
	t.Helper()
	require.NoError(t, c.Kill(t.Context(), part))
}

func restart(t testing.TB, c *cluster.Cluster, part string) (execAt time.Time) {
	t.Helper()
	execAt, err := c.Restart(t.Context(), part)
	require.NoError(t, err)
	return execAt
}
