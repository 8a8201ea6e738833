package load

import (
	"context"
	"net"
	"path"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	blogv1 "tandem/proto/blog/v1"
	labv1 "tandem/proto/lab/v1"
	"tandem/shared/effect"
	"tandem/shared/rules"
)

// fake is blog.v1 in memory, with the five services behind one address. Its fields may be set under mu while it serves.
type fake struct {
	blogv1.UnimplementedPostsServiceServer
	blogv1.UnimplementedCommentsServiceServer
	blogv1.UnimplementedModerationServiceServer
	blogv1.UnimplementedSubscriptionsServiceServer
	blogv1.UnimplementedQueryServiceServer
	labv1.UnimplementedUsageServiceServer

	effects *effect.Log
	address string

	mu       sync.Mutex
	before   func(rpc string) error // nil, or what happens before the call is done
	after    func(rpc string) error // nil, or what the caller gets though the call was done
	degraded bool                   // answers that can be less than asked for say that they are
	mute     bool                   // effects are not told
	hidden   map[string]bool        // ids that query's pages do not show
	unlisted map[string]bool        // posts that the feed does not show
	stale    map[string]bool        // posts of which query's pages show the version before
	done     map[string]any         // replies by request_id
	posts    []*blogv1.Post         // oldest first
	comments []*blogv1.Comment
	follows  map[string]map[string]bool
	versions map[string]int64 // of authors
}

func startFake(t testing.TB) *fake {
	f := &fake{
		effects: effect.NewLog(), hidden: map[string]bool{}, unlisted: map[string]bool{}, stale: map[string]bool{}, done: map[string]any{},
		follows: map[string]map[string]bool{}, versions: map[string]int64{},
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f.address = listener.Addr().String()
	server := f.server()
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return f
}

func (f *fake) server() *grpc.Server {
	server := grpc.NewServer(grpc.UnaryInterceptor(f.intercept))
	blogv1.RegisterPostsServiceServer(server, f)
	blogv1.RegisterCommentsServiceServer(server, f)
	blogv1.RegisterModerationServiceServer(server, f)
	blogv1.RegisterSubscriptionsServiceServer(server, f)
	blogv1.RegisterQueryServiceServer(server, f)
	f.effects.Register(server)
	labv1.RegisterUsageServiceServer(server, f)
	return server
}

// set changes the fake's behaviour while it serves.
func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fake) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	rpc := path.Base(info.FullMethod)
	f.mu.Lock()
	before, after, degraded := f.before, f.after, f.degraded
	f.mu.Unlock()
	if before != nil {
		if err := before(rpc); err != nil {
			return nil, err
		}
	}
	reply, err := f.handle(ctx, req, handle)
	if err == nil && degraded {
		reply = lessen(reply.(proto.Message))
	}
	if err == nil && after != nil {
		err = after(rpc)
	}
	return reply, err
}

// lessen marks a reply as degraded, if it has a place for that.
func lessen(reply proto.Message) proto.Message {
	reply = proto.Clone(reply)
	switch r := reply.(type) {
	case *blogv1.CreateCommentResponse:
		r.Degraded = true
	case *blogv1.GetPostPageResponse:
		r.DegradedFields = []string{"comments"}
	case *blogv1.ListFeedResponse:
		r.DegradedFields = []string{"entries.comment_count"}
	case *blogv1.GetAuthorPageResponse:
		r.DegradedFields = []string{"subscriber_count"}
	}
	return reply
}

func (f *fake) handle(ctx context.Context, req any, handle grpc.UnaryHandler) (any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	write, ok := req.(interface{ GetRequestId() string })
	if !ok {
		return handle(ctx, req)
	}
	if reply, seen := f.done[write.GetRequestId()]; seen {
		return reply, nil
	}
	reply, err := handle(ctx, req)
	if err == nil {
		f.done[write.GetRequestId()] = reply
	}
	return reply, err
}

func (f *fake) tell(aggregate labv1.Aggregate, id string, version int64) {
	if !f.mute {
		f.effects.Append([]*labv1.Effect{{Aggregate: aggregate, Id: id, Version: version, EffectTime: timestamppb.Now()}})
	}
}

func (f *fake) find(id string) *blogv1.Post {
	for _, p := range f.posts {
		if p.GetId() == id {
			return p
		}
	}
	return nil
}

func notFound() error { return status.Error(codes.NotFound, "not found") }

func (f *fake) CreatePost(_ context.Context, r *blogv1.CreatePostRequest) (*blogv1.CreatePostResponse, error) {
	p := rules.NewPost(r)
	f.posts = append(f.posts, p)
	f.tell(labv1.Aggregate_AGGREGATE_POST, p.GetId(), 1)
	return &blogv1.CreatePostResponse{Post: p}, nil
}

func (f *fake) UpdatePost(_ context.Context, r *blogv1.UpdatePostRequest) (*blogv1.UpdatePostResponse, error) {
	i := slices.IndexFunc(f.posts, func(p *blogv1.Post) bool { return p.GetId() == r.GetId() })
	if i < 0 {
		return nil, notFound()
	}
	p := proto.CloneOf(f.posts[i]) // the old one may be on its way to a reader
	p.Title, p.Body, p.Version = r.GetTitle(), r.GetBody(), p.GetVersion()+1
	f.posts[i] = p
	f.tell(labv1.Aggregate_AGGREGATE_POST, p.GetId(), p.GetVersion())
	return &blogv1.UpdatePostResponse{Post: p}, nil
}

func (f *fake) DeletePost(_ context.Context, r *blogv1.DeletePostRequest) (*blogv1.DeletePostResponse, error) {
	p := f.find(r.GetId())
	if p == nil {
		return nil, notFound()
	}
	f.posts = slices.DeleteFunc(f.posts, func(q *blogv1.Post) bool { return q == p })
	f.comments = slices.DeleteFunc(f.comments, func(c *blogv1.Comment) bool { return c.GetPostId() == p.GetId() })
	f.tell(labv1.Aggregate_AGGREGATE_POST, p.GetId(), p.GetVersion()+1)
	return &blogv1.DeletePostResponse{}, nil
}

func (f *fake) GetPost(_ context.Context, r *blogv1.GetPostRequest) (*blogv1.GetPostResponse, error) {
	p := f.find(r.GetId())
	if p == nil {
		return nil, notFound()
	}
	return &blogv1.GetPostResponse{Post: p}, nil
}

// pageOf returns one page of a list that is kept oldest first. A token is how many entries came before.
func pageOf[T any](list []T, size int32, token string) (page []T, next string) {
	start, _ := strconv.Atoi(token)
	newest := slices.Clone(list)
	slices.Reverse(newest)
	end := min(start+rules.PageSize(size), len(newest))
	if end < len(newest) {
		next = strconv.Itoa(end)
	}
	return newest[min(start, end):end], next
}

func (f *fake) ListPosts(_ context.Context, r *blogv1.ListPostsRequest) (*blogv1.ListPostsResponse, error) {
	page, next := pageOf(f.postsOf(r.GetAuthor(), false), r.GetPageSize(), r.GetPageToken())
	return &blogv1.ListPostsResponse{Posts: page, NextPageToken: next}, nil
}

// postsOf are the posts of an author, or of all, as a page shows them or as they are.
func (f *fake) postsOf(author string, shown bool) (list []*blogv1.Post) {
	for _, p := range f.posts {
		if (author == "" || p.GetAuthor() == author) && !(shown && f.hidden[p.GetId()]) {
			list = append(list, p)
		}
	}
	return list
}

func (f *fake) ListFeed(_ context.Context, r *blogv1.ListFeedRequest) (*blogv1.ListFeedResponse, error) {
	shown := slices.DeleteFunc(f.postsOf("", true), func(p *blogv1.Post) bool { return f.unlisted[p.GetId()] })
	page, next := pageOf(shown, r.GetPageSize(), r.GetPageToken())
	reply := &blogv1.ListFeedResponse{NextPageToken: next}
	for _, p := range page {
		reply.Entries = append(reply.Entries, &blogv1.FeedEntry{
			Post: p, CommentCount: f.approvedOf(p.GetId()), SubscriberCount: int64(len(f.follows[p.GetAuthor()])),
		})
	}
	return reply, nil
}

func (f *fake) CreateComment(_ context.Context, r *blogv1.CreateCommentRequest) (*blogv1.CreateCommentResponse, error) {
	if f.find(r.GetPostId()) == nil {
		return nil, notFound()
	}
	c := rules.NewComment(r)
	c.Status = blogv1.CommentStatus_COMMENT_STATUS_APPROVED
	if !rules.NewPolicy(BlockedWord).Review("", r.GetBody()).GetApproved() {
		c.Status = blogv1.CommentStatus_COMMENT_STATUS_REJECTED
	}
	f.comments = append(f.comments, c)
	f.tell(labv1.Aggregate_AGGREGATE_COMMENT, c.GetId(), 1)
	return &blogv1.CreateCommentResponse{Comment: c}, nil
}

func (f *fake) commentsOf(postID string, shown bool, status blogv1.CommentStatus) (list []*blogv1.Comment) {
	for _, c := range f.comments {
		wanted := status == blogv1.CommentStatus_COMMENT_STATUS_UNSPECIFIED || c.GetStatus() == status
		if c.GetPostId() == postID && wanted && !(shown && f.hidden[c.GetId()]) {
			list = append(list, c)
		}
	}
	return list
}

func (f *fake) approvedOf(postID string) int64 {
	return int64(len(f.commentsOf(postID, true, blogv1.CommentStatus_COMMENT_STATUS_APPROVED)))
}

func (f *fake) GetComment(_ context.Context, r *blogv1.GetCommentRequest) (*blogv1.GetCommentResponse, error) {
	for _, c := range f.comments {
		if c.GetId() == r.GetId() {
			return &blogv1.GetCommentResponse{Comment: c}, nil
		}
	}
	return nil, notFound()
}

func (f *fake) ListComments(_ context.Context, r *blogv1.ListCommentsRequest) (*blogv1.ListCommentsResponse, error) {
	list := f.commentsOf(r.GetPostId(), false, r.GetStatus())
	page, next := pageOf(list, r.GetPageSize(), r.GetPageToken())
	return &blogv1.ListCommentsResponse{Comments: page, NextPageToken: next, TotalSize: int64(len(list))}, nil
}

func (f *fake) GetVerdict(_ context.Context, r *blogv1.GetVerdictRequest) (*blogv1.GetVerdictResponse, error) {
	return &blogv1.GetVerdictResponse{Verdict: &blogv1.Verdict{CommentId: r.GetCommentId()}}, nil
}

func (f *fake) GetPostPage(_ context.Context, r *blogv1.GetPostPageRequest) (*blogv1.GetPostPageResponse, error) {
	p := f.find(r.GetPostId())
	if p == nil || f.hidden[p.GetId()] {
		return nil, notFound()
	}
	if f.stale[p.GetId()] {
		p = proto.CloneOf(p)
		p.Version--
	}
	list := f.commentsOf(p.GetId(), true, blogv1.CommentStatus_COMMENT_STATUS_APPROVED)
	page, next := pageOf(list, r.GetPageSize(), r.GetPageToken())
	return &blogv1.GetPostPageResponse{Post: p, Comments: page, NextPageToken: next, CommentCount: int64(len(list)),
		SubscriberCount: int64(len(f.follows[p.GetAuthor()]))}, nil
}

func (f *fake) GetAuthorPage(_ context.Context, r *blogv1.GetAuthorPageRequest) (*blogv1.GetAuthorPageResponse, error) {
	n := int64(len(f.follows[r.GetAuthor()]))
	if f.hidden[r.GetAuthor()] {
		n--
	}
	page, next := pageOf(f.postsOf(r.GetAuthor(), true), r.GetPageSize(), r.GetPageToken())
	return &blogv1.GetAuthorPageResponse{Posts: page, NextPageToken: next, SubscriberCount: n}, nil
}

func (f *fake) GetSubscriberCount(_ context.Context, r *blogv1.GetSubscriberCountRequest,
) (*blogv1.GetSubscriberCountResponse, error) {
	return &blogv1.GetSubscriberCountResponse{SubscriberCount: int64(len(f.follows[r.GetAuthor()]))}, nil
}

func (f *fake) Subscribe(_ context.Context, r *blogv1.SubscribeRequest) (*blogv1.SubscribeResponse, error) {
	if f.follows[r.GetAuthor()] == nil {
		f.follows[r.GetAuthor()] = map[string]bool{}
	}
	f.follows[r.GetAuthor()][r.GetFollower()] = true
	return &blogv1.SubscribeResponse{Version: f.changed(r.GetAuthor())}, nil
}

func (f *fake) Unsubscribe(_ context.Context, r *blogv1.UnsubscribeRequest) (*blogv1.UnsubscribeResponse, error) {
	delete(f.follows[r.GetAuthor()], r.GetFollower())
	return &blogv1.UnsubscribeResponse{Version: f.changed(r.GetAuthor())}, nil
}

func (f *fake) changed(author string) int64 {
	f.versions[author]++
	f.tell(labv1.Aggregate_AGGREGATE_AUTHOR, author, f.versions[author])
	return f.versions[author]
}

// newTestClient returns a client of the fake with a small world that is not stored yet.
func newTestClient(t testing.TB, f *fake, deadline time.Duration) *Client {
	world := newTestWorld(t, WorldSize{Posts: 150, Comments: 300, Authors: 10, Subscriptions: 100})
	addresses := map[string]string{}
	for _, name := range Services() {
		addresses[name] = f.address
	}
	c, err := NewClient(ClientConfig{Addresses: addresses, World: world, Clock: NewClock(), Deadline: deadline})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}
