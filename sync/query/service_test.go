package main

import (
	"context"
	"flag"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/problem"
	"tandem/sync/internal/peer"
)

// bound is how long a test waits for what has to happen; nothing takes that long unless it is broken.
const bound = 10 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// owners are posts, comments and subscriptions, on one loopback server. Each author has 2 posts, each post 3 comments, and each
// author 4 subscribers.
type owners struct {
	blogv1.UnimplementedPostsServiceServer
	blogv1.UnimplementedCommentsServiceServer
	blogv1.UnimplementedSubscriptionsServiceServer
	address string

	mu   sync.Mutex
	away map[string]bool // by service
	lost bool            // who is away does its work, and the reply is lost
}

func startOwners(t *testing.T) *owners {
	t.Helper()
	o := &owners{away: map[string]bool{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	o.address = listener.Addr().String()
	server := grpc.NewServer(grpc.UnaryInterceptor(o.intercept))
	blogv1.RegisterPostsServiceServer(server, o)
	blogv1.RegisterCommentsServiceServer(server, o)
	blogv1.RegisterSubscriptionsServiceServer(server, o)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		require.NoError(t, <-served)
	})
	return o
}

func (o *owners) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	o.mu.Lock()
	away, lost := false, o.lost
	for name := range o.away {
		away = away || strings.Contains(strings.ToLower(info.FullMethod), "."+name+"service/")
	}
	o.mu.Unlock()
	if away && !lost {
		return nil, status.Error(codes.Unavailable, "away")
	}
	reply, err := handle(ctx, req)
	if away {
		return nil, status.Error(codes.Unavailable, "the reply is lost")
	}
	return reply, err
}

// loses sets whether who is away does its work first.
func (o *owners) loses(replies bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lost = replies
}

const unknown = "11111111-1111-4111-8111-111111111111"

func (o *owners) GetPost(_ context.Context, req *blogv1.GetPostRequest) (*blogv1.GetPostResponse, error) {
	if req.GetId() == unknown {
		return nil, status.Error(codes.NotFound, "no such post")
	}
	return &blogv1.GetPostResponse{Post: &blogv1.Post{Id: req.GetId(), Author: "ada"}}, nil
}

func (o *owners) ListPosts(context.Context, *blogv1.ListPostsRequest) (*blogv1.ListPostsResponse, error) {
	return &blogv1.ListPostsResponse{
		Posts: []*blogv1.Post{{Id: uuid.NewString(), Author: "ada"}, {Id: uuid.NewString(), Author: "ada"}}, NextPageToken: "more",
	}, nil
}

func (o *owners) ListComments(_ context.Context, req *blogv1.ListCommentsRequest) (*blogv1.ListCommentsResponse, error) {
	return &blogv1.ListCommentsResponse{Comments: []*blogv1.Comment{{PostId: req.GetPostId()}}, NextPageToken: "more", TotalSize: 3}, nil
}

func (o *owners) GetSubscriberCount(
	context.Context, *blogv1.GetSubscriberCountRequest,
) (*blogv1.GetSubscriberCountResponse, error) {
	return &blogv1.GetSubscriberCountResponse{SubscriberCount: 4}, nil
}

// start returns a query service at a level, with some of the services that it asks away.
func start(t *testing.T, o *owners, level, away string) *server {
	t.Helper()
	o.mu.Lock()
	o.away = map[string]bool{}
	for name := range strings.FieldsSeq(away) {
		o.away[name] = true
	}
	o.mu.Unlock()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	set := flag.NewFlagSet("query", flag.ContinueOnError)
	peers := peer.AddFlags(set)
	require.NoError(t, set.Parse([]string{
		"--level", level, "--peers", "posts=" + o.address + ",comments=" + o.address + ",subscriptions=" + o.address,
	}))
	posts, err := peer.Dial(peers, log, "posts", blogv1.NewPostsServiceClient)
	require.NoError(t, err)
	comments, err := peer.Dial(peers, log, "comments", blogv1.NewCommentsServiceClient)
	require.NoError(t, err)
	subscriptions, err := peer.Dial(peers, log, "subscriptions", blogv1.NewSubscriptionsServiceClient)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, posts.Close())
		require.NoError(t, comments.Close())
		require.NoError(t, subscriptions.Close())
	})
	return &server{level: peers.Level, posts: posts, comments: comments, subscriptions: subscriptions}
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	t.Cleanup(cancel)
	return ctx
}

// page is what a page shows, in one line.
type page struct {
	posts, comments, subscribers int64
	more                         bool
	gaps                         string
}

func (s *server) pages(t *testing.T) map[string]func() (page, error) {
	return map[string]func() (page, error){
		"GetPostPage": func() (page, error) {
			p, err := s.GetPostPage(within(t), &blogv1.GetPostPageRequest{PostId: uuid.NewString()})
			n := int64(0)
			if p.GetPost().GetAuthor() == "ada" {
				n = 1
			}
			return page{n, p.GetCommentCount(), p.GetSubscriberCount(), p.GetNextPageToken() != "", strings.Join(p.GetDegradedFields(), " ")}, err
		},
		"ListFeed": func() (page, error) {
			p, err := s.ListFeed(within(t), &blogv1.ListFeedRequest{})
			shown := page{int64(len(p.GetEntries())), 0, 0, p.GetNextPageToken() != "", strings.Join(p.GetDegradedFields(), " ")}
			for _, e := range p.GetEntries() {
				shown.comments, shown.subscribers = e.GetCommentCount(), e.GetSubscriberCount()
			}
			return shown, err
		},
		"GetAuthorPage": func() (page, error) {
			p, err := s.GetAuthorPage(within(t), &blogv1.GetAuthorPageRequest{Author: "ada"})
			return page{
				int64(len(p.GetPosts())), 0, p.GetSubscriberCount(), p.GetNextPageToken() != "", strings.Join(p.GetDegradedFields(), " "),
			}, err
		},
	}
}

// TestPagesDoWithoutWhatIsAway: each page, with each of the services that it asks away, at the level fallback.
func TestPagesDoWithoutWhatIsAway(t *testing.T) {
	const noComments, noCounts = "comment_count comments next_page_token", "entries.comment_count entries.subscriber_count"
	for _, tt := range []struct {
		name, rpc, away string
		want            page
	}{
		{"post_page_whole", "GetPostPage", "", page{1, 3, 4, true, ""}},
		{"post_page_without_comments", "GetPostPage", "comments", page{1, 0, 4, false, noComments}},
		{"post_page_without_subscriptions", "GetPostPage", "subscriptions", page{1, 3, 0, true, "subscriber_count"}},
		{"post_page_without_both", "GetPostPage", "comments subscriptions", page{1, 0, 0, false, noComments + " subscriber_count"}},
		{"feed_whole", "ListFeed", "", page{2, 3, 4, true, ""}},
		{"feed_without_comments", "ListFeed", "comments", page{2, 0, 4, true, "entries.comment_count"}},
		{"feed_without_subscriptions", "ListFeed", "subscriptions", page{2, 3, 0, true, "entries.subscriber_count"}},
		{"feed_without_both", "ListFeed", "comments subscriptions", page{2, 0, 0, true, noCounts}},
		{"author_page_whole", "GetAuthorPage", "comments", page{2, 0, 4, true, ""}},
		{"author_page_without_subscriptions", "GetAuthorPage", "subscriptions", page{2, 0, 0, true, "subscriber_count"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := startOwners(t)
			for _, lost := range []bool{false, true} {
				o.loses(lost)
				got, err := start(t, o, "fallback", tt.away).pages(t)[tt.rpc]()
				require.NoError(t, err)
				require.Equal(t, tt.want, got)
				if tt.want.gaps == "" {
					continue
				}
				_, err = start(t, o, "breaker", tt.away).pages(t)[tt.rpc]()
				require.Equal(t, problem.Unavailable, problem.KindOf(err), "%v", err)
			}
		})
	}
}

// TestNoPageWithoutItsPost: what a page is about cannot be left out, and a post that does not exist is not a service that is away.
func TestNoPageWithoutItsPost(t *testing.T) {
	o := startOwners(t)
	for rpc, get := range start(t, o, "fallback", "posts").pages(t) {
		_, err := get()
		require.Equal(t, problem.Unavailable, problem.KindOf(err), "%s: %v", rpc, err)
	}
	s := start(t, o, "fallback", "comments subscriptions")
	_, err := s.GetPostPage(within(t), &blogv1.GetPostPageRequest{PostId: unknown})
	require.Equal(t, problem.NotFound, problem.KindOf(err), "%v", err)
}
