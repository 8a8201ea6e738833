package rules

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	blogv1 "tandem/proto/blog/v1"
)

// NewID returns the id of the thing that a request creates. It follows from the request's id, so that a request sent twice
// names the same thing, also where the first answer was lost between two services (UUID version 5, RFC 9562).
func NewID(thing, requestID string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("tandem:"+thing+":"+requestID)).String()
}

// Now is the time that goes into records, in whole microseconds as databases keep it.
func Now() *timestamppb.Timestamp {
	return timestamppb.New(time.Now().Truncate(time.Microsecond))
}

// NewPost returns the post that a valid request asks for.
func NewPost(r *blogv1.CreatePostRequest) *blogv1.Post {
	now := Now()
	return &blogv1.Post{
		Id: NewID("post", r.GetRequestId()), Author: r.GetAuthor(), Title: r.GetTitle(), Body: r.GetBody(),
		CreateTime: now, UpdateTime: now, Version: 1,
	}
}

// NewComment returns the comment that a valid request asks for, PENDING.
func NewComment(r *blogv1.CreateCommentRequest) *blogv1.Comment {
	now := Now()
	return &blogv1.Comment{
		Id: NewID("comment", r.GetRequestId()), PostId: r.GetPostId(), Author: r.GetAuthor(), Body: r.GetBody(),
		Status:     blogv1.CommentStatus_COMMENT_STATUS_PENDING,
		CreateTime: now, UpdateTime: now, Version: 1,
	}
}

// ReasonUnknownPost is why a comment is rejected whose post was never heard of.
const ReasonUnknownPost = "the post does not exist"

// Policy is what moderation rejects.
type Policy struct{ blocked map[string]bool }

// DefaultBlockedWords is the list that moderation starts with.
const DefaultBlockedWords = "orange"

// NewPolicy rejects texts that hold one of the words of a comma-separated list. Case does not matter; a word counts only as
// a whole ("orange", not "oranges").
func NewPolicy(words string) Policy {
	p := Policy{blocked: map[string]bool{}}
	for w := range strings.SplitSeq(words, ",") {
		if w = strings.ToLower(strings.TrimSpace(w)); w != "" {
			p.blocked[w] = true
		}
	}
	return p
}

// Review decides on one comment.
func (p Policy) Review(commentID, body string) *blogv1.Verdict {
	v := &blogv1.Verdict{CommentId: commentID, Approved: true, CreateTime: Now()}
	for w := range strings.FieldsFuncSeq(strings.ToLower(body), notInWord) {
		if p.blocked[w] {
			v.Approved, v.Reason = false, fmt.Sprintf("it holds the blocked word %q", w)
			return v
		}
	}
	return v
}

func notInWord(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// PageSize is how many entries a page has that was asked for with size.
func PageSize(size int32) int {
	switch {
	case size <= 0:
		return DefaultPage
	case size > MaxPage:
		return MaxPage
	}
	return int(size)
}

// Cursor is a place in a list that is ordered newest first: the entries after it are older than Micros, or as old with a
// smaller ID. The zero Cursor is the top of the list.
type Cursor struct {
	Micros int64 // Unix time
	ID     string
}

// Token is the cursor as a page_token; empty for the top of the list.
func (c Cursor) Token() string {
	if c == (Cursor{}) {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(c.Micros, 10) + "/" + c.ID))
}

var errToken = errors.New("not a page token")

// ParseCursor reads a page_token. A token that this service did not make is an error.
func ParseCursor(token string) (Cursor, error) {
	if token == "" {
		return Cursor{}, nil
	}
	if len(token) > MaxPageToken {
		return Cursor{}, errToken
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return Cursor{}, errToken
	}
	micros, id, found := strings.Cut(string(raw), "/")
	n, err := strconv.ParseInt(micros, 10, 64)
	if err != nil || !found || !isUUID(id) {
		return Cursor{}, errToken
	}
	c := Cursor{Micros: n, ID: id}
	if c.Token() != token { // one place, one token
		return Cursor{}, errToken
	}
	return c, nil
}
