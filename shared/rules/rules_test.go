package rules

import (
	"encoding/base64"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/problem"
)

const id = "0b1c6a1e-5f0e-4c55-9d5e-3a7b6c8d9e0f"

// badFields returns the names of the fields that an error of Check… tells.
func badFields(t testing.TB, err error) (names []string) {
	t.Helper()
	if err == nil {
		return nil
	}
	var e *problem.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, problem.Invalid, e.Kind)
	for _, f := range e.Fields {
		require.NotEmpty(t, f.Description)
		names = append(names, f.Name)
	}
	return names
}

func bytesOf(n int) string { return strings.Repeat("a", n) }

func TestUUIDs(t *testing.T) {
	for value, good := range map[string]bool{
		id: true, "00000000-0000-0000-0000-000000000000": true, NewID("post", id): true,
		"": false, id[1:]: false, id + "0": false, strings.ToUpper(id): false, strings.ReplaceAll(id, "-", ""): false,
		"{" + id + "}": false, "urn:uuid:" + id: false, "{" + id[1:35] + "}": false, strings.Replace(id, "-", "0", 1): false,
	} {
		require.Equal(t, good, CheckGetPost(&blogv1.GetPostRequest{Id: value}) == nil, "%q", value)
	}
}

func TestNames(t *testing.T) {
	for value, good := range map[string]bool{
		"a": true, "A.b_c-9": true, bytesOf(MaxName): true, "-": true,
		"": false, bytesOf(MaxName + 1): false, "a b": false, "é": false, "a\x00": false, "\xff": false, "a/b": false, "ａ": false,
	} {
		require.Equal(t, good, CheckGetSubscriberCount(&blogv1.GetSubscriberCountRequest{Author: value}) == nil, "%q", value)
	}
}

func TestTexts(t *testing.T) {
	for value, good := range map[string]bool{
		"a": true, bytesOf(MaxTitle): true, strings.Repeat("é", MaxTitle/2): true, " a ": true, "\x00": true, "日本語": true,
		"": false, bytesOf(MaxTitle + 1): false, strings.Repeat("é", MaxTitle/2) + "a": false, " \n\t\u00a0": false, "\xff": false,
	} {
		err := CheckUpdatePost(&blogv1.UpdatePostRequest{RequestId: id, Id: id, Title: value, Body: "b"})
		require.Equal(t, good, err == nil, "%q", value)
	}
}

// TestTheLimitsOfBodies: the two limits differ.
func TestTheLimitsOfBodies(t *testing.T) {
	post := func(n int) error {
		return CheckCreatePost(&blogv1.CreatePostRequest{RequestId: id, Author: "a", Title: "t", Body: bytesOf(n)})
	}
	comment := func(n int) error {
		return CheckCreateComment(&blogv1.CreateCommentRequest{RequestId: id, PostId: id, Author: "a", Body: bytesOf(n)})
	}
	review := func(n int) error {
		return CheckReviewComment(&blogv1.ReviewCommentRequest{RequestId: id, CommentId: id, Body: bytesOf(n)})
	}
	for _, c := range []struct {
		check func(int) error
		limit int
	}{{post, 20_000}, {comment, 4_000}, {review, 4_000}} {
		require.NoError(t, c.check(c.limit))
		require.Equal(t, []string{"body"}, badFields(t, c.check(c.limit+1)))
	}
}

// TestEveryFieldIsNamed: requests with nothing in them, or with nothing right in them.
func TestEveryFieldIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"CreatePost":      {CheckCreatePost(nil), []string{"request_id", "author", "title", "body"}},
		"GetPost":         {CheckGetPost(nil), []string{"id"}},
		"UpdatePost":      {CheckUpdatePost(nil), []string{"request_id", "id", "title", "body"}},
		"DeletePost":      {CheckDeletePost(nil), []string{"request_id", "id"}},
		"ListPosts_empty": {CheckListPosts(nil), nil},
		"ListPosts": {CheckListPosts(&blogv1.ListPostsRequest{Author: "?", PageSize: -1, PageToken: "?"}),
			[]string{"author", "page_size", "page_token"}},
		"CreateComment": {CheckCreateComment(nil), []string{"request_id", "post_id", "author", "body"}},
		"GetComment":    {CheckGetComment(nil), []string{"id"}},
		"ListComments": {CheckListComments(&blogv1.ListCommentsRequest{Status: 4, PageSize: -1, PageToken: "?"}),
			[]string{"post_id", "status", "page_size", "page_token"}},
		"ReviewComment":      {CheckReviewComment(nil), []string{"request_id", "comment_id", "body"}},
		"GetVerdict":         {CheckGetVerdict(nil), []string{"comment_id"}},
		"Subscribe":          {CheckSubscribe(nil), []string{"request_id", "author", "follower"}},
		"Unsubscribe":        {CheckUnsubscribe(nil), []string{"request_id", "author", "follower"}},
		"GetSubscriberCount": {CheckGetSubscriberCount(nil), []string{"author"}},
		"GetPostPage": {CheckGetPostPage(&blogv1.GetPostPageRequest{PageSize: -1, PageToken: "?"}),
			[]string{"post_id", "page_size", "page_token"}},
		"ListFeed": {CheckListFeed(&blogv1.ListFeedRequest{PageSize: math.MinInt32, PageToken: "?"}), []string{"page_size", "page_token"}},
		"GetAuthorPage": {CheckGetAuthorPage(&blogv1.GetAuthorPageRequest{PageSize: -1, PageToken: "?"}),
			[]string{"author", "page_size", "page_token"}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, badFields(t, c.err)) })
	}
}

func TestPageSize(t *testing.T) {
	for size, want := range map[int32]int{0: 20, 1: 1, 99: 99, 100: 100, 101: 100, math.MaxInt32: 100} {
		require.Equal(t, want, PageSize(size))
	}
}

func TestTokensRoundTrip(t *testing.T) {
	for _, c := range []Cursor{{}, {1, id}, {0, id}, {-1, id}, {math.MaxInt64, id}, {math.MinInt64, id}} {
		require.LessOrEqual(t, len(c.Token()), MaxPageToken)
		got, err := ParseCursor(c.Token())
		require.NoError(t, err)
		require.Equal(t, c, got)
	}
	require.Empty(t, Cursor{}.Token(), "the top of a list needs no token")
}

func TestForeignTokens(t *testing.T) {
	encode := base64.RawURLEncoding.EncodeToString
	for _, token := range []string{
		"x", "%", encode([]byte("1")), encode([]byte("1/")), encode([]byte("/" + id)), encode([]byte("1/2")), encode([]byte("x/" + id)),
		encode([]byte("+1/" + id)), encode([]byte("01/" + id)), encode([]byte("-0/" + id)), encode([]byte("1/" + id + "/")),
		encode([]byte("99999999999999999999/" + id)), Cursor{1, id}.Token() + "\n", Cursor{1, id}.Token() + "=",
		encode([]byte("1/" + strings.ToUpper(id))), encode([]byte("1/{" + id + "}")), encode([]byte("1/urn:uuid:" + id)),
		bytesOf(MaxPageToken + 1),
	} {
		_, err := ParseCursor(token)
		require.Error(t, err, "%q", token)
	}
}

func TestPolicy(t *testing.T) {
	for name, c := range map[string]struct {
		words, body string
		blocked     string // empty: approved
	}{
		"good":             {"orange", "an apple", ""},
		"alone":            {"orange", "orange", "orange"},
		"in_a_sentence":    {"orange", "I like orange juice.", "orange"},
		"case_of_the_text": {"orange", "ORaNGE!", "orange"},
		"case_of_the_list": {"ORANGE", "orange", "orange"},
		"longer_word":      {"orange", "oranges", ""},
		"shorter_word":     {"orange", "range", ""},
		"digit_is_a_word":  {"orange", "orange1", ""},
		"umlaut_is_a_word": {"orange", "orangeä", ""},
		"underscore":       {"orange", "an_orange", "orange"},
		"newlines":         {"orange", "a\norange\r\n", "orange"},
		"second_of_list":   {"apple, pear ,orange", "a pear", "pear"},
		"empty_list":       {"", "orange", ""},
		"commas_only":      {" , ,", "orange", ""},
		"unicode":          {"Ärger", "ÄRGER", "ärger"},
		"not_utf8":         {"orange", "\xfforange\xff", "orange"},
	} {
		t.Run(name, func(t *testing.T) {
			v := NewPolicy(c.words).Review(id, c.body)
			require.Equal(t, id, v.GetCommentId())
			require.Equal(t, c.blocked == "", v.GetApproved())
			require.NoError(t, v.GetCreateTime().CheckValid())
			if c.blocked == "" {
				require.Empty(t, v.GetReason())
			} else {
				require.Contains(t, v.GetReason(), c.blocked)
			}
		})
	}
	require.False(t, NewPolicy(DefaultBlockedWords).Review(id, "An orange.").GetApproved())
}

func TestNewIDsFollowFromTheRequest(t *testing.T) {
	require.Equal(t, NewID("post", id), NewID("post", id))
	require.NotEqual(t, NewID("post", id), NewID("comment", id))
	require.NotEqual(t, NewID("post", id), NewID("post", uuid.NewString()))
	require.NoError(t, CheckGetPost(&blogv1.GetPostRequest{Id: NewID("post", id)}))
	require.Equal(t, "a51d0fea-3220-55b5-b8f9-a517d5b50288", NewID("post", id), "ids may not change: requests are sent again after an upgrade")
}

func TestNewThings(t *testing.T) {
	p := NewPost(&blogv1.CreatePostRequest{RequestId: id, Author: "a", Title: "t", Body: "b"})
	require.Equal(t, []string{NewID("post", id), "a", "t", "b"}, []string{p.GetId(), p.GetAuthor(), p.GetTitle(), p.GetBody()})
	require.EqualValues(t, 1, p.GetVersion())
	require.Equal(t, p.GetCreateTime().AsTime(), p.GetUpdateTime().AsTime())
	require.Zero(t, p.GetCreateTime().GetNanos()%1000, "whole microseconds, as databases keep them")
	c := NewComment(&blogv1.CreateCommentRequest{RequestId: id, PostId: id, Author: "a", Body: "b"})
	require.Equal(t, []string{NewID("comment", id), id, "a", "b"}, []string{c.GetId(), c.GetPostId(), c.GetAuthor(), c.GetBody()})
	require.Equal(t, blogv1.CommentStatus_COMMENT_STATUS_PENDING, c.GetStatus())
	require.EqualValues(t, 1, c.GetVersion())
}

// FuzzParseCursor: no token panics, and one that is taken is the only token of its place.
func FuzzParseCursor(f *testing.F) {
	for _, token := range []string{"", "x", Cursor{1, id}.Token(), Cursor{-5, id}.Token(), base64.RawURLEncoding.EncodeToString([]byte("1/x"))} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		c, err := ParseCursor(token)
		if err != nil {
			require.True(t, errors.Is(err, errToken))
			return
		}
		require.Equal(t, token, c.Token())
		require.NoError(t, CheckListFeed(&blogv1.ListFeedRequest{PageToken: token}))
	})
}

// FuzzCursorRoundTrip: every place has a token that leads back to it.
func FuzzCursorRoundTrip(f *testing.F) {
	f.Add(int64(1), []byte("0123456789abcdef"))
	f.Fuzz(func(t *testing.T, micros int64, raw []byte) {
		u, err := uuid.FromBytes(raw)
		if err != nil {
			t.Skip()
		}
		c, err := ParseCursor(Cursor{micros, u.String()}.Token())
		require.NoError(t, err)
		require.Equal(t, Cursor{micros, u.String()}, c)
	})
}

// FuzzChecks: no text panics; what is taken keeps the limits of the contract, and what is refused names fields that exist.
func FuzzChecks(f *testing.F) {
	f.Add(id, "a", "t", "b", int32(1), "")
	f.Add("", "\xff", " ", bytesOf(MaxPostBody+1), int32(-1), "x")
	f.Fuzz(func(t *testing.T, requestID, author, title, body string, size int32, token string) {
		err := CheckCreatePost(&blogv1.CreatePostRequest{RequestId: requestID, Author: author, Title: title, Body: body})
		if err == nil {
			require.NoError(t, uuid.Validate(requestID))
			require.True(t, len(author) >= 1 && len(author) <= 64)
			require.True(t, len(title) >= 1 && len(title) <= 200 && len(body) >= 1 && len(body) <= 20_000)
		}
		require.Subset(t, []string{"request_id", "author", "title", "body"}, badFields(t, err))
		badFields(t, CheckCreateComment(&blogv1.CreateCommentRequest{RequestId: requestID, PostId: title, Author: author, Body: body}))
		badFields(t, CheckSubscribe(&blogv1.SubscribeRequest{RequestId: requestID, Author: author, Follower: title}))
		badFields(t, CheckListComments(&blogv1.ListCommentsRequest{
			PostId: requestID, Status: blogv1.CommentStatus(size), PageSize: size, PageToken: token,
		}))
		badFields(t, CheckGetAuthorPage(&blogv1.GetAuthorPageRequest{Author: author, PageSize: size, PageToken: token}))
		NewPolicy(title).Review(requestID, body)
	})
}
