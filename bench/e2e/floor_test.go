package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"tandem/bench/cluster"
	"tandem/bench/history"
	"tandem/bench/load"
	blogv1 "tandem/proto/blog/v1"
	eventv1 "tandem/proto/event/v1"
	"tandem/shared/floor"
)

// perRound is how many writes a round of a time to effect makes, one after the other.
const perRound = 100

// BenchmarkFloorCreatePost is the time to effect of a post, over one topic.
func BenchmarkFloorCreatePost(b *testing.B) {
	c := start(b, cluster.Config{Stack: cluster.Async})
	w := watch(b, c)
	w.createPost(b) // connects
	least := newLine(b, c, "floor.1")
	compareLatency(b, least, w.createPost)
}

// BenchmarkFloorCreateComment is the time until a comment is approved on its post's page, over three topics.
func BenchmarkFloorCreateComment(b *testing.B) {
	c := start(b, cluster.Config{Stack: cluster.Async})
	w := watch(b, c)
	w.createPost(b)
	w.createComment(b) // connects
	least := newLine(b, c, "floor.1", "floor.2", "floor.3")
	compareLatency(b, least, w.createComment)
}

func compareLatency(b *testing.B, least *line, ours func(*testing.B) float64) {
	median := func(once func(*testing.B) float64) floor.Round {
		return func() float64 {
			took := make([]float64, perRound)
			for i := range took {
				took[i] = once(b)
			}
			return floor.Median(took)
		}
	}
	floor.Compare(b, median(least.send), median(ours))
}

// watched is a stack whose effects are heard of.
type watched struct {
	blog    blog
	clock   load.Clock
	effects chan history.Effect
	post    string // the newest
}

func watch(b *testing.B, c *cluster.Cluster) *watched {
	w := &watched{blog: connect(b, c), clock: load.NewClock(), effects: make(chan history.Effect, 100_000)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- load.WatchEffects(ctx, load.WatchConfig{
			Addresses: []string{c.Address("query")}, Clock: w.clock, Log: quiet(),
			Sink: func(e history.Effect) { w.effects <- e },
		})
	}()
	b.Cleanup(func() {
		cancel()
		require.NoError(b, <-ended)
	})
	return w
}

// at waits for the effect of a version and returns when it came.
func (w *watched) at(b *testing.B, id string, version int64) time.Duration {
	late := time.After(bound)
	for {
		select {
		case e := <-w.effects:
			if e.ID == id && e.Version >= version {
				return e.At
			}
		case <-late:
			require.FailNow(b, "no effect", "version %d of %s does not show", version, id)
		}
	}
}

// createPost makes a post and returns its time to effect in microseconds.
func (w *watched) createPost(b *testing.B) float64 {
	sent := w.clock.Now()
	w.post = newPost(b, w.blog)
	return floor.Micros(w.at(b, w.post, 1) - sent)
}

func newPost(b *testing.B, to blog) (id string) {
	reply, err := to.posts.CreatePost(context.Background(), &blogv1.CreatePostRequest{
		RequestId: uuid.NewString(), Author: "ada", Title: "A title", Body: "A body.",
	}, grpc.WaitForReady(true))
	require.NoError(b, err)
	return reply.GetPost().GetId()
}

// createComment comments on the newest post and returns the time until that shows, in microseconds.
func (w *watched) createComment(b *testing.B) float64 {
	sent := w.clock.Now()
	reply, err := w.blog.comments.CreateComment(context.Background(), &blogv1.CreateCommentRequest{
		RequestId: uuid.NewString(), PostId: w.post, Author: "bob", Body: "A comment.",
	}, grpc.WaitForReady(true))
	require.NoError(b, err)
	return floor.Micros(w.at(b, reply.GetComment().GetId(), reply.GetComment().GetVersion()+1) - sent)
}

// BenchmarkFloorCatchUp kills query, writes 200 posts, and starts it again: the time from its exec until the last one shows.
func BenchmarkFloorCatchUp(b *testing.B) {
	c := start(b, cluster.Config{Stack: cluster.Async})
	w := watch(b, c)
	w.createPost(b) // connects
	floor.Alone(b, func() float64 {
		kill(b, c, "query")
		missed := map[string]bool{}
		for range 200 {
			missed[newPost(b, w.blog)] = true
		}
		execAt := restart(b, c, "query")
		var last time.Duration
		for len(missed) > 0 {
			e := <-w.effects
			if missed[e.ID] {
				last = max(last, e.At)
				delete(missed, e.ID)
			}
		}
		return floor.Micros(w.clock.At(last).Sub(execAt)) / 1000
	})
}

// BenchmarkFloorCallerBack kills sync's posts for a second, in which comments keeps calling it: the time from its being SERVING
// again until a call through comments succeeds.
func BenchmarkFloorCallerBack(b *testing.B) {
	c := start(b, cluster.Config{Stack: cluster.Sync, SyncLevel: "deadline"})
	to := connect(b, c)
	post := newPost(b, to)
	comment := func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), attemptTimeout)
		defer cancel()
		_, err := to.comments.CreateComment(ctx, &blogv1.CreateCommentRequest{
			RequestId: uuid.NewString(), PostId: post, Author: "bob", Body: "A comment.",
		})
		return err == nil
	}
	require.Eventually(b, comment, bound, lookAgain)
	floor.Alone(b, func() float64 {
		kill(b, c, "posts")
		for down := time.Now(); time.Since(down) < time.Second; pause(b.Context(), lookAgain) {
			require.False(b, comment(), "comments does without posts")
		}
		restart(b, c, "posts")
		serving := time.Now()
		for !comment() {
			require.Less(b, time.Since(serving), bound)
			pause(b.Context(), time.Millisecond)
		}
		return floor.Micros(time.Since(serving)) / 1000
	})
}

// BenchmarkFloorRebuild throws query's database away and starts it again on a log of 60,000 events: the rate from exec until the
// last event of each partition shows on a page.
func BenchmarkFloorRebuild(b *testing.B) {
	cfg := cluster.Config{Stack: cluster.Async, Dir: b.ArtifactDir()}
	c := start(b, cfg)
	for _, part := range []string{"posts", "comments", "moderation", "subscriptions"} {
		kill(b, c, part) // the events below are news to them
	}
	f := &filler{client: kafkaClient(b, c), records: map[place][]kafka.Record{}, last: map[place]func(blogv1.QueryServiceClient) bool{}}
	f.fill(b, 15_000)
	floor.Alone(b, func() float64 {
		kill(b, c, "query")
		files, err := filepath.Glob(databaseOf(cfg, "query") + "*")
		require.NoError(b, err)
		for _, file := range files {
			require.NoError(b, os.Remove(file))
		}
		execAt := restart(b, c, "query")
		query := connect(b, c).query
		for _, shows := range f.last {
			for !shows(query) {
				require.Less(b, time.Since(execAt), bound)
				pause(b.Context(), time.Millisecond)
			}
		}
		return float64(f.events) / time.Since(execAt).Seconds()
	})
}

// place is one partition.
type place struct {
	topic  string
	number int
}

// filler writes events as the services do, without them.
type filler struct {
	client  *kafka.Client
	records map[place][]kafka.Record
	last    map[place]func(blogv1.QueryServiceClient) bool // tells whether the last event of a partition shows
	events  int
}

// fill writes n posts by 1,000 authors, a comment on each, its approval, and a follower for each post.
func (f *filler) fill(b *testing.B, n int) {
	const authors, body = 1000, "A body of the length that the bodies of the laboratory's load have, which is some twenty words, give or take."
	now := timestamppb.Now()
	for i := range n {
		post, comment, author := uuid.NewString(), uuid.NewString(), fmt.Sprintf("author-%d", i%authors)
		followers := int64(i/authors + 1)
		f.put(b, "blog.posts", post, &eventv1.PostCreated{
			PostId: post, Author: author, Title: "A title of a post", Body: body, CreateTime: now, Version: 1,
		}, func(query blogv1.QueryServiceClient) bool { return pageOf(query, post).GetPost() != nil })
		f.put(b, "blog.comments", comment, &eventv1.CommentCreated{
			CommentId: comment, PostId: post, Author: author, Body: body, CreateTime: now, Version: 1,
		}, nil)
		f.put(b, "blog.comments", comment, &eventv1.CommentUpdated{
			CommentId: comment, PostId: post, Approved: true, UpdateTime: now, Version: 2,
		}, func(query blogv1.QueryServiceClient) bool { return pageOf(query, post).GetCommentCount() == 1 })
		f.put(b, "blog.subscriptions", author, &eventv1.AuthorFollowed{
			Author: author, Follower: fmt.Sprintf("follower-%d", i), Version: followers,
		}, func(query blogv1.QueryServiceClient) bool {
			page, err := query.GetAuthorPage(context.Background(), &blogv1.GetAuthorPageRequest{Author: author})
			return err == nil && page.GetSubscriberCount() == followers
		})
	}
	for p := range f.records {
		f.flush(b, p)
	}
}

func pageOf(query blogv1.QueryServiceClient, post string) *blogv1.GetPostPageResponse {
	page, err := query.GetPostPage(context.Background(), &blogv1.GetPostPageRequest{PostId: post})
	if err != nil {
		return nil
	}
	return page
}

// put adds one event to its partition; the last one's shows is kept.
func (f *filler) put(b *testing.B, topic, key string, event proto.Message, shows func(blogv1.QueryServiceClient) bool) {
	value, err := proto.Marshal(event)
	require.NoError(b, err)
	p := place{topic, kafka.Murmur2Balancer{}.Balance(kafka.Message{Key: []byte(key)}, 0, 1, 2)}
	f.records[p] = append(f.records[p], kafka.Record{
		Key: kafka.NewBytes([]byte(key)), Value: kafka.NewBytes(value), Headers: []kafka.Header{
			{Key: "ce_specversion", Value: []byte("1.0")},
			{Key: "ce_id", Value: []byte(uuid.Must(uuid.NewV7()).String())},
			{Key: "ce_type", Value: []byte(event.ProtoReflect().Descriptor().FullName())},
			{Key: "ce_source", Value: []byte("/" + topic)},
			{Key: "ce_subject", Value: []byte(key)},
			{Key: "ce_time", Value: []byte(time.Now().UTC().Format(time.RFC3339Nano))},
			{Key: "content-type", Value: []byte("application/protobuf")},
		},
	})
	f.events++
	f.last[p] = shows
	if len(f.records[p]) >= 500 {
		f.flush(b, p)
	}
}

func (f *filler) flush(b *testing.B, p place) {
	if len(f.records[p]) == 0 {
		return
	}
	response, err := f.client.Produce(b.Context(), &kafka.ProduceRequest{
		Topic: p.topic, Partition: p.number, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(f.records[p]...),
	})
	require.NoError(b, err)
	require.NoError(b, response.Error)
	f.records[p] = nil
}
