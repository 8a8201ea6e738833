package main

import (
	"context"

	"golang.org/x/sync/errgroup"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/rules"
	"tandem/shared/store"
	"tandem/sync/internal/peer"
)

// mostAtOnce are the calls of one feed that are under way at the same time: all that a page of the default size needs, and few enough
// for some of the largest pages to share the bulkhead of one callee.
const mostAtOnce = 64

type server struct {
	blogv1.UnimplementedQueryServiceServer

	level         peer.Level
	posts         *peer.Callee[blogv1.PostsServiceClient]
	comments      *peer.Callee[blogv1.CommentsServiceClient]
	subscriptions *peer.Callee[blogv1.SubscriptionsServiceClient]
}

// GetPostPage needs the post. At the level fallback it does without the rest, and says so.
func (s *server) GetPostPage(ctx context.Context, req *blogv1.GetPostPageRequest) (*blogv1.GetPostPageResponse, error) {
	if err := rules.CheckGetPostPage(req); err != nil {
		return nil, err
	}
	page, gaps := &blogv1.GetPostPageResponse{}, peer.NewGaps(s.level)
	calls, ctx := errgroup.WithContext(ctx)
	calls.Go(func() (err error) {
		if page.Post, err = s.post(ctx, req.GetPostId()); err != nil {
			return err
		}
		page.SubscriberCount, err = s.subscriberCount(ctx, page.GetPost().GetAuthor())
		return gaps.Allow(err, "subscriber_count")
	})
	calls.Go(func() error {
		list, err := s.approvedComments(ctx, req.GetPostId(), store.Page{Size: req.GetPageSize(), Token: req.GetPageToken()})
		page.Comments, page.NextPageToken, page.CommentCount = list.GetComments(), list.GetNextPageToken(), list.GetTotalSize()
		return gaps.Allow(err, "comments", "next_page_token", "comment_count")
	})
	err := calls.Wait()
	page.DegradedFields = gaps.Fields()
	return page, err
}

// ListFeed needs the posts. At the level fallback it does without their counts, and says so.
func (s *server) ListFeed(ctx context.Context, req *blogv1.ListFeedRequest) (*blogv1.ListFeedResponse, error) {
	if err := rules.CheckListFeed(req); err != nil {
		return nil, err
	}
	posts, next, err := s.listPosts(ctx, "", store.Page{Size: req.GetPageSize(), Token: req.GetPageToken()})
	if err != nil {
		return nil, err
	}
	feed, gaps := &blogv1.ListFeedResponse{NextPageToken: next}, peer.NewGaps(s.level)
	calls, ctx := errgroup.WithContext(ctx)
	calls.SetLimit(mostAtOnce)
	for _, post := range posts {
		entry := &blogv1.FeedEntry{Post: post}
		feed.Entries = append(feed.Entries, entry)
		calls.Go(func() (err error) {
			entry.CommentCount, err = s.commentCount(ctx, post.GetId())
			return gaps.Allow(err, "entries.comment_count")
		})
		calls.Go(func() (err error) {
			entry.SubscriberCount, err = s.subscriberCount(ctx, post.GetAuthor())
			return gaps.Allow(err, "entries.subscriber_count")
		})
	}
	err = calls.Wait()
	feed.DegradedFields = gaps.Fields()
	return feed, err
}

// GetAuthorPage needs the posts. At the level fallback it does without the subscriber count, and says so.
func (s *server) GetAuthorPage(ctx context.Context, req *blogv1.GetAuthorPageRequest) (*blogv1.GetAuthorPageResponse, error) {
	if err := rules.CheckGetAuthorPage(req); err != nil {
		return nil, err
	}
	page, gaps := &blogv1.GetAuthorPageResponse{}, peer.NewGaps(s.level)
	calls, ctx := errgroup.WithContext(ctx)
	calls.Go(func() (err error) {
		page.Posts, page.NextPageToken, err = s.listPosts(ctx, req.GetAuthor(),
			store.Page{Size: req.GetPageSize(), Token: req.GetPageToken()})
		return err
	})
	calls.Go(func() (err error) {
		page.SubscriberCount, err = s.subscriberCount(ctx, req.GetAuthor())
		return gaps.Allow(err, "subscriber_count")
	})
	err := calls.Wait()
	page.DegradedFields = gaps.Fields()
	return page, err
}
