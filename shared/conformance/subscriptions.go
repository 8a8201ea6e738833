package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"

	blogv1 "tandem/proto/blog/v1"
)

func (s *suite) subscriptionChecks() map[string][]check {
	return map[string][]check{
		"Subscribe": {
			{"counts_each_follower_once", s.subscribeCountsOnce},
			{"many_at_once_are_all_counted", s.subscribeAtOnce},
			{"same_request_id_after_unfollowing_follows_no_more", s.subscribeReplay},
		},
		"Unsubscribe":        {{"counts_down_and_never_below_zero", s.unsubscribeCountsDown}},
		"GetSubscriberCount": {{"nobody_is_zero", s.countNobody}, {"is_the_count_of_the_pages", s.countOnPages}},
	}
}

// requireCount demands that subscriptions says n now, and that the pages come to say so.
func (s *suite) requireCount(t *testing.T, p *blogv1.Post, n int64) {
	t.Helper()
	require.Equal(t, n, s.subscribers(t, p.GetAuthor()))
	s.eventually(t, func(t require.TestingT) {
		page := must(t, s.query.GetPostPage, &blogv1.GetPostPageRequest{PostId: p.GetId()})
		require.Equal(t, n, page.GetSubscriberCount(), "on the post's page")
		author := must(t, s.query.GetAuthorPage, &blogv1.GetAuthorPageRequest{Author: p.GetAuthor()})
		require.Equal(t, n, author.GetSubscriberCount(), "on the author's page")
		require.Equal(t, n, s.feedEntry(t, p).GetSubscriberCount(), "in the feed")
	})
}

func (s *suite) subscribeCountsOnce(t *testing.T) {
	author := newName()
	for i := range int64(3) {
		follower := newName()
		for range 2 { // following twice changes nothing
			reply := s.follow(t, author, follower)
			require.Equal(t, i+1, reply.GetSubscriberCount())
			require.Equal(t, i+1, reply.GetVersion())
		}
	}
	require.EqualValues(t, 3, s.subscribers(t, author))
	require.Zero(t, s.subscribers(t, newName()), "of another author")
}

func (s *suite) subscribeAtOnce(t *testing.T) {
	p := s.newPost(t)
	requireAtOnce(t, 40, func(int) error {
		_, err := try(s.subscriptions.Subscribe,
			&blogv1.SubscribeRequest{RequestId: newID(), Author: p.GetAuthor(), Follower: newName()})
		return err
	})
	s.requireCount(t, p, 40)
	follower := newName()
	requireAtOnce(t, 20, func(int) error {
		_, err := try(s.subscriptions.Subscribe,
			&blogv1.SubscribeRequest{RequestId: newID(), Author: p.GetAuthor(), Follower: follower})
		return err
	})
	s.requireCount(t, p, 41)
}

func (s *suite) subscribeReplay(t *testing.T) {
	request := &blogv1.SubscribeRequest{RequestId: newID(), Author: newName(), Follower: newName()}
	first := must(t, s.subscriptions.Subscribe, request)
	s.unfollow(t, request.GetAuthor(), request.GetFollower())
	requireSame(t, first, must(t, s.subscriptions.Subscribe, request))
	require.Zero(t, s.subscribers(t, request.GetAuthor()))
}

func (s *suite) unsubscribeCountsDown(t *testing.T) {
	p := s.newPost(t)
	a, b := newName(), newName()
	s.follow(t, p.GetAuthor(), a)
	s.follow(t, p.GetAuthor(), b)
	s.requireCount(t, p, 2)
	for range 2 { // not following already changes nothing
		reply := s.unfollow(t, p.GetAuthor(), a)
		require.EqualValues(t, 1, reply.GetSubscriberCount())
		require.EqualValues(t, 3, reply.GetVersion())
	}
	s.requireCount(t, p, 1)
	require.Zero(t, s.unfollow(t, p.GetAuthor(), b).GetSubscriberCount())
	for range 3 {
		require.Zero(t, s.unfollow(t, p.GetAuthor(), newName()).GetSubscriberCount())
	}
	s.requireCount(t, p, 0)
	require.EqualValues(t, 1, s.follow(t, p.GetAuthor(), a).GetSubscriberCount())
	s.requireCount(t, p, 1)
}

func (s *suite) countNobody(t *testing.T) {
	author := newName()
	require.Zero(t, s.subscribers(t, author))
	require.Zero(t, s.unfollow(t, author, newName()).GetSubscriberCount())
	require.Zero(t, s.subscribers(t, author))
}

// countOnPages follows an author before the first post, and one who never writes.
func (s *suite) countOnPages(t *testing.T) {
	request := newPostRequest()
	s.follow(t, request.GetAuthor(), newName())
	s.follow(t, request.GetAuthor(), newName())
	s.requireCount(t, must(t, s.posts.CreatePost, request).GetPost(), 2)

	silent := newName()
	s.follow(t, silent, newName())
	s.eventually(t, func(t require.TestingT) {
		page := must(t, s.query.GetAuthorPage, &blogv1.GetAuthorPageRequest{Author: silent})
		require.EqualValues(t, 1, page.GetSubscriberCount())
		require.Empty(t, page.GetPosts())
	})
}
