package conformance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	blogv1 "tandem/proto/blog/v1"
)

func (s *suite) postChecks() map[string][]check {
	return map[string][]check{
		"CreatePost": {
			{"answers_the_post_as_stored", s.createPostAnswers},
			{"keeps_the_text_byte_for_byte", s.createPostKeepsText},
			{"two_ids_are_two_posts", s.createPostTwice},
		},
		"GetPost":    {{"unknown_is_NOT_FOUND", s.getPostUnknown}},
		"UpdatePost": {{"replaces_the_text", s.updatePostReplaces}, {"unknown_is_NOT_FOUND", s.updatePostUnknown}},
		"DeletePost": {
			{"takes_the_post_away", s.deletePostTakesAway},
			{"unknown_or_deleted_is_NOT_FOUND", s.deletePostUnknown},
			{"same_request_id_deletes_no_other_post", s.deletePostOnce},
		},
		"ListPosts": {{"newest_first_of_one_author", s.listPostsOfAuthor}, {"no_posts_is_an_empty_page", s.listPostsEmpty}},
	}
}

func (s *suite) createPostAnswers(t *testing.T) {
	request, before := newPostRequest(), time.Now()
	p := must(t, s.posts.CreatePost, request).GetPost()
	requireUUID(t, p.GetId())
	require.Equal(t, request.GetAuthor(), p.GetAuthor())
	require.Equal(t, request.GetTitle(), p.GetTitle())
	require.Equal(t, request.GetBody(), p.GetBody())
	require.EqualValues(t, 1, p.GetVersion())
	requireTime(t, p.GetCreateTime(), before, time.Now())
	requireSame(t, p.GetCreateTime(), p.GetUpdateTime())
	requireSame(t, p, must(t, s.posts.GetPost, &blogv1.GetPostRequest{Id: p.GetId()}).GetPost())
}

func (s *suite) createPostKeepsText(t *testing.T) {
	for _, text := range []string{"a\x00b", " a ", "a\r\n\tb", `'";--`, "日本語 🍊 e\u0301", "%s %d", "<b>&amp;</b>"} {
		request := newPostRequest()
		request.Title, request.Body = text, text
		p := must(t, s.posts.CreatePost, request).GetPost()
		got := must(t, s.posts.GetPost, &blogv1.GetPostRequest{Id: p.GetId()}).GetPost()
		require.Equal(t, text, got.GetTitle())
		require.Equal(t, text, got.GetBody())
	}
}

func (s *suite) createPostTwice(t *testing.T) {
	request := newPostRequest()
	first := must(t, s.posts.CreatePost, request).GetPost()
	request.RequestId = newID()
	second := must(t, s.posts.CreatePost, request).GetPost()
	require.NotEqual(t, first.GetId(), second.GetId())
	require.Len(t, must(t, s.posts.ListPosts, &blogv1.ListPostsRequest{Author: request.GetAuthor()}).GetPosts(), 2)
}

func (s *suite) getPostUnknown(t *testing.T) {
	_, err := try(s.posts.GetPost, &blogv1.GetPostRequest{Id: newID()})
	requireCode(t, codes.NotFound, err)
}

// updatePostReplaces updates twice and looks at the reply, at the owner and at every page.
func (s *suite) updatePostReplaces(t *testing.T) {
	old := s.newPostOnPage(t)
	var updated *blogv1.Post
	for _, title := range []string{"Second title", "Third title"} {
		request := &blogv1.UpdatePostRequest{RequestId: newID(), Id: old.GetId(), Title: title, Body: title + "'s body"}
		updated = must(t, s.posts.UpdatePost, request).GetPost()
		require.Equal(t, request.GetTitle(), updated.GetTitle())
		require.Equal(t, request.GetBody(), updated.GetBody())
		require.Equal(t, old.GetVersion()+1, updated.GetVersion())
		require.Equal(t, old.GetAuthor(), updated.GetAuthor())
		requireSame(t, old.GetCreateTime(), updated.GetCreateTime())
		requireTime(t, updated.GetUpdateTime(), old.GetUpdateTime().AsTime(), time.Now())
		requireSame(t, updated, must(t, s.posts.GetPost, &blogv1.GetPostRequest{Id: old.GetId()}).GetPost())
		old = updated
	}
	s.eventually(t, func(t require.TestingT) {
		requireSame(t, updated, must(t, s.query.GetPostPage, &blogv1.GetPostPageRequest{PostId: old.GetId()}).GetPost())
		requireSame(t, updated, s.feedEntry(t, old).GetPost())
		author := must(t, s.query.GetAuthorPage, &blogv1.GetAuthorPageRequest{Author: old.GetAuthor()})
		require.Len(t, author.GetPosts(), 1)
		requireSame(t, updated, author.GetPosts()[0])
	})
}

func (s *suite) updatePostUnknown(t *testing.T) {
	deleted := s.newPost(t)
	s.deletePost(t, deleted.GetId())
	for _, id := range []string{newID(), deleted.GetId()} {
		_, err := try(s.posts.UpdatePost, &blogv1.UpdatePostRequest{RequestId: newID(), Id: id, Title: "t", Body: "b"})
		requireCode(t, codes.NotFound, err)
		_, err = try(s.posts.GetPost, &blogv1.GetPostRequest{Id: id})
		requireCode(t, codes.NotFound, err)
	}
}

// deletePostTakesAway deletes one of two posts of an author, with comments on both, and looks everywhere.
func (s *suite) deletePostTakesAway(t *testing.T) {
	request := newPostRequest()
	gone := must(t, s.posts.CreatePost, request).GetPost()
	request.RequestId = newID()
	kept := must(t, s.posts.CreatePost, request).GetPost()
	lost := s.newComment(t, gone.GetId(), "A comment.")
	stays := s.newComment(t, kept.GetId(), "A comment.")
	s.requireOnPages(t, gone)
	s.requireOnPages(t, kept)

	s.deletePost(t, gone.GetId())
	_, err := try(s.posts.GetPost, &blogv1.GetPostRequest{Id: gone.GetId()})
	requireCode(t, codes.NotFound, err)
	left := must(t, s.posts.ListPosts, &blogv1.ListPostsRequest{Author: gone.GetAuthor()}).GetPosts()
	require.Len(t, left, 1)
	requireSame(t, kept, left[0])
	s.eventually(t, func(t require.TestingT) { s.requireOffPages(t, gone) })
	s.eventually(t, func(t require.TestingT) { s.requireNoComments(t, lost) })
	s.requireOnPages(t, kept)
	requireSame(t, stays, must(t, s.comments.GetComment, &blogv1.GetCommentRequest{Id: stays.GetId()}).GetComment())
}

// requireOnPages waits until a post is on every page, with one approved comment.
func (s *suite) requireOnPages(t *testing.T, p *blogv1.Post) {
	t.Helper()
	s.eventually(t, func(t require.TestingT) {
		page := must(t, s.query.GetPostPage, &blogv1.GetPostPageRequest{PostId: p.GetId()})
		requireSame(t, p, page.GetPost())
		require.Len(t, page.GetComments(), 1)
		require.EqualValues(t, 1, page.GetCommentCount())
		entry := s.feedEntry(t, p)
		requireSame(t, p, entry.GetPost())
		require.EqualValues(t, 1, entry.GetCommentCount())
		author := must(t, s.query.GetAuthorPage, &blogv1.GetAuthorPageRequest{Author: p.GetAuthor()})
		require.Contains(t, idsOfPosts(author.GetPosts()), p.GetId())
	})
}

func (s *suite) requireOffPages(t require.TestingT, p *blogv1.Post) {
	_, err := try(s.query.GetPostPage, &blogv1.GetPostPageRequest{PostId: p.GetId()})
	requireCode(t, codes.NotFound, err)
	require.Nil(t, s.feedEntry(t, p), "the feed still shows the post")
	author := must(t, s.query.GetAuthorPage, &blogv1.GetAuthorPageRequest{Author: p.GetAuthor()})
	require.NotContains(t, idsOfPosts(author.GetPosts()), p.GetId(), "the author's page still shows the post")
}

// requireNoComments demands that the comments of a deleted post are gone and that it takes no more.
func (s *suite) requireNoComments(t require.TestingT, lost *blogv1.Comment) {
	_, err := try(s.comments.GetComment, &blogv1.GetCommentRequest{Id: lost.GetId()})
	requireCode(t, codes.NotFound, err)
	for status := range blogv1.CommentStatus_name {
		list := must(t, s.comments.ListComments,
			&blogv1.ListCommentsRequest{PostId: lost.GetPostId(), Status: blogv1.CommentStatus(status)})
		require.Empty(t, list.GetComments())
		require.Zero(t, list.GetTotalSize())
		require.Empty(t, list.GetNextPageToken())
	}
	_, err = try(s.comments.CreateComment, newCommentRequest(lost.GetPostId(), "Too late."))
	requireCode(t, codes.NotFound, err)
}

func (s *suite) deletePostUnknown(t *testing.T) {
	p := s.newPost(t)
	s.deletePost(t, p.GetId())
	for _, id := range []string{p.GetId(), newID()} {
		_, err := try(s.posts.DeletePost, &blogv1.DeletePostRequest{RequestId: newID(), Id: id})
		requireCode(t, codes.NotFound, err)
	}
}

func (s *suite) deletePostOnce(t *testing.T) {
	gone, kept := s.newPost(t), s.newPost(t)
	request := &blogv1.DeletePostRequest{RequestId: newID(), Id: gone.GetId()}
	must(t, s.posts.DeletePost, request)
	request.Id = kept.GetId()
	must(t, s.posts.DeletePost, request)
	must(t, s.posts.GetPost, &blogv1.GetPostRequest{Id: kept.GetId()})
}

func (s *suite) listPostsOfAuthor(t *testing.T) {
	request := newPostRequest()
	var want []string
	for range 5 {
		request.RequestId = newID()
		want = append([]string{must(t, s.posts.CreatePost, request).GetPost().GetId()}, want...)
		s.newPost(t) // of somebody else
	}
	list := must(t, s.posts.ListPosts, &blogv1.ListPostsRequest{Author: request.GetAuthor()})
	require.Equal(t, want, idsOfPosts(list.GetPosts()))
	for _, p := range list.GetPosts() {
		requireSame(t, must(t, s.posts.GetPost, &blogv1.GetPostRequest{Id: p.GetId()}).GetPost(), p)
	}
}

func (s *suite) listPostsEmpty(t *testing.T) {
	list := must(t, s.posts.ListPosts, &blogv1.ListPostsRequest{Author: newName()})
	require.Empty(t, list.GetPosts())
	require.Empty(t, list.GetNextPageToken())
}

func idsOfPosts(posts []*blogv1.Post) []string {
	ids := make([]string, 0, len(posts))
	for _, p := range posts {
		ids = append(ids, p.GetId())
	}
	return ids
}
