package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"tandem/bench/cluster"
	"tandem/bench/load"
	blogv1 "tandem/proto/blog/v1"
)

// rebuildBound is how long the read model may take to come back. Some 16,000 events are applied again.
const rebuildBound = 20 * time.Second

// TestReadModelRebuild throws query's database away. From the log alone, the same pages must come back.
func TestReadModelRebuild(t *testing.T) {
	seed := seed(t)
	cfg := cluster.Config{Stack: cluster.Async, Dir: t.ArtifactDir()}
	c := start(t, cfg)
	fill(t, c, seed)
	noted := note(t, connect(t, c).query)

	kill(t, c, "query")
	files, err := filepath.Glob(databaseOf(cfg, "query") + "*") // with the write-ahead log
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		require.NoError(t, os.Remove(file))
	}
	execAt := restart(t, c, "query")
	query := connect(t, c).query
	for shown := 0; shown < len(noted); {
		if noted[shown].isSame(t, query) {
			shown++ // it may change again: all are looked at once more below
			continue
		}
		require.Less(t, time.Since(execAt), rebuildBound, "%s is not as it was; %d of %d pages are", noted[shown].what, shown, len(noted))
		pause(t.Context(), lookAgain)
	}
	took := time.Since(execAt)
	for _, l := range noted {
		require.True(t, l.isSame(t, query), "%s was as noted, and then changed again", l.what)
	}
	events := logEnd(t, c, "blog.posts", "blog.comments", "blog.subscriptions")
	t.Logf("%d events applied again in %v from exec: %.0f events/s; %d pages are as they were",
		events, took.Round(time.Millisecond), float64(events)/took.Seconds(), len(noted))
}

// fill makes a world, changes it at random, and waits until all of it shows.
func fill(t *testing.T, c *cluster.Cluster, seed uint64) {
	t.Helper()
	world, err := load.NewWorld(seed, worldSize())
	require.NoError(t, err)
	clock := load.NewClock()
	watching := observe(t, c, world, clock)
	ops, err := load.Preload(t.Context(), watching.client, load.PreloadConfig{})
	require.NoError(t, err)
	writing := &traffic{blog: connect(t, c), clock: clock, seed: seed}
	require.NoError(t, writing.run(t.Context(), nil, 8, 150))
	require.NotZero(t, watching.drain(t, append(ops, writing.operations()...)), "not everything shows")
}

// worldSize is smaller where the search for data races makes everything slow.
func worldSize() load.WorldSize {
	if raceEnabled {
		return load.WorldSize{Posts: 500, Comments: 1000, Authors: 50, Subscriptions: 500}
	}
	return load.WorldSize{Posts: 2000, Comments: 5000, Authors: 50, Subscriptions: 3000}
}

// look is one page, as it was.
type look struct {
	what string
	ask  func(context.Context, blogv1.QueryServiceClient) (proto.Message, error)
	want proto.Message // nil: NOT_FOUND
}

// isSame tells whether a page is as it was.
func (l *look) isSame(t *testing.T, query blogv1.QueryServiceClient) bool {
	t.Helper()
	got := l.read(t, query)
	if l.want == nil || got == nil {
		return l.want == nil && got == nil
	}
	return proto.Equal(l.want, got)
}

// read reads a page; nil if it is NOT_FOUND.
func (l *look) read(t *testing.T, query blogv1.QueryServiceClient) proto.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	got, err := l.ask(ctx, query)
	if status.Code(err) == codes.NotFound {
		return nil
	}
	require.NoError(t, err, l.what)
	return got
}

// note reads the whole feed, the pages of posts from all over it, of one that does not exist, and of authors.
func note(t *testing.T, query blogv1.QueryServiceClient) (noted []*look) {
	t.Helper()
	take := func(l *look) proto.Message {
		l.want = l.read(t, query)
		noted = append(noted, l)
		return l.want
	}
	posts, authors := []string{"00000000-0000-4000-8000-000000000000"}, map[string]bool{}
	for token, n := "", 0; n == 0 || token != ""; n++ {
		page := take(lookAtFeed(n, token)).(*blogv1.ListFeedResponse)
		for i, entry := range page.GetEntries() {
			if i%10 == 0 {
				posts = append(posts, entry.GetPost().GetId())
			}
			authors[entry.GetPost().GetAuthor()] = true
		}
		token = page.GetNextPageToken()
	}
	require.Greater(t, len(posts), 50)
	for _, id := range posts {
		take(lookAtPost(id))
	}
	for author := range authors {
		take(lookAtAuthor(author))
	}
	return noted
}

func lookAtFeed(n int, token string) *look {
	return &look{what: fmt.Sprintf("page %d of the feed", n),
		ask: func(ctx context.Context, query blogv1.QueryServiceClient) (proto.Message, error) {
			return query.ListFeed(ctx, &blogv1.ListFeedRequest{PageSize: 100, PageToken: token})
		}}
}

func lookAtPost(id string) *look {
	return &look{what: "post " + id,
		ask: func(ctx context.Context, query blogv1.QueryServiceClient) (proto.Message, error) {
			return query.GetPostPage(ctx, &blogv1.GetPostPageRequest{PostId: id, PageSize: 100})
		}}
}

func lookAtAuthor(name string) *look {
	return &look{what: "author " + name,
		ask: func(ctx context.Context, query blogv1.QueryServiceClient) (proto.Message, error) {
			return query.GetAuthorPage(ctx, &blogv1.GetAuthorPageRequest{Author: name, PageSize: 100})
		}}
}

// logEnd is how many records topics hold.
func logEnd(t *testing.T, c *cluster.Cluster, topics ...string) (n int64) {
	t.Helper()
	client := kafkaClient(t, c)
	request := &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{}}
	for _, topic := range topics {
		for number := range partitions {
			request.Topics[topic] = append(request.Topics[topic], kafka.LastOffsetOf(number))
		}
	}
	response, err := client.ListOffsets(t.Context(), request)
	require.NoError(t, err)
	for _, of := range response.Topics {
		for _, partition := range of {
			require.NoError(t, partition.Error)
			n += partition.LastOffset
		}
	}
	return n
}

// partitions is how many each topic of the stack has.
const partitions = 3
