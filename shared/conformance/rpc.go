package conformance

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	blogv1 "tandem/proto/blog/v1"
)

// namedService is a service of blog.v1 under the name by which the project calls it.
type namedService struct {
	name       string
	descriptor protoreflect.ServiceDescriptor
}

func services() []namedService {
	return []namedService{
		{"posts", blogv1.File_blog_v1_posts_proto.Services().Get(0)},
		{"comments", blogv1.File_blog_v1_comments_proto.Services().Get(0)},
		{"moderation", blogv1.File_blog_v1_moderation_proto.Services().Get(0)},
		{"subscriptions", blogv1.File_blog_v1_subscriptions_proto.Services().Get(0)},
		{"query", blogv1.File_blog_v1_query_proto.Services().Get(0)},
	}
}

// rpc is one RPC of the contract. The RPCs are read from the contract itself, so that none can be forgotten.
type rpc struct {
	service string
	method  protoreflect.MethodDescriptor
}

func (s *suite) rpcs() []rpc {
	var rpcs []rpc
	for _, svc := range services() {
		methods := svc.descriptor.Methods()
		for i := range methods.Len() {
			rpcs = append(rpcs, rpc{svc.name, methods.Get(i)})
		}
	}
	return rpcs
}

func (r rpc) name() string { return string(r.method.Name()) }

func (r rpc) fields() protoreflect.FieldDescriptors { return r.method.Input().Fields() }

// isWrite: every write, and nothing else, carries a request_id.
func (r rpc) isWrite() bool { return r.fields().ByName("request_id") != nil }

// call sends a request to the RPC.
func (s *suite) call(r rpc, request proto.Message) (proto.Message, error) {
	reply, err := protoregistry.GlobalTypes.FindMessageByName(r.method.Output().FullName())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	m := reply.New().Interface()
	return m, s.conns[r.service].Invoke(ctx, "/"+string(r.method.Parent().FullName())+"/"+r.name(), request, m)
}

// with returns a copy of a request with another value in one field.
func with(request proto.Message, field protoreflect.FieldDescriptor, value any) proto.Message {
	changed := proto.Clone(request)
	changed.ProtoReflect().Set(field, protoreflect.ValueOf(value))
	return changed
}

// withNewID returns a copy of a write's request with a fresh request_id.
func (r rpc) withNewID(request proto.Message) proto.Message {
	if !r.isWrite() {
		return request
	}
	return with(request, r.fields().ByName("request_id"), newID())
}

// valid returns a new request that the RPC must accept; what it names exists.
func (s *suite) valid(t *testing.T, r rpc) proto.Message {
	t.Helper()
	switch r.service {
	case "posts":
		return s.validForPosts(t, r)
	case "comments":
		return s.validForComments(t, r)
	case "moderation":
		return s.validForModeration(t, r)
	case "subscriptions":
		return s.validForSubscriptions(t, r)
	}
	return s.validForQuery(t, r)
}

func (s *suite) validForPosts(t *testing.T, r rpc) proto.Message {
	switch r.name() {
	case "CreatePost":
		return newPostRequest()
	case "GetPost":
		return &blogv1.GetPostRequest{Id: s.newPost(t).GetId()}
	case "UpdatePost":
		return &blogv1.UpdatePostRequest{RequestId: newID(), Id: s.newPost(t).GetId(), Title: "New", Body: "New body."}
	case "DeletePost":
		return &blogv1.DeletePostRequest{RequestId: newID(), Id: s.newPost(t).GetId()}
	case "ListPosts":
		return &blogv1.ListPostsRequest{Author: newName()}
	}
	return unknownRPC(t, r)
}

func (s *suite) validForComments(t *testing.T, r rpc) proto.Message {
	p := s.newPost(t)
	switch r.name() {
	case "CreateComment":
		return newCommentRequest(p.GetId(), "A comment.")
	case "GetComment":
		return &blogv1.GetCommentRequest{Id: s.newComment(t, p.GetId(), "A comment.").GetId()}
	case "ListComments":
		return &blogv1.ListCommentsRequest{PostId: p.GetId()}
	}
	return unknownRPC(t, r)
}

func (s *suite) validForModeration(t *testing.T, r rpc) proto.Message {
	review := &blogv1.ReviewCommentRequest{RequestId: newID(), CommentId: newID(), Body: "A comment."}
	switch r.name() {
	case "ReviewComment":
		return review
	case "GetVerdict":
		must(t, s.moderation.ReviewComment, review)
		return &blogv1.GetVerdictRequest{CommentId: review.GetCommentId()}
	}
	return unknownRPC(t, r)
}

func (s *suite) validForSubscriptions(t *testing.T, r rpc) proto.Message {
	author, follower := newName(), newName()
	switch r.name() {
	case "Subscribe":
		return &blogv1.SubscribeRequest{RequestId: newID(), Author: author, Follower: follower}
	case "Unsubscribe":
		s.follow(t, author, follower)
		return &blogv1.UnsubscribeRequest{RequestId: newID(), Author: author, Follower: follower}
	case "GetSubscriberCount":
		return &blogv1.GetSubscriberCountRequest{Author: author}
	}
	return unknownRPC(t, r)
}

func (s *suite) validForQuery(t *testing.T, r rpc) proto.Message {
	switch r.name() {
	case "GetPostPage":
		return &blogv1.GetPostPageRequest{PostId: s.newPostOnPage(t).GetId()}
	case "ListFeed":
		return &blogv1.ListFeedRequest{}
	case "GetAuthorPage":
		return &blogv1.GetAuthorPageRequest{Author: newName()}
	}
	return unknownRPC(t, r)
}

func unknownRPC(t *testing.T, r rpc) proto.Message {
	t.Helper()
	require.FailNow(t, "the suite has no valid request for "+r.name()+": add one")
	return nil
}

// text returns n bytes.
func text(n int) string { return strings.Repeat("a", n) }

// wide returns n bytes of two-byte letters, with one of one byte if n is odd: limits count bytes and not letters.
func wide(n int) string { return strings.Repeat("é", n/2) + strings.Repeat("a", n%2) }
