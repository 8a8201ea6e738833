package conformance

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/rules"
)

// values are what a field must refuse and what it must take, at the limits of the contract.
type values struct{ bad, good []any }

// valuesOf returns the values of a field of the contract. A field that the suite does not know fails the check, so that a
// new field cannot go untested.
func valuesOf(t *testing.T, r rpc, field protoreflect.FieldDescriptor) values {
	t.Helper()
	switch field.Name() {
	case "request_id", "id", "post_id", "comment_id":
		return uuidValues()
	case "author", "follower":
		return nameValues(r)
	case "title":
		return textValues(rules.MaxTitle)
	case "body":
		if r.service == "posts" {
			return textValues(rules.MaxPostBody)
		}
		return textValues(rules.MaxCommentBody)
	case "page_size":
		return values{bad: []any{int32(-1), int32(math.MinInt32)}, good: []any{int32(0), int32(1), int32(100), int32(101), int32(math.MaxInt32)}}
	case "page_token":
		return values{bad: []any{"x", "%%%", "bm90LWEtdG9rZW4", "MC9ub3QtYS11dWlk", text(rules.MaxPageToken + 1)}, good: []any{""}}
	case "status":
		return statusValues()
	}
	require.FailNow(t, "the suite does not know the field "+string(field.FullName())+": say what it must refuse and take")
	return values{}
}

// uuidValues: what a good id names must exist, so the valid request alone shows that one is taken.
func uuidValues() values {
	id := "0b1c6a1e-5f0e-4c55-9d5e-3a7b6c8d9e0f"
	return values{bad: []any{
		"", "1", "not-a-uuid", id[:35], id + "0", strings.ToUpper(id), strings.ReplaceAll(id, "-", ""),
		"{" + id + "}", "urn:uuid:" + id, strings.Replace(id, "0", "g", 1), strings.ReplaceAll(id, "-", "_"),
	}}
}

func nameValues(r rpc) values {
	v := values{
		bad: []any{
			text(rules.MaxName + 1), text(60_000), "two words", "é", "a/b", "a\nb", "a\x00", " a", "a@b", "<b>", "a,b",
		},
		good: []any{"a", "Z", "0", text(rules.MaxName), "A-Za-z0-9._-"},
	}
	if r.name() == "ListPosts" { // no author: the posts of all
		v.good = append(v.good, "")
	} else {
		v.bad = append(v.bad, "")
	}
	return v
}

func textValues(limit int) values {
	return values{
		bad:  []any{"", " ", "\n\t ", text(limit + 1), wide(limit + 1), text(60_000)},
		good: []any{"a", text(limit), wide(limit), wide(limit - 1), " a ", "a\x00b", "'; DROP TABLE posts; --", "日本語 🍊"},
	}
}

func statusValues() values {
	v := values{bad: []any{protoreflect.EnumNumber(-1), protoreflect.EnumNumber(len(blogv1.CommentStatus_name))}}
	for number := range blogv1.CommentStatus_name {
		v.good = append(v.good, protoreflect.EnumNumber(number))
	}
	return v
}

// eachField calls f with every field of an RPC's request and its values.
func eachField(t *testing.T, r rpc, f func(field protoreflect.FieldDescriptor, v values)) {
	t.Helper()
	for i := range r.fields().Len() {
		f(r.fields().Get(i), valuesOf(t, r, r.fields().Get(i)))
	}
}

// namesEachBadField sends every bad value in turn, and then all fields bad together.
func (s *suite) namesEachBadField(t *testing.T, r rpc) {
	good := s.valid(t, r)
	worst, all := proto.Clone(good), []string{}
	eachField(t, r, func(field protoreflect.FieldDescriptor, v values) {
		for _, bad := range v.bad {
			_, err := s.call(r, with(r.withNewID(good), field, bad))
			require.Error(t, err, "%s took the %s %.80q", r.name(), field.Name(), bad)
			requireInvalid(t, err, string(field.Name()))
		}
		worst, all = with(worst, field, v.bad[0]), append(all, string(field.Name()))
	})
	_, err := s.call(r, worst)
	requireInvalid(t, err, all...)
}

// takesLimits sends every value that is just good enough.
func (s *suite) takesLimits(t *testing.T, r rpc) {
	eachField(t, r, func(field protoreflect.FieldDescriptor, v values) {
		for _, good := range v.good {
			_, err := s.call(r, with(s.valid(t, r), field, good))
			require.NoError(t, err, "%s refused the %s %.80q", r.name(), field.Name(), good)
		}
	})
}

// refusesLargeRequest sends a request of 64 KiB, which is read and found bad, and one of a byte more, which is not read.
func (s *suite) refusesLargeRequest(t *testing.T, r rpc) {
	request := s.valid(t, r)
	field := lastText(r)
	_, err := s.call(r, filled(request, field, rules.MaxRequest))
	requireInvalid(t, err, string(field.Name()))
	_, err = s.call(r, filled(request, field, rules.MaxRequest+1))
	requireCode(t, codes.ResourceExhausted, err)
}

// lastText is the last field of a request that holds text: every request has one.
func lastText(r rpc) (last protoreflect.FieldDescriptor) {
	for i := range r.fields().Len() {
		if f := r.fields().Get(i); f.Kind() == protoreflect.StringKind {
			last = f
		}
	}
	return last
}

// filled returns a copy of a request that has size bytes, by the length of one field.
func filled(request proto.Message, field protoreflect.FieldDescriptor, size int) proto.Message {
	full := with(request, field, text(size))
	return with(request, field, text(size-(proto.Size(full)-size)))
}

// storesNothingBad sends writes with one bad field each and then looks for a trace of them: in what they would have changed,
// and in the request_id, which must still be good for a first write.
func (s *suite) storesNothingBad(t *testing.T, r rpc) {
	good := s.valid(t, r)
	eachField(t, r, func(field protoreflect.FieldDescriptor, v values) {
		for _, bad := range v.bad {
			_, err := s.call(r, with(good, field, bad))
			require.Error(t, err)
		}
	})
	_, err := s.call(r, filled(good, lastText(r), rules.MaxRequest+1))
	require.Error(t, err)
	s.requireEffects(t, good, 0)
	_, err = s.call(r, good)
	require.NoError(t, err, "a request_id that came with bad input is still good")
	s.requireEffects(t, good, 1)
}
