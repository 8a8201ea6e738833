package e2e

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tandem/bench/cluster"
	blogv1 "tandem/proto/blog/v1"
)

// TestBrokenSurroundings: trouble that is not the services' own is told in plain words, and ends when its cause does.
func TestBrokenSurroundings(t *testing.T) {
	for _, stack := range []string{cluster.Sync, cluster.Async} {
		t.Run("damaged_database/"+stack, damagedDatabase(stack))
		t.Run("full_disk/"+stack, fullDisk(stack))
	}
}

// damagedDatabase kills each service that has a database, damages the file, and demands that the service says so; with its file
// back it must start.
func damagedDatabase(stack string) func(t *testing.T) {
	return func(t *testing.T) {
		cfg := cluster.Config{Stack: stack, Dir: t.ArtifactDir()}
		c := start(t, cfg)
		for _, part := range c.Parts() {
			file := databaseOf(cfg, part)
			if _, err := os.Stat(file); err != nil {
				continue // the broker, and sync's query
			}
			t.Run(part, func(t *testing.T) {
				kill(t, c, part)
				restore := damage(t, file)
				_, err := c.Restart(t.Context(), part)
				require.ErrorContains(t, err, file)
				require.ErrorContains(t, err, "damaged; move it away or restore it")
				require.ErrorContains(t, err, "exit status 1")
				restore()
				restart(t, c, part)
			})
		}
	}
}

// damage overwrites a database with garbage, and takes its write-ahead log away, from which SQLite would mend it.
func damage(t *testing.T, file string) (restore func()) {
	t.Helper()
	whole := map[string][]byte{}
	for _, f := range []string{file, file + "-wal", file + "-shm"} {
		text, err := os.ReadFile(f)
		if os.IsNotExist(err) {
			continue
		}
		require.NoError(t, err)
		whole[f] = text
		require.NoError(t, os.Remove(f))
	}
	require.NoError(t, os.WriteFile(file, bytes.Repeat([]byte("garbage "), 4096), 0o600))
	return func() {
		for f, text := range whole {
			require.NoError(t, os.WriteFile(f, text, 0o600))
		}
	}
}

// fullDisk fills the disk of posts. Writes must be refused for that reason, reads go on, and once there is space again writes
// do too; nothing that was acknowledged may be lost.
func fullDisk(stack string) func(t *testing.T) {
	return func(t *testing.T) {
		cfg := cluster.Config{Stack: stack, Dir: t.ArtifactDir()}
		disk := filepath.Join(cfg.Dir, "data", "posts")
		require.NoError(t, os.MkdirAll(disk, 0o755))
		mountSmallDisk(t, disk)
		ballast := filepath.Join(disk, "ballast")
		require.NoError(t, os.WriteFile(ballast, make([]byte, ballastSize), 0o600))

		c := start(t, cfg)
		b, acked := connect(t, c), []string(nil)
		for acked = append(acked, mustWrite(t, b)); ; {
			id, err := writeLarge(t, b)
			if err != nil {
				require.Equal(t, codes.ResourceExhausted.String(), status.Code(err).String(), "%v", err)
				require.ErrorContains(t, err, "the disk is full; free some space")
				break
			}
			acked = append(acked, id)
			require.Less(t, len(acked), 2*diskSize/largeBody, "the disk does not get full")
		}
		requireAllThere(t, b, acked) // reads go on
		_, err := writeLarge(t, b)
		require.Error(t, err, "the disk is still full")

		require.NoError(t, os.Remove(ballast))
		for range 5 {
			acked = append(acked, mustWrite(t, b))
		}
		requireAllThere(t, b, acked)
		kill(t, c, "posts")
		restart(t, c, "posts")
		b = connect(t, c)
		requireAllThere(t, b, acked)
		requireAllShown(t, b, acked)
		t.Logf("%d posts were acknowledged on a disk of %d KiB that was full in between", len(acked), diskSize>>10)
	}
}

const (
	diskSize    = 6 << 20 // bytes
	ballastSize = 3 << 20
	largeBody   = 20_000 // the largest that a post may have
)

func writeLarge(t *testing.T, b blog) (id string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	reply, err := b.posts.CreatePost(ctx, &blogv1.CreatePostRequest{
		RequestId: uuid.NewString(), Author: "ada", Title: "A title", Body: strings.Repeat("x", largeBody),
	})
	return reply.GetPost().GetId(), err
}

func mustWrite(t *testing.T, b blog) (id string) {
	t.Helper()
	id, err := writeLarge(t, b)
	require.NoError(t, err)
	return id
}

// requireAllThere asks the owner.
func requireAllThere(t *testing.T, b blog, ids []string) {
	t.Helper()
	for _, id := range ids {
		_, err := b.posts.GetPost(t.Context(), &blogv1.GetPostRequest{Id: id})
		require.NoError(t, err)
	}
}

// requireAllShown asks query, and demands that it shows nothing more.
func requireAllShown(t *testing.T, b blog, ids []string) {
	t.Helper()
	shown := func() (all []string, err error) {
		for token, n := "", 0; n == 0 || token != ""; n++ {
			page, err := b.query.ListFeed(t.Context(), &blogv1.ListFeedRequest{PageSize: 100, PageToken: token})
			if err != nil {
				return nil, err
			}
			for _, entry := range page.GetEntries() {
				all = append(all, entry.GetPost().GetId())
			}
			token = page.GetNextPageToken()
		}
		return all, nil
	}
	require.Eventually(t, func() bool {
		all, err := shown()
		return err == nil && len(all) >= len(ids)
	}, bound, 10*lookAgain)
	all, err := shown()
	require.NoError(t, err)
	require.ElementsMatch(t, ids, all, "the acknowledged posts and those of the feed")
}
