package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	blogv1 "tandem/proto/blog/v1"
)

// requireEffects demands that a valid write has had n effects, 0 or 1. It asks the service that owns the data, which knows at
// once in both stacks.
func (s *suite) requireEffects(t require.TestingT, request proto.Message, n int) {
	switch r := request.(type) {
	case *blogv1.CreatePostRequest:
		posts := must(t, s.posts.ListPosts, &blogv1.ListPostsRequest{Author: r.GetAuthor()}).GetPosts()
		require.Len(t, posts, n, "posts of the author")
	case *blogv1.UpdatePostRequest:
		p := must(t, s.posts.GetPost, &blogv1.GetPostRequest{Id: r.GetId()}).GetPost()
		require.EqualValues(t, 1+n, p.GetVersion(), "version of the post")
		require.Equal(t, n == 1, p.GetTitle() == r.GetTitle(), "the post has the new title")
	case *blogv1.DeletePostRequest:
		_, err := try(s.posts.GetPost, &blogv1.GetPostRequest{Id: r.GetId()})
		requireCode(t, []codes.Code{codes.OK, codes.NotFound}[n], err)
	case *blogv1.CreateCommentRequest:
		list := must(t, s.comments.ListComments, &blogv1.ListCommentsRequest{PostId: r.GetPostId()})
		require.Len(t, list.GetComments(), n, "comments of the post")
		require.EqualValues(t, n, list.GetTotalSize())
	case *blogv1.ReviewCommentRequest:
		_, err := try(s.moderation.GetVerdict, &blogv1.GetVerdictRequest{CommentId: r.GetCommentId()})
		requireCode(t, []codes.Code{codes.NotFound, codes.OK}[n], err)
	case *blogv1.SubscribeRequest:
		require.EqualValues(t, n, s.subscribers(t, r.GetAuthor()))
	case *blogv1.UnsubscribeRequest:
		require.EqualValues(t, 1-n, s.subscribers(t, r.GetAuthor()))
	default:
		require.FailNow(t, "the suite does not know what a "+string(request.ProtoReflect().Descriptor().Name())+" changes: add it")
	}
}

// sameIDTwice sends a write, the same again, and the same id with other content: each gets the first result.
func (s *suite) sameIDTwice(t *testing.T, r rpc) {
	request := s.valid(t, r)
	first, err := s.call(r, request)
	require.NoError(t, err)
	for _, again := range []proto.Message{request, s.otherContent(t, r, request), request} {
		reply, err := s.call(r, again)
		require.NoError(t, err)
		requireSame(t, first, reply)
	}
	s.requireEffects(t, request, 1)
}

// otherContent is another valid request with the same id.
func (s *suite) otherContent(t *testing.T, r rpc, request proto.Message) proto.Message {
	t.Helper()
	id := r.fields().ByName("request_id")
	return with(s.valid(t, r), id, request.ProtoReflect().Get(id).Interface())
}

// sameIDAtOnce sends one write 20 times at the same time: all get the same result.
func (s *suite) sameIDAtOnce(t *testing.T, r rpc) {
	request := s.valid(t, r)
	replies := make([]proto.Message, 20)
	requireAtOnce(t, len(replies), func(i int) (err error) {
		replies[i], err = s.call(r, request)
		return err
	})
	for _, reply := range replies[1:] {
		requireSame(t, replies[0], reply)
	}
	s.requireEffects(t, request, 1)
}

// idOfAnotherRPC sends the id of a write to every other write of the same service: each refuses it and changes nothing.
func (s *suite) idOfAnotherRPC(t *testing.T, r rpc) {
	request := s.valid(t, r)
	_, err := s.call(r, request)
	require.NoError(t, err)
	id := r.fields().ByName("request_id")
	for _, other := range s.rpcs() {
		if other.service != r.service || !other.isWrite() || other.name() == r.name() {
			continue
		}
		used := with(s.valid(t, other), other.fields().ByName("request_id"), request.ProtoReflect().Get(id).Interface())
		_, err := s.call(other, used)
		requireInvalid(t, err, "request_id")
		s.requireEffects(t, used, 0)
	}
	s.requireEffects(t, request, 1)
}
