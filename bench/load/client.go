package load

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"tandem/bench/history"
	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/mutant"
	"tandem/shared/service"
)

// Services are the names by which the addresses of a stack are known.
func Services() []string {
	return []string{"posts", "comments", "moderation", "subscriptions", "query"}
}

// ClientConfig says whom a client talks to, about what.
type ClientConfig struct {
	Addresses map[string]string // host:port of each of Services
	World     *World
	Clock     Clock
	Deadline  time.Duration // of each operation of the load, from its intended time
	// Retries is how often a write of the load that ends UNAVAILABLE is sent again, as the same request, within its deadline.
	Retries int
	// WaitForPosition has each client of the load ask query for pages that show what this client has written, as far as the stack
	// tells where that is.
	WaitForPosition bool
	// OnSend hears of each operation of the load just before it is sent, from many goroutines; nil for none.
	OnSend func(*history.Operation)
}

// Client performs operations and records what became of each. It may be used from many goroutines. The ids of what exists
// before the load it learns in Preload, so the same client must do both.
type Client struct {
	cfg         ClientConfig
	connections []*grpc.ClientConn

	posts         blogv1.PostsServiceClient
	comments      blogv1.CommentsServiceClient
	moderation    blogv1.ModerationServiceClient
	subscriptions blogv1.SubscriptionsServiceClient
	query         blogv1.QueryServiceClient

	postIDs    []string // by index in the world; "" until stored
	commentIDs []string
	calls      map[string]call
	sessions   sessions
}

// call performs one operation whose aggregate is described already, and notes what the reply says.
type call func(ctx context.Context, p *Planned, o *history.Operation) error

// NewClient prepares one connection per service; nothing is sent yet. Close it.
func NewClient(cfg ClientConfig) (*Client, error) {
	c := &Client{
		cfg: cfg, postIDs: make([]string, len(cfg.World.Posts)), commentIDs: make([]string, len(cfg.World.Comments)),
		sessions: sessions{all: map[int]*session{}},
	}
	options := service.DialOptions()
	if cfg.WaitForPosition {
		options = append(options, grpc.WithUnaryInterceptor(keepPositions))
	}
	to := map[string]*grpc.ClientConn{}
	for _, name := range Services() {
		address := cfg.Addresses[name]
		if address == "" {
			return nil, errors.Join(fmt.Errorf("no address of %s: give one for each of %s", name, strings.Join(Services(), ", ")), c.Close())
		}
		conn, err := grpc.NewClient(address, options...)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("connect to %s at %s: %w", name, address, err), c.Close())
		}
		c.connections, to[name] = append(c.connections, conn), conn
	}
	c.posts = blogv1.NewPostsServiceClient(to["posts"])
	c.comments = blogv1.NewCommentsServiceClient(to["comments"])
	c.moderation = blogv1.NewModerationServiceClient(to["moderation"])
	c.subscriptions = blogv1.NewSubscriptionsServiceClient(to["subscriptions"])
	c.query = blogv1.NewQueryServiceClient(to["query"])
	c.calls = c.allCalls()
	return c, nil
}

// Close closes the connections.
func (c *Client) Close() error {
	var errs []error
	for _, conn := range c.connections {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

// Do performs an operation of the load and returns what became of it. The deadline counts from its intended time, so an
// operation that is sent late has less time left, and one whose time is over is not sent at all.
func (c *Client) Do(ctx context.Context, p *Planned, due Due) *history.Operation {
	o := c.describe(p, history.PhaseLoad, due)
	deadline := due.Intended + c.cfg.Deadline
	o.Sent = c.cfg.Clock.Now()
	if o.Sent >= deadline {
		return c.notSent(o, codeDeadlineExceeded)
	}
	if c.cfg.OnSend != nil {
		c.cfg.OnSend(o)
	}
	ctx, cancel := context.WithDeadline(ctx, c.cfg.Clock.At(deadline))
	defer cancel()
	ctx = c.visits(ctx, o)
	for pause := firstRetry; ; pause = min(2*pause, longestRetry) {
		_ = c.attempt(ctx, p, o) // the operation says it too
		if !c.mayRetry(o) || o.Completed+pause >= deadline {
			return o
		}
		sleep(ctx, pause)
		if mutant.On(mutant.NewRequestID) {
			p = as(p, uuid.NewString())
		}
	}
}

// The pause before a write is sent again is doubled each time. It is short beside what a killed service needs to come back.
const (
	firstRetry   = 20 * time.Millisecond
	longestRetry = 200 * time.Millisecond
)

// as returns the same operation as another request.
func as(p *Planned, requestID string) *Planned {
	other := *p
	other.RequestID = requestID
	return &other
}

// mayRetry tells whether an attempt may be followed by another: UNAVAILABLE says that the next may do better.
func (c *Client) mayRetry(o *history.Operation) bool {
	return o.IsWrite() && o.Code == codeUnavailable && o.Attempts <= c.cfg.Retries
}

// Drop records an operation that the generator could not send.
func (c *Client) Drop(p *Planned, due Due) *history.Operation {
	return c.notSent(c.describe(p, history.PhaseLoad, due), CodeDropped)
}

func (c *Client) notSent(o *history.Operation, code string) *history.Operation {
	o.Sent, o.Completed, o.Outcome, o.Code = 0, c.cfg.Clock.Now(), history.Fail, code
	return o
}

// attempt performs an operation once and records it.
func (c *Client) attempt(ctx context.Context, p *Planned, o *history.Operation) error {
	o.Attempts++
	err := c.calls[p.Op](ctx, p, o)
	o.Completed = c.cfg.Clock.Now()
	o.Code = codeOf(err)
	o.Outcome = outcomeOf(p.Op, err)
	return err
}

// describe says what an operation is about, as far as that is known before its reply.
func (c *Client) describe(p *Planned, phase history.Phase, due Due) *history.Operation {
	o := &history.Operation{
		Index: p.Index, Phase: phase, Op: p.Op, RequestID: p.RequestID, Ref: p.Ref, Client: p.Client,
		Intended: due.Intended, Woken: due.Woken, Author: p.Author, Follower: p.Follower, Blocked: p.Blocked,
	}
	if p.Body != "" {
		o.Text = history.TextDigest(p.Title, p.Body)
	}
	switch p.Op {
	case CreatePost:
		o.Aggregate = history.Post
	case GetPost, UpdatePost, DeletePost, GetPostPage, ListComments:
		o.Aggregate, o.ID = history.Post, c.postIDs[p.Post]
	case CreateComment:
		o.Aggregate, o.PostID = history.Comment, c.postIDs[p.Post]
	case GetComment, GetVerdict:
		o.Aggregate, o.ID = history.Comment, c.commentIDs[p.Comment]
	case Subscribe, Unsubscribe, GetSubscriberCount, GetAuthorPage:
		o.Aggregate, o.ID = history.Author, p.Author
	}
	return o
}

func (c *Client) allCalls() map[string]call {
	return map[string]call{
		CreatePost: c.createPost, UpdatePost: c.updatePost, DeletePost: c.deletePost, CreateComment: c.createComment,
		Subscribe: c.subscribe, Unsubscribe: c.unsubscribe,
		GetPost: func(ctx context.Context, _ *Planned, o *history.Operation) error {
			reply, err := c.posts.GetPost(ctx, &blogv1.GetPostRequest{Id: o.ID})
			o.Version = reply.GetPost().GetVersion()
			return err
		},
		ListPosts: func(ctx context.Context, _ *Planned, _ *history.Operation) error {
			_, err := c.posts.ListPosts(ctx, &blogv1.ListPostsRequest{PageSize: postsPerPage})
			return err
		},
		GetComment: func(ctx context.Context, _ *Planned, o *history.Operation) error {
			reply, err := c.comments.GetComment(ctx, &blogv1.GetCommentRequest{Id: o.ID})
			if err == nil {
				o.Version, o.Status = reply.GetComment().GetVersion(), statusName(reply.GetComment().GetStatus())
			}
			return err
		},
		ListComments: func(ctx context.Context, _ *Planned, o *history.Operation) error {
			_, err := c.comments.ListComments(ctx, &blogv1.ListCommentsRequest{PostId: o.ID, PageSize: commentsPerPage})
			return err
		},
		GetVerdict: func(ctx context.Context, _ *Planned, o *history.Operation) error {
			_, err := c.moderation.GetVerdict(ctx, &blogv1.GetVerdictRequest{CommentId: o.ID})
			return err
		},
		GetSubscriberCount: func(ctx context.Context, _ *Planned, o *history.Operation) error {
			_, err := c.subscriptions.GetSubscriberCount(ctx, &blogv1.GetSubscriberCountRequest{Author: o.ID})
			return err
		},
		GetPostPage: func(ctx context.Context, _ *Planned, o *history.Operation) error {
			reply, err := c.query.GetPostPage(ctx, &blogv1.GetPostPageRequest{PostId: o.ID, PageSize: commentsPerPage})
			o.Version, o.Degraded = reply.GetPost().GetVersion(), len(reply.GetDegradedFields()) > 0
			return err
		},
		ListFeed: func(ctx context.Context, _ *Planned, o *history.Operation) error {
			reply, err := c.query.ListFeed(ctx, &blogv1.ListFeedRequest{PageSize: postsPerPage})
			o.Degraded = len(reply.GetDegradedFields()) > 0
			return err
		},
		GetAuthorPage: func(ctx context.Context, _ *Planned, o *history.Operation) error {
			reply, err := c.query.GetAuthorPage(ctx, &blogv1.GetAuthorPageRequest{Author: o.ID, PageSize: postsPerPage})
			o.Degraded = len(reply.GetDegradedFields()) > 0
			return err
		},
	}
}

func (c *Client) createPost(ctx context.Context, p *Planned, o *history.Operation) error {
	reply, err := c.posts.CreatePost(ctx, &blogv1.CreatePostRequest{
		RequestId: p.RequestID, Author: p.Author, Title: p.Title, Body: p.Body,
	})
	o.ID, o.Version = reply.GetPost().GetId(), reply.GetPost().GetVersion()
	return err
}

func (c *Client) updatePost(ctx context.Context, p *Planned, o *history.Operation) error {
	reply, err := c.posts.UpdatePost(ctx, &blogv1.UpdatePostRequest{
		RequestId: p.RequestID, Id: o.ID, Title: p.Title, Body: p.Body,
	})
	o.Version = reply.GetPost().GetVersion()
	return err
}

func (c *Client) deletePost(ctx context.Context, p *Planned, o *history.Operation) error {
	_, err := c.posts.DeletePost(ctx, &blogv1.DeletePostRequest{RequestId: p.RequestID, Id: o.ID})
	return err
}

func (c *Client) createComment(ctx context.Context, p *Planned, o *history.Operation) error {
	reply, err := c.comments.CreateComment(ctx, &blogv1.CreateCommentRequest{
		RequestId: p.RequestID, PostId: o.PostID, Author: p.Author, Body: p.Body,
	})
	if err == nil {
		o.ID, o.Version = reply.GetComment().GetId(), reply.GetComment().GetVersion()
		o.Status, o.Degraded = statusName(reply.GetComment().GetStatus()), reply.GetDegraded()
	}
	return err
}

func (c *Client) subscribe(ctx context.Context, p *Planned, o *history.Operation) error {
	reply, err := c.subscriptions.Subscribe(ctx, &blogv1.SubscribeRequest{
		RequestId: p.RequestID, Author: p.Author, Follower: p.Follower,
	})
	o.Version = reply.GetVersion()
	return err
}

func (c *Client) unsubscribe(ctx context.Context, p *Planned, o *history.Operation) error {
	reply, err := c.subscriptions.Unsubscribe(ctx, &blogv1.UnsubscribeRequest{
		RequestId: p.RequestID, Author: p.Author, Follower: p.Follower,
	})
	o.Version = reply.GetVersion()
	return err
}

// statusName is a comment's status as histories write it, for example "PENDING".
func statusName(s blogv1.CommentStatus) string {
	return strings.TrimPrefix(s.String(), "COMMENT_STATUS_")
}
