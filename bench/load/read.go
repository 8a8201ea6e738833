package load

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/rules"
)

// patience is how long a read is tried again while a service does not answer. once is none.
type patience time.Duration

const (
	once        patience = 0
	observation          = patience(10 * time.Second)
)

// readDeadline is for one attempt of a read outside the load.
const readDeadline = 2 * time.Second

// read performs a read until it is answered, refused, or patience is over. A page with parts missing is no answer.
func read[Q, R any](ctx context.Context, p patience, rpc func(context.Context, Q) (R, error), req Q) (R, error) {
	giveUp := time.Now().Add(time.Duration(p))
	for {
		reply, err := readOnce(ctx, rpc, req)
		if err == nil || isRefusal(err) || ctx.Err() != nil {
			return reply, err
		}
		if !time.Now().Before(giveUp) {
			return reply, fmt.Errorf("no answer within %v; see the log of the service: %w", time.Duration(p), err)
		}
		sleep(ctx, 50*time.Millisecond)
	}
}

func readOnce[Q, R any](ctx context.Context, rpc func(context.Context, Q) (R, error), req Q) (R, error) {
	ctx, cancel := context.WithTimeout(ctx, readDeadline)
	defer cancel()
	reply, err := rpc(ctx, req)
	if err != nil {
		return reply, err
	}
	if page, ok := any(reply).(interface{ GetDegradedFields() []string }); ok && len(page.GetDegradedFields()) > 0 {
		return reply, status.Errorf(codes.Unavailable, "the page lacks %s", strings.Join(page.GetDegradedFields(), ", "))
	}
	return reply, nil
}

// isRefusal tells whether asking again would get the same answer.
func isRefusal(err error) bool {
	switch status.Code(err) {
	case codes.NotFound, codes.InvalidArgument, codes.Unimplemented:
		return true
	}
	return false
}

// walk reads a list page by page. page reads the one with a token and returns the token of the next, "" to stop.
func walk(page func(token string) (next string, err error)) error {
	for token := ""; ; {
		next, err := page(token)
		if err != nil || next == "" {
			return err
		}
		token = next
	}
}

// walkPostPage reads all comments of a post's page until visit returns false, and returns the first page.
func (c *Client) walkPostPage(ctx context.Context, postID string, p patience, visit func(*blogv1.Comment) bool,
) (first *blogv1.GetPostPageResponse, err error) {
	err = walk(func(token string) (string, error) {
		page, err := read(ctx, p, c.getPostPage, &blogv1.GetPostPageRequest{PostId: postID, PageSize: rules.MaxPage, PageToken: token})
		if err != nil {
			return "", fmt.Errorf("get the page of post %s: %w", postID, err)
		}
		if first == nil {
			first = page
		}
		return visitAll(page.GetComments(), page.GetNextPageToken(), visit), nil
	})
	return first, err
}

// walkComments reads all comments of a post from their owner, of any status, until visit returns false.
func (c *Client) walkComments(ctx context.Context, postID string, p patience, visit func(*blogv1.Comment) bool) error {
	return walk(func(token string) (string, error) {
		list, err := read(ctx, p, c.listComments, &blogv1.ListCommentsRequest{PostId: postID, PageSize: rules.MaxPage, PageToken: token})
		if err != nil {
			return "", fmt.Errorf("list the comments of post %s: %w", postID, err)
		}
		return visitAll(list.GetComments(), list.GetNextPageToken(), visit), nil
	})
}

// walkPosts reads the posts of an author, or of all if author is empty, from their owner, newest first, until visit returns
// false for each of a whole page.
func (c *Client) walkPosts(ctx context.Context, author string, p patience, visit func(*blogv1.Post) bool) error {
	return walk(func(token string) (string, error) {
		list, err := read(ctx, p, c.listPosts, &blogv1.ListPostsRequest{Author: author, PageSize: rules.MaxPage, PageToken: token})
		if err != nil {
			return "", fmt.Errorf("list posts: %w", err)
		}
		return visitPage(list.GetPosts(), list.GetNextPageToken(), visit), nil
	})
}

// walkFeed reads the feed, newest first, until visit returns false for each of a whole page.
func (c *Client) walkFeed(ctx context.Context, p patience, visit func(*blogv1.FeedEntry) bool) error {
	return walk(func(token string) (string, error) {
		feed, err := read(ctx, p, c.listFeed, &blogv1.ListFeedRequest{PageSize: rules.MaxPage, PageToken: token})
		if err != nil {
			return "", fmt.Errorf("list the feed: %w", err)
		}
		return visitPage(feed.GetEntries(), feed.GetNextPageToken(), visit), nil
	})
}

// walkAuthorPage reads all posts of an author's page, and returns the first page.
func (c *Client) walkAuthorPage(ctx context.Context, author string, p patience, visit func(*blogv1.Post) bool,
) (first *blogv1.GetAuthorPageResponse, err error) {
	err = walk(func(token string) (string, error) {
		page, err := read(ctx, p, c.getAuthorPage, &blogv1.GetAuthorPageRequest{Author: author, PageSize: rules.MaxPage, PageToken: token})
		if err != nil {
			return "", fmt.Errorf("get the page of %s: %w", author, err)
		}
		if first == nil {
			first = page
		}
		return visitAll(page.GetPosts(), page.GetNextPageToken(), visit), nil
	})
	return first, err
}

// visitAll visits entries and returns next, or "" once visit has returned false.
func visitAll[T any](entries []T, next string, visit func(T) bool) string {
	for _, entry := range entries {
		if !visit(entry) {
			return ""
		}
	}
	return next
}

// visitPage visits all entries and returns next, or "" if visit returned false for each.
func visitPage[T any](entries []T, next string, visit func(T) bool) string {
	wanted := false
	for _, entry := range entries {
		wanted = visit(entry) || wanted
	}
	if !wanted {
		return ""
	}
	return next
}

// The stubs in the form that read takes: without call options.

func (c *Client) getPost(ctx context.Context, r *blogv1.GetPostRequest) (*blogv1.GetPostResponse, error) {
	return c.posts.GetPost(ctx, r)
}

func (c *Client) listPosts(ctx context.Context, r *blogv1.ListPostsRequest) (*blogv1.ListPostsResponse, error) {
	return c.posts.ListPosts(ctx, r)
}

func (c *Client) listComments(ctx context.Context, r *blogv1.ListCommentsRequest) (*blogv1.ListCommentsResponse, error) {
	return c.comments.ListComments(ctx, r)
}

func (c *Client) getVerdict(ctx context.Context, r *blogv1.GetVerdictRequest) (*blogv1.GetVerdictResponse, error) {
	return c.moderation.GetVerdict(ctx, r)
}

func (c *Client) getSubscriberCount(ctx context.Context, r *blogv1.GetSubscriberCountRequest,
) (*blogv1.GetSubscriberCountResponse, error) {
	return c.subscriptions.GetSubscriberCount(ctx, r)
}

func (c *Client) getPostPage(ctx context.Context, r *blogv1.GetPostPageRequest) (*blogv1.GetPostPageResponse, error) {
	return c.query.GetPostPage(ctx, r)
}

func (c *Client) listFeed(ctx context.Context, r *blogv1.ListFeedRequest) (*blogv1.ListFeedResponse, error) {
	return c.query.ListFeed(ctx, r)
}

func (c *Client) getAuthorPage(ctx context.Context, r *blogv1.GetAuthorPageRequest) (*blogv1.GetAuthorPageResponse, error) {
	return c.query.GetAuthorPage(ctx, r)
}
