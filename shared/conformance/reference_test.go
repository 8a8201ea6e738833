package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/problem"
	"tandem/shared/rules"
	"tandem/shared/service"
	"tandem/shared/store"
)

// defect is a way in which the reference breaks the contract, for showing that the suite notices.
type defect string

const (
	forgetsRequests  defect = "forgets_requests"  // a request_id sent twice is two writes
	showsRejected    defect = "shows_rejected"    // the post page shows rejected comments
	keepsComments    defect = "keeps_comments"    // the comments of a deleted post stay
	storesBadInput   defect = "stores_bad_input"  // CreatePost checks after it has stored
	doublesLastEntry defect = "doubles_last"      // each page of posts repeats the last entry of the page before
	countsTwice      defect = "counts_twice"      // following twice counts twice
	takesLongTitles  defect = "takes_long_titles" // one byte more than the limit
	blocksPrefixes   defect = "blocks_prefixes"   // "oranges" is blocked
)

// reference is blog.v1 in one process, as plain as can be: all five services on one kind of store each, with no calls and no
// events between them. It can promise what sync promises, or what async does.
type reference struct {
	blogv1.UnimplementedPostsServiceServer
	blogv1.UnimplementedCommentsServiceServer
	blogv1.UnimplementedModerationServiceServer
	blogv1.UnimplementedSubscriptionsServiceServer
	blogv1.UnimplementedQueryServiceServer

	features Features
	defect   defect
	policy   rules.Policy
	db       map[string]*store.DB // by the service's name
	later    sync.WaitGroup       // what is decided after the answer
	stopping chan struct{}
}

// startReference starts the reference and returns how to reach it. It stops with the test.
func startReference(t *testing.T, features Features, d defect) Target {
	r := &reference{
		features: features, defect: d, policy: rules.NewPolicy(rules.DefaultBlockedWords),
		db: map[string]*store.DB{}, stopping: make(chan struct{}),
	}
	schemas := map[string]string{
		"posts": store.PostsSchema, "comments": store.CommentsSchema, "moderation": store.VerdictsSchema,
		"subscriptions": store.SubscriptionsSchema, "query": "",
	}
	target := Target{Addresses: map[string]string{}, Features: features}
	for name, schema := range schemas {
		target.Addresses[name] = r.serve(t, name, schema)
	}
	t.Cleanup(func() {
		close(r.stopping)
		r.later.Wait()
		for _, db := range r.db {
			require.NoError(t, db.Close())
		}
	})
	return target
}

func (r *reference) serve(t *testing.T, name, schema string) string {
	address := make(addressLog, 1)
	flags := service.NewFlags(name, "127.0.0.1:0")
	log, err := flags.Parse([]string{"--data", t.TempDir()}, address)
	require.NoError(t, err)
	r.db[name], err = flags.OpenStore(t.Context(), nil, schema)
	require.NoError(t, err)
	server, err := service.NewServer(flags, log)
	require.NoError(t, err)
	switch name {
	case "posts":
		blogv1.RegisterPostsServiceServer(server, r)
	case "comments":
		blogv1.RegisterCommentsServiceServer(server, r)
	case "moderation":
		blogv1.RegisterModerationServiceServer(server, r)
	case "subscriptions":
		blogv1.RegisterSubscriptionsServiceServer(server, r)
	case "query":
		blogv1.RegisterQueryServiceServer(server, r)
	}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-stopped)
	})
	return <-address
}

// addressLog takes the address out of the log line that says where a server serves.
type addressLog chan string

func (a addressLog) Write(line []byte) (int, error) {
	var entry struct{ Msg, Address string }
	if err := json.Unmarshal(line, &entry); err != nil {
		return 0, err
	}
	if entry.Msg == "serving" {
		a <- entry.Address
	}
	return len(line), nil
}

// once is store.Once, unless the reference forgets requests.
func once[M any, R store.Response[M]](
	ctx context.Context, r *reference, name, requestID string, fn func(*store.Tx) (R, error),
) (reply R, err error) {
	if r.defect != forgetsRequests {
		return store.Once[M, R](ctx, r.db[name], requestID, fn)
	}
	err = r.db[name].Write(ctx, func(tx *store.Tx) error {
		reply, err = fn(tx)
		return err
	})
	return reply, err
}

func (r *reference) CreatePost(ctx context.Context, req *blogv1.CreatePostRequest) (*blogv1.CreatePostResponse, error) {
	err := rules.CheckCreatePost(req)
	if r.defect == takesLongTitles && len(req.GetTitle()) == rules.MaxTitle+1 {
		err = nil
	}
	if err != nil && r.defect != storesBadInput {
		return nil, err
	}
	reply, stored := once(ctx, r, "posts", req.GetRequestId(), func(tx *store.Tx) (*blogv1.CreatePostResponse, error) {
		p := rules.NewPost(req)
		if r.defect == forgetsRequests {
			p.Id = newID()
		}
		return &blogv1.CreatePostResponse{Post: p}, store.InsertPost(tx, p)
	})
	return reply, errors.Join(err, stored)
}

func (r *reference) GetPost(ctx context.Context, req *blogv1.GetPostRequest) (*blogv1.GetPostResponse, error) {
	if err := rules.CheckGetPost(req); err != nil {
		return nil, err
	}
	p, err := store.GetPost(ctx, r.db["posts"], req.GetId())
	return &blogv1.GetPostResponse{Post: p}, err
}

func (r *reference) UpdatePost(ctx context.Context, req *blogv1.UpdatePostRequest) (*blogv1.UpdatePostResponse, error) {
	if err := rules.CheckUpdatePost(req); err != nil {
		return nil, err
	}
	return once(ctx, r, "posts", req.GetRequestId(), func(tx *store.Tx) (*blogv1.UpdatePostResponse, error) {
		p, err := store.UpdatePost(tx, req.GetId(), req.GetTitle(), req.GetBody())
		return &blogv1.UpdatePostResponse{Post: p}, err
	})
}

func (r *reference) DeletePost(ctx context.Context, req *blogv1.DeletePostRequest) (*blogv1.DeletePostResponse, error) {
	if err := rules.CheckDeletePost(req); err != nil {
		return nil, err
	}
	reply, err := once(ctx, r, "posts", req.GetRequestId(), func(tx *store.Tx) (*blogv1.DeletePostResponse, error) {
		_, err := store.DeletePost(tx, req.GetId())
		return &blogv1.DeletePostResponse{}, err
	})
	if err != nil || r.defect == keepsComments {
		return reply, err
	}
	return reply, r.do(func() error {
		return r.db["comments"].Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
			return store.CloseComments(tx, req.GetId())
		})
	})
}

// do does the rest of a write: before the answer if the stack promises ReadYourWrites, otherwise a little later.
func (r *reference) do(rest func() error) error {
	if r.features.ReadYourWrites {
		return rest()
	}
	r.afterwards(20*time.Millisecond, rest)
	return nil
}

func (r *reference) afterwards(delay time.Duration, do func() error) {
	r.later.Go(func() {
		select {
		case <-time.After(delay):
			if err := do(); err != nil {
				panic(err)
			}
		case <-r.stopping:
		}
	})
}

func (r *reference) ListPosts(ctx context.Context, req *blogv1.ListPostsRequest) (*blogv1.ListPostsResponse, error) {
	if err := rules.CheckListPosts(req); err != nil {
		return nil, err
	}
	posts, next, err := store.ListPosts(ctx, r.db["posts"], req.GetAuthor(), store.Page{Size: req.GetPageSize(), Token: req.GetPageToken()})
	if r.defect == doublesLastEntry && next != "" {
		c, _ := rules.ParseCursor(next)
		next = rules.Cursor{Micros: c.Micros + 1, ID: c.ID}.Token()
	}
	return &blogv1.ListPostsResponse{Posts: posts, NextPageToken: next}, err
}

func (r *reference) CreateComment(
	ctx context.Context, req *blogv1.CreateCommentRequest,
) (*blogv1.CreateCommentResponse, error) {
	if err := rules.CheckCreateComment(req); err != nil {
		return nil, err
	}
	c := rules.NewComment(req)
	if r.features.FinalStatusAtOnce {
		if _, err := store.GetPost(ctx, r.db["posts"], req.GetPostId()); err != nil {
			return nil, err
		}
		v, err := r.keepVerdict(ctx, c)
		if err != nil {
			return nil, err
		}
		c.Status, c.Reason = store.Decision(v.GetApproved()), v.GetReason()
	}
	reply, err := once(ctx, r, "comments", req.GetRequestId(), func(tx *store.Tx) (*blogv1.CreateCommentResponse, error) {
		return &blogv1.CreateCommentResponse{Comment: c}, store.InsertComment(tx, c)
	})
	if err == nil && !r.features.FinalStatusAtOnce {
		r.afterwards(10*time.Millisecond, func() error { return r.decide(c) })
	}
	return reply, err
}

func (r *reference) keepVerdict(ctx context.Context, c *blogv1.Comment) (v *blogv1.Verdict, err error) {
	err = r.db["moderation"].Write(ctx, func(tx *store.Tx) error {
		v, _, err = store.InsertVerdict(tx, r.policy.Review(c.GetId(), c.GetBody()))
		return err
	})
	return v, err
}

// decide is what events bring about in async: the verdict, or the end of the wait for the post.
func (r *reference) decide(c *blogv1.Comment) error {
	ctx := context.Background()
	v, err := r.keepVerdict(ctx, c)
	if err != nil {
		return err
	}
	deadline := c.GetCreateTime().AsTime().Add(r.features.UnknownPostAfter)
	_, err = store.GetPost(ctx, r.db["posts"], c.GetPostId())
	if problem.KindOf(err) == problem.NotFound && time.Now().Before(deadline) {
		r.afterwards(10*time.Millisecond, func() error { return r.decide(c) })
		return nil
	}
	if err != nil {
		v.Approved, v.Reason = false, rules.ReasonUnknownPost
	}
	return r.db["comments"].Write(ctx, func(tx *store.Tx) error {
		_, _, err := store.DecideComment(tx, c.GetId(), v.GetApproved(), v.GetReason())
		return err
	})
}

func (r *reference) GetComment(ctx context.Context, req *blogv1.GetCommentRequest) (*blogv1.GetCommentResponse, error) {
	if err := rules.CheckGetComment(req); err != nil {
		return nil, err
	}
	c, err := store.GetComment(ctx, r.db["comments"], req.GetId())
	return &blogv1.GetCommentResponse{Comment: c}, err
}

func (r *reference) ListComments(ctx context.Context, req *blogv1.ListCommentsRequest) (*blogv1.ListCommentsResponse, error) {
	if err := rules.CheckListComments(req); err != nil {
		return nil, err
	}
	l, err := store.ListComments(ctx, r.db["comments"], req.GetPostId(), req.GetStatus(),
		store.Page{Size: req.GetPageSize(), Token: req.GetPageToken()})
	return &blogv1.ListCommentsResponse{Comments: l.Comments, NextPageToken: l.Next, TotalSize: l.Total}, err
}

func (r *reference) ReviewComment(
	ctx context.Context, req *blogv1.ReviewCommentRequest,
) (*blogv1.ReviewCommentResponse, error) {
	if err := rules.CheckReviewComment(req); err != nil {
		return nil, err
	}
	policy := r.policy
	if r.defect == blocksPrefixes {
		policy = rules.NewPolicy("orange,oranges,orangey")
	}
	return once(ctx, r, "moderation", req.GetRequestId(), func(tx *store.Tx) (*blogv1.ReviewCommentResponse, error) {
		v, _, err := store.InsertVerdict(tx, policy.Review(req.GetCommentId(), req.GetBody()))
		return &blogv1.ReviewCommentResponse{Verdict: v}, err
	})
}

func (r *reference) GetVerdict(ctx context.Context, req *blogv1.GetVerdictRequest) (*blogv1.GetVerdictResponse, error) {
	if err := rules.CheckGetVerdict(req); err != nil {
		return nil, err
	}
	v, err := store.GetVerdict(ctx, r.db["moderation"], req.GetCommentId())
	return &blogv1.GetVerdictResponse{Verdict: v}, err
}

func (r *reference) Subscribe(ctx context.Context, req *blogv1.SubscribeRequest) (*blogv1.SubscribeResponse, error) {
	if err := rules.CheckSubscribe(req); err != nil {
		return nil, err
	}
	return once(ctx, r, "subscriptions", req.GetRequestId(), func(tx *store.Tx) (*blogv1.SubscribeResponse, error) {
		s, changed, err := store.Subscribe(tx, req.GetAuthor(), req.GetFollower())
		if r.defect == countsTwice && !changed && err == nil {
			s, err = store.CountSubscribers(tx, req.GetAuthor(), 1)
		}
		return &blogv1.SubscribeResponse{SubscriberCount: s.Subscribers, Version: s.Version}, err
	})
}

func (r *reference) Unsubscribe(ctx context.Context, req *blogv1.UnsubscribeRequest) (*blogv1.UnsubscribeResponse, error) {
	if err := rules.CheckUnsubscribe(req); err != nil {
		return nil, err
	}
	return once(ctx, r, "subscriptions", req.GetRequestId(), func(tx *store.Tx) (*blogv1.UnsubscribeResponse, error) {
		s, _, err := store.Unsubscribe(tx, req.GetAuthor(), req.GetFollower())
		return &blogv1.UnsubscribeResponse{SubscriberCount: s.Subscribers, Version: s.Version}, err
	})
}

func (r *reference) GetSubscriberCount(
	ctx context.Context, req *blogv1.GetSubscriberCountRequest,
) (*blogv1.GetSubscriberCountResponse, error) {
	if err := rules.CheckGetSubscriberCount(req); err != nil {
		return nil, err
	}
	s, err := store.GetStanding(ctx, r.db["subscriptions"], req.GetAuthor())
	return &blogv1.GetSubscriberCountResponse{SubscriberCount: s.Subscribers}, err
}

func (r *reference) GetPostPage(ctx context.Context, req *blogv1.GetPostPageRequest) (*blogv1.GetPostPageResponse, error) {
	if err := rules.CheckGetPostPage(req); err != nil {
		return nil, err
	}
	p, err := store.GetPost(ctx, r.db["posts"], req.GetPostId())
	if err != nil {
		return nil, err
	}
	status := approved
	if r.defect == showsRejected {
		status = blogv1.CommentStatus_COMMENT_STATUS_UNSPECIFIED
	}
	l, err := store.ListComments(ctx, r.db["comments"], p.GetId(), status, store.Page{Size: req.GetPageSize(), Token: req.GetPageToken()})
	if err != nil {
		return nil, err
	}
	s, err := store.GetStanding(ctx, r.db["subscriptions"], p.GetAuthor())
	return &blogv1.GetPostPageResponse{
		Post: p, Comments: l.Comments, NextPageToken: l.Next, CommentCount: l.Total, SubscriberCount: s.Subscribers,
	}, err
}

func (r *reference) ListFeed(ctx context.Context, req *blogv1.ListFeedRequest) (*blogv1.ListFeedResponse, error) {
	if err := rules.CheckListFeed(req); err != nil {
		return nil, err
	}
	posts, next, err := store.ListPosts(ctx, r.db["posts"], "", store.Page{Size: req.GetPageSize(), Token: req.GetPageToken()})
	if err != nil {
		return nil, err
	}
	feed := &blogv1.ListFeedResponse{NextPageToken: next}
	for _, p := range posts {
		s, err := store.GetStanding(ctx, r.db["subscriptions"], p.GetAuthor())
		if err != nil {
			return nil, err
		}
		n, err := store.CountApproved(ctx, r.db["comments"], p.GetId())
		if err != nil {
			return nil, err
		}
		feed.Entries = append(feed.Entries, &blogv1.FeedEntry{Post: p, CommentCount: n, SubscriberCount: s.Subscribers})
	}
	return feed, nil
}

func (r *reference) GetAuthorPage(
	ctx context.Context, req *blogv1.GetAuthorPageRequest,
) (*blogv1.GetAuthorPageResponse, error) {
	if err := rules.CheckGetAuthorPage(req); err != nil {
		return nil, err
	}
	posts, next, err := store.ListPosts(ctx, r.db["posts"], req.GetAuthor(), store.Page{Size: req.GetPageSize(), Token: req.GetPageToken()})
	if err != nil {
		return nil, err
	}
	s, err := store.GetStanding(ctx, r.db["subscriptions"], req.GetAuthor())
	return &blogv1.GetAuthorPageResponse{Posts: posts, NextPageToken: next, SubscriberCount: s.Subscribers}, err
}
