package position

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	blogv1 "tandem/proto/blog/v1"
	labv1 "tandem/proto/lab/v1"
	"tandem/shared/problem"
)

// bound is how long a test waits for what has to happen; nothing takes that long unless it is broken.
const bound = 10 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const id = "0b1c6a1e-5f0e-4c55-9d5e-3a7b6c8d9e0f"

func TestTextOfAPosition(t *testing.T) {
	for _, text := range []string{"post:" + id + "@1", "post:" + id + "@gone", "comment:" + id + "@2", "author:a.b_c-D@9223372036854775806"} {
		p, err := Parse(text)
		require.NoError(t, err)
		require.Equal(t, text, p.String())
	}
	for _, text := range []string{
		"", "post", "post:", "post:@1", "post:" + id, "post:" + id + "@", "post:" + id + "@0", "post:" + id + "@-1", "post:" + id + "@+1",
		"post:" + id + "@01", "post:" + id + "@1@2", "post:" + id + "@9223372036854775807", "post:" + id + "@9223372036854775808",
		"Post:" + id + "@1", ":" + id + "@1", "feed:" + id + "@1", " post:" + id + "@1", "author:" + strings.Repeat("a", maxID+1) + "@1",
	} {
		_, err := Parse(text)
		require.ErrorContains(t, err, "for example author:ada@7", "%q", text)
	}
}

// FuzzParse: what a client sends is whatever it likes.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"post:" + id + "@1", "author:ada@gone", "author:@", "comment:@@1", "x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		require.Equal(t, text, p.String())
		require.Positive(t, p.Version)
		require.NotEmpty(t, p.ID)
	})
}

// transport takes the header of a reply.
type transport struct {
	grpc.ServerTransportStream
	header metadata.MD
}

func (t *transport) SetHeader(md metadata.MD) error {
	t.header = metadata.Join(t.header, md)
	return nil
}

func TestWritesTellTheirPosition(t *testing.T) {
	post := &blogv1.Post{Id: id, Version: 3}
	for _, tt := range []struct {
		name       string
		req, reply any
		want       string // empty: none
	}{
		{"CreatePost", &blogv1.CreatePostRequest{}, &blogv1.CreatePostResponse{Post: post}, "post:" + id + "@3"},
		{"UpdatePost", &blogv1.UpdatePostRequest{}, &blogv1.UpdatePostResponse{Post: post}, "post:" + id + "@3"},
		{"DeletePost", &blogv1.DeletePostRequest{Id: id}, &blogv1.DeletePostResponse{}, "post:" + id + "@gone"},
		{"CreateComment", &blogv1.CreateCommentRequest{},
			&blogv1.CreateCommentResponse{Comment: &blogv1.Comment{Id: id, Version: 1}}, "comment:" + id + "@2"},
		{"Subscribe", &blogv1.SubscribeRequest{Author: "ada"}, &blogv1.SubscribeResponse{Version: 7}, "author:ada@7"},
		{"Unsubscribe", &blogv1.UnsubscribeRequest{Author: "ada"}, &blogv1.UnsubscribeResponse{Version: 8}, "author:ada@8"},
		{"Unsubscribe_of_an_author_whom_nobody_follows", &blogv1.UnsubscribeRequest{Author: "ada"}, &blogv1.UnsubscribeResponse{}, ""},
		{"GetPost", &blogv1.GetPostRequest{Id: id}, &blogv1.GetPostResponse{Post: post}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sent := &transport{}
			ctx := grpc.NewContextWithServerTransportStream(t.Context(), sent)
			reply, err := Tell(ctx, tt.req, nil, func(context.Context, any) (any, error) { return tt.reply, nil })
			require.NoError(t, err)
			require.Equal(t, tt.reply, reply)
			require.Equal(t, tt.want, strings.Join(sent.header.Get(Header), " "))
		})
	}
	t.Run("failed_write", func(t *testing.T) {
		sent := &transport{}
		ctx := grpc.NewContextWithServerTransportStream(t.Context(), sent)
		_, err := Tell(ctx, &blogv1.DeletePostRequest{Id: id}, nil, func(context.Context, any) (any, error) {
			return &blogv1.DeletePostResponse{}, errors.New("not stored")
		})
		require.ErrorContains(t, err, "not stored")
		require.Empty(t, sent.header)
	})
}

// model is a read model that comes to one version after the other, of everything.
type model struct {
	*Readers
	version chan int64 // holds the version
	looks   chan Position
}

func newModel() *model {
	m := &model{NewReaders(), make(chan int64, 1), make(chan Position, 100)}
	m.version <- 0
	return m
}

func (m *model) applied(_ context.Context, p Position) (bool, error) {
	version := <-m.version
	m.version <- version
	m.looks <- p
	return version >= p.Version, nil
}

// awaitLooks waits until somebody has looked n times.
func (m *model) awaitLooks(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case <-m.looks:
		case <-time.After(bound):
			require.FailNow(t, "nobody looks")
		}
	}
}

func (m *model) comesTo(version int64, name string) {
	<-m.version
	m.version <- version
	m.Wake([]*labv1.Effect{{Aggregate: labv1.Aggregate_AGGREGATE_AUTHOR, Id: name, Version: version}})
}

// read asks for a page and returns what became of that.
func (m *model) read(ctx context.Context, waitFor ...string) (page any, err error) {
	for _, text := range waitFor {
		md, _ := metadata.FromIncomingContext(ctx)
		ctx = metadata.NewIncomingContext(ctx, metadata.Join(md, metadata.Pairs(WaitFor, text)))
	}
	return m.Wait(m.applied)(ctx, nil, nil, func(context.Context, any) (any, error) { return "page", nil })
}

func TestReadersWait(t *testing.T) {
	t.Run("for_nothing", func(t *testing.T) {
		m := newModel()
		page, err := m.read(t.Context())
		require.NoError(t, err)
		require.Equal(t, "page", page)
		require.Empty(t, m.looks)
	})
	t.Run("for_what_is_there", func(t *testing.T) {
		m := newModel()
		m.comesTo(2, "ada")
		_, err := m.read(t.Context(), "author:ada@1", "author:ada@2")
		require.NoError(t, err)
		require.Len(t, m.looks, 2)
	})
	t.Run("for_what_comes", func(t *testing.T) {
		m := newModel()
		ctx, cancel := context.WithTimeout(t.Context(), bound)
		defer cancel()
		ended := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := m.read(ctx, "author:ada@2")
				ended <- err
			}()
			m.awaitLooks(t, 1)
		}
		m.comesTo(1, "ada")
		m.awaitLooks(t, 2)
		require.Empty(t, ended)
		m.comesTo(2, "ada")
		require.NoError(t, errors.Join(<-ended, <-ended))
		require.Empty(t, m.waiting)
	})
	t.Run("no_longer_than_the_deadline", func(t *testing.T) {
		m := newModel()
		ctx, cancel := context.WithTimeout(t.Context(), 2*keptBack)
		defer cancel()
		_, err := m.read(ctx, "author:ada@2")
		require.Contains(t, []problem.Kind{problem.Unavailable, problem.DeadlineExceeded}, problem.KindOf(err), "%v", err)
		require.Empty(t, m.waiting)
	})
	t.Run("no_longer_than_the_bound_without_a_deadline", func(t *testing.T) {
		require.Equal(t, longest, patienceOf(context.Background()))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.LessOrEqual(t, patienceOf(ctx), time.Hour-keptBack)
		m := newModel()
		_, err := m.read(t.Context(), "author:ada@2")
		require.Equal(t, problem.Unavailable, problem.KindOf(err))
		require.ErrorContains(t, err, "the read model has not come to author:ada@2 yet: ask again, or without tandem-wait-for")
	})
	t.Run("no_longer_than_the_caller", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := newModel().read(ctx, "author:ada@2")
		require.Equal(t, problem.Canceled, problem.KindOf(err))
	})
	t.Run("not_if_the_read_model_cannot_be_read", func(t *testing.T) {
		broken := func(context.Context, Position) (bool, error) { return false, errors.New("no database") }
		ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs(WaitFor, "author:ada@2"))
		_, err := NewReaders().Wait(broken)(ctx, nil, nil, nil)
		require.ErrorContains(t, err, "no database")
	})
}

func TestWhoIsWoken(t *testing.T) {
	r, wake := NewReaders(), make(chan struct{}, 1)
	end := r.register(thing{labv1.Aggregate_AGGREGATE_AUTHOR, "ada"}, wake)
	r.Wake([]*labv1.Effect{
		{Aggregate: labv1.Aggregate_AGGREGATE_AUTHOR, Id: "bob"}, {Aggregate: labv1.Aggregate_AGGREGATE_POST, Id: "ada"},
	})
	require.Empty(t, wake, "what happens to others wakes nobody")
	for range 3 {
		r.Wake([]*labv1.Effect{{Aggregate: labv1.Aggregate_AGGREGATE_AUTHOR, Id: "ada"}})
		require.Len(t, wake, 1)
	}
	<-wake
	end()
	r.Wake([]*labv1.Effect{{Aggregate: labv1.Aggregate_AGGREGATE_AUTHOR, Id: "ada"}})
	require.Empty(t, wake)
	require.Empty(t, r.waiting)
}

func TestBadPositionsAreRefused(t *testing.T) {
	many := make([]string, mostPositions+1)
	for i := range many {
		many[i] = fmt.Sprintf("author:a%d@1", i)
	}
	for name, waitFor := range map[string][]string{"no_position": {"ada"}, "one_of_two": {"author:ada@1", "ada@1"}, "too_many": many} {
		t.Run(name, func(t *testing.T) {
			_, err := newModel().read(t.Context(), waitFor...)
			require.Equal(t, problem.Invalid, problem.KindOf(err))
			require.ErrorContains(t, err, WaitFor)
		})
	}
}
