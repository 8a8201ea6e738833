package conformance

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/rules"
)

const (
	pending  = blogv1.CommentStatus_COMMENT_STATUS_PENDING
	approved = blogv1.CommentStatus_COMMENT_STATUS_APPROVED
	rejected = blogv1.CommentStatus_COMMENT_STATUS_REJECTED
)

// Comments that the default policy decides on.
const (
	goodBody = "A good comment about apples."
	badBody  = "An ORANGE comment."
)

func (s *suite) commentChecks() map[string][]check {
	return map[string][]check{
		"CreateComment": {
			{"answers_the_comment_as_stored", s.createCommentAnswers},
			{"good_text_becomes_APPROVED", s.createCommentApproved},
			{"blocked_word_becomes_REJECTED_and_is_kept", s.createCommentRejected},
			{"unknown_post", s.createCommentUnknownPost},
			{"post_that_comes_later", s.createCommentBeforePost},
			{"same_request_id_after_the_decision_is_the_first_result", s.createCommentReplay},
		},
		"GetComment":   {{"unknown_is_NOT_FOUND", s.getCommentUnknown}},
		"ListComments": {{"of_one_post_by_status", s.listCommentsByStatus}, {"unknown_post_has_none", s.listCommentsUnknown}},
	}
}

func requireUUID(t require.TestingT, id string) {
	require.Len(t, id, 36)
	require.NoError(t, uuid.Validate(id))
}

func (s *suite) createCommentAnswers(t *testing.T) {
	request, before := newCommentRequest(s.newPost(t).GetId(), goodBody), time.Now()
	reply := must(t, s.comments.CreateComment, request)
	c := reply.GetComment()
	require.False(t, reply.GetDegraded())
	requireUUID(t, c.GetId())
	require.Equal(t, request.GetPostId(), c.GetPostId())
	require.Equal(t, request.GetAuthor(), c.GetAuthor())
	require.Equal(t, request.GetBody(), c.GetBody())
	require.EqualValues(t, 1, c.GetVersion())
	require.Empty(t, c.GetReason())
	requireTime(t, c.GetCreateTime(), before, time.Now())
	requireTime(t, c.GetUpdateTime(), c.GetCreateTime().AsTime(), time.Now())
	if !s.features.FinalStatusAtOnce {
		require.Equal(t, pending, c.GetStatus())
		return
	}
	require.Equal(t, approved, c.GetStatus())
	requireSame(t, c, must(t, s.comments.GetComment, &blogv1.GetCommentRequest{Id: c.GetId()}).GetComment())
}

// createAndDecide creates a comment and waits for its status. What the decision may not change must be as it was at first.
func (s *suite) createAndDecide(t *testing.T, postID, body string) *blogv1.Comment {
	t.Helper()
	first := must(t, s.comments.CreateComment, newCommentRequest(postID, body)).GetComment()
	c := s.decided(t, first.GetId())
	require.Equal(t, body, c.GetBody())
	require.Equal(t, postID, c.GetPostId())
	require.Equal(t, first.GetAuthor(), c.GetAuthor())
	requireSame(t, first.GetCreateTime(), c.GetCreateTime())
	requireTime(t, c.GetUpdateTime(), c.GetCreateTime().AsTime(), time.Now())
	if s.features.FinalStatusAtOnce {
		requireSame(t, first, c)
	} else {
		require.EqualValues(t, 2, c.GetVersion(), "1 at creation, one more for the decision")
	}
	return c
}

func (s *suite) createCommentApproved(t *testing.T) {
	p := s.newPost(t)
	c := s.createAndDecide(t, p.GetId(), goodBody)
	require.Equal(t, approved, c.GetStatus())
	require.Empty(t, c.GetReason())
	verdict := must(t, s.moderation.GetVerdict, &blogv1.GetVerdictRequest{CommentId: c.GetId()}).GetVerdict()
	require.True(t, verdict.GetApproved())
	s.requireOnPages(t, p)
	page := must(t, s.query.GetPostPage, &blogv1.GetPostPageRequest{PostId: p.GetId()})
	requireSame(t, c, page.GetComments()[0])
}

// createCommentRejected rejects a comment, then approves another: once that one shows, the first would have shown too.
func (s *suite) createCommentRejected(t *testing.T) {
	p := s.newPost(t)
	bad := s.createAndDecide(t, p.GetId(), badBody)
	require.Equal(t, rejected, bad.GetStatus())
	require.NotEmpty(t, bad.GetReason())
	verdict := must(t, s.moderation.GetVerdict, &blogv1.GetVerdictRequest{CommentId: bad.GetId()}).GetVerdict()
	require.False(t, verdict.GetApproved())
	require.Equal(t, verdict.GetReason(), bad.GetReason())

	good := s.createAndDecide(t, p.GetId(), goodBody)
	s.requireOnPages(t, p)
	page := must(t, s.query.GetPostPage, &blogv1.GetPostPageRequest{PostId: p.GetId()})
	requireSame(t, good, page.GetComments()[0])
	requireSame(t, bad, must(t, s.comments.GetComment, &blogv1.GetCommentRequest{Id: bad.GetId()}).GetComment())
}

func (s *suite) createCommentUnknownPost(t *testing.T) {
	request := newCommentRequest(newID(), goodBody)
	reply, err := try(s.comments.CreateComment, request)
	if s.features.UnknownPostAtOnce {
		requireCode(t, codes.NotFound, err)
		s.requireEffects(t, request, 0)
		return
	}
	require.NoError(t, err)
	require.Equal(t, pending, reply.GetComment().GetStatus())
	within(t, s.features.UnknownPostAfter+s.features.Eventually, func(t require.TestingT) {
		c := must(t, s.comments.GetComment, &blogv1.GetCommentRequest{Id: reply.GetComment().GetId()}).GetComment()
		require.Equal(t, rejected, c.GetStatus())
		require.Equal(t, rules.ReasonUnknownPost, c.GetReason())
	})
}

// createCommentBeforePost comments on a post that does not exist yet. The comment is refused, and then taken under the same
// request_id once the post exists; or it waits for its post.
func (s *suite) createCommentBeforePost(t *testing.T) {
	later := newPostRequest()
	postID := rules.NewID("post", later.GetRequestId())
	early := newCommentRequest(postID, goodBody)
	_, err := try(s.comments.CreateComment, early)
	if s.features.UnknownPostAtOnce {
		requireCode(t, codes.NotFound, err)
	} else {
		require.NoError(t, err)
	}
	p := must(t, s.posts.CreatePost, later).GetPost()
	require.Equal(t, postID, p.GetId())
	c := s.decided(t, must(t, s.comments.CreateComment, early).GetComment().GetId())
	require.Equal(t, approved, c.GetStatus(), "reason: %s", c.GetReason())
	s.requireOnPages(t, p)
}

// createCommentReplay: in a stack that decides later, the first result stays PENDING for ever.
func (s *suite) createCommentReplay(t *testing.T) {
	request := newCommentRequest(s.newPost(t).GetId(), badBody)
	first := must(t, s.comments.CreateComment, request)
	s.decided(t, first.GetComment().GetId())
	requireSame(t, first, must(t, s.comments.CreateComment, request))
}

func (s *suite) getCommentUnknown(t *testing.T) {
	_, err := try(s.comments.GetComment, &blogv1.GetCommentRequest{Id: newID()})
	requireCode(t, codes.NotFound, err)
}

func (s *suite) listCommentsByStatus(t *testing.T) {
	p := s.newPost(t)
	s.newComment(t, s.newPost(t).GetId(), goodBody) // on another post
	want := map[blogv1.CommentStatus][]string{pending: nil}
	for _, body := range []string{goodBody, badBody, goodBody, badBody, goodBody} {
		c := s.newComment(t, p.GetId(), body)
		for _, status := range []blogv1.CommentStatus{c.GetStatus(), blogv1.CommentStatus_COMMENT_STATUS_UNSPECIFIED} {
			want[status] = append([]string{c.GetId()}, want[status]...)
		}
	}
	for status, ids := range want {
		list := must(t, s.comments.ListComments, &blogv1.ListCommentsRequest{PostId: p.GetId(), Status: status})
		require.Equal(t, ids, idsOfComments(list.GetComments()), "newest first, with status %s", status)
		require.EqualValues(t, len(ids), list.GetTotalSize())
		for _, c := range list.GetComments() {
			requireSame(t, must(t, s.comments.GetComment, &blogv1.GetCommentRequest{Id: c.GetId()}).GetComment(), c)
		}
	}
	require.Len(t, want[approved], 3)
	require.Len(t, want[rejected], 2)
}

func (s *suite) listCommentsUnknown(t *testing.T) {
	list := must(t, s.comments.ListComments, &blogv1.ListCommentsRequest{PostId: newID()})
	require.Empty(t, list.GetComments())
	require.Empty(t, list.GetNextPageToken())
	require.Zero(t, list.GetTotalSize())
}

func idsOfComments(comments []*blogv1.Comment) (ids []string) {
	for _, c := range comments {
		ids = append(ids, c.GetId())
	}
	return ids
}
