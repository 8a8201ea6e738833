package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	blogv1 "tandem/proto/blog/v1"
)

func (s *suite) queryChecks() map[string][]check {
	return map[string][]check{
		"GetPostPage": {
			{"holds_post_comments_and_counts", s.postPageIsWhole},
			{"unknown_is_NOT_FOUND", s.postPageUnknown},
		},
		"ListFeed":      {{"newest_first_with_counts", s.feedNewestFirst}},
		"GetAuthorPage": {{"holds_posts_and_count", s.authorPageIsWhole}, {"nothing_written_is_an_empty_page", s.authorPageEmpty}},
	}
}

// feedEntry looks for a post in the feed, down to the posts that are older, and returns nil if it is not there.
func (s *suite) feedEntry(t require.TestingT, p *blogv1.Post) *blogv1.FeedEntry {
	request := &blogv1.ListFeedRequest{PageSize: 100}
	for {
		feed := must(t, s.query.ListFeed, request)
		for _, e := range feed.GetEntries() {
			if e.GetPost().GetId() == p.GetId() {
				return e
			}
			if e.GetPost().GetCreateTime().AsTime().Before(p.GetCreateTime().AsTime()) {
				return nil
			}
		}
		if request.PageToken = feed.GetNextPageToken(); request.PageToken == "" {
			return nil
		}
	}
}

func (s *suite) postPageIsWhole(t *testing.T) {
	p := s.newPost(t)
	s.follow(t, p.GetAuthor(), newName())
	older := s.newComment(t, p.GetId(), goodBody)
	s.newComment(t, p.GetId(), badBody)
	newer := s.newComment(t, p.GetId(), goodBody)
	s.eventually(t, func(t require.TestingT) {
		page := must(t, s.query.GetPostPage, &blogv1.GetPostPageRequest{PostId: p.GetId()})
		requireSame(t, p, page.GetPost())
		require.Len(t, page.GetComments(), 2)
		requireSame(t, newer, page.GetComments()[0])
		requireSame(t, older, page.GetComments()[1])
		require.EqualValues(t, 2, page.GetCommentCount())
		require.EqualValues(t, 1, page.GetSubscriberCount())
		require.Empty(t, page.GetNextPageToken())
		require.Empty(t, page.GetDegradedFields())
	})
}

func (s *suite) postPageUnknown(t *testing.T) {
	_, err := try(s.query.GetPostPage, &blogv1.GetPostPageRequest{PostId: newID()})
	requireCode(t, codes.NotFound, err)
}

func (s *suite) feedNewestFirst(t *testing.T) {
	older, newer := s.newPost(t), s.newPost(t)
	s.follow(t, newer.GetAuthor(), newName())
	s.newComment(t, newer.GetId(), goodBody)
	s.newComment(t, newer.GetId(), badBody)
	s.eventually(t, func(t require.TestingT) {
		e := s.feedEntry(t, newer)
		requireSame(t, newer, e.GetPost())
		require.EqualValues(t, 1, e.GetCommentCount())
		require.EqualValues(t, 1, e.GetSubscriberCount())
		e = s.feedEntry(t, older)
		requireSame(t, older, e.GetPost())
		require.Zero(t, e.GetCommentCount())
		require.Zero(t, e.GetSubscriberCount())
	})
	feed := must(t, s.query.ListFeed, &blogv1.ListFeedRequest{})
	require.Empty(t, feed.GetDegradedFields())
}

func (s *suite) authorPageIsWhole(t *testing.T) {
	request := newPostRequest()
	older := must(t, s.posts.CreatePost, request).GetPost()
	request.RequestId = newID()
	newer := must(t, s.posts.CreatePost, request).GetPost()
	s.newPost(t) // of somebody else
	s.follow(t, request.GetAuthor(), newName())
	s.eventually(t, func(t require.TestingT) {
		page := must(t, s.query.GetAuthorPage, &blogv1.GetAuthorPageRequest{Author: request.GetAuthor()})
		require.Len(t, page.GetPosts(), 2)
		requireSame(t, newer, page.GetPosts()[0])
		requireSame(t, older, page.GetPosts()[1])
		require.EqualValues(t, 1, page.GetSubscriberCount())
		require.Empty(t, page.GetNextPageToken())
		require.Empty(t, page.GetDegradedFields())
	})
}

func (s *suite) authorPageEmpty(t *testing.T) {
	page := must(t, s.query.GetAuthorPage, &blogv1.GetAuthorPageRequest{Author: newName()})
	require.Empty(t, page.GetPosts())
	require.Empty(t, page.GetNextPageToken())
	require.Zero(t, page.GetSubscriberCount())
	require.Empty(t, page.GetDegradedFields())
}
