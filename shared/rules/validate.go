// Package rules is the domain of the blog: what a request must look like, how things are named, and what moderation rejects.
// It knows nothing of storage or of transport.
package rules

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/problem"
)

// The limits of blog.v1, in bytes unless said otherwise. They are written in the proto's comments too.
const (
	MaxName        = 64
	MaxTitle       = 200
	MaxPostBody    = 20_000
	MaxCommentBody = 4_000
	MaxPageToken   = 256
	DefaultPage    = 20  // entries
	MaxPage        = 100 // entries
	MaxRequest     = 64 << 10
	MaxReply       = 4 << 20
)

// violations collects what is wrong with one request.
type violations []problem.Field

func (v *violations) add(name, format string, args ...any) {
	*v = append(*v, problem.Field{Name: name, Description: fmt.Sprintf(format, args...)})
}

func (v *violations) uuid(name, value string) {
	switch {
	case value == "":
		v.add(name, "is required: a UUID, for example from uuidgen, in lower case")
	case !isUUID(value):
		v.add(name, "must be a UUID of 36 characters in lower case")
	}
}

// isUUID takes one form only, which keeps ids comparable as text. uuid.Validate also takes others.
func isUUID(value string) bool {
	return len(value) == 36 && value == strings.ToLower(value) && uuid.Validate(value) == nil
}

func (v *violations) name(field, value string) {
	if value == "" || len(value) > MaxName {
		v.add(field, "must have 1 to %d bytes, has %d", MaxName, len(value))
		return
	}
	for _, r := range value {
		if !isNameRune(r) {
			v.add(field, "may hold letters, digits, '.', '_' and '-' only")
			return
		}
	}
}

func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-'
}

func (v *violations) text(field, value string, limit int) {
	switch {
	case value == "" || len(value) > limit:
		v.add(field, "must have 1 to %d bytes, has %d", limit, len(value))
	case !utf8.ValidString(value):
		v.add(field, "must be UTF-8")
	case strings.TrimSpace(value) == "":
		v.add(field, "must not be blank")
	}
}

func (v *violations) page(size int32, token string) {
	if size < 0 {
		v.add("page_size", "must not be negative, is %d", size)
	}
	if _, err := ParseCursor(token); err != nil {
		v.add("page_token", "must be the next_page_token of a page before")
	}
}

func (v violations) err() error { return problem.NewInvalid(v...) }

// CheckCreatePost returns an Invalid error naming each bad field, or nil. So do all functions called Check….
func CheckCreatePost(r *blogv1.CreatePostRequest) error {
	var v violations
	v.uuid("request_id", r.GetRequestId())
	v.name("author", r.GetAuthor())
	v.text("title", r.GetTitle(), MaxTitle)
	v.text("body", r.GetBody(), MaxPostBody)
	return v.err()
}

// CheckGetPost checks a GetPostRequest.
func CheckGetPost(r *blogv1.GetPostRequest) error {
	var v violations
	v.uuid("id", r.GetId())
	return v.err()
}

// CheckUpdatePost checks an UpdatePostRequest.
func CheckUpdatePost(r *blogv1.UpdatePostRequest) error {
	var v violations
	v.uuid("request_id", r.GetRequestId())
	v.uuid("id", r.GetId())
	v.text("title", r.GetTitle(), MaxTitle)
	v.text("body", r.GetBody(), MaxPostBody)
	return v.err()
}

// CheckDeletePost checks a DeletePostRequest.
func CheckDeletePost(r *blogv1.DeletePostRequest) error {
	var v violations
	v.uuid("request_id", r.GetRequestId())
	v.uuid("id", r.GetId())
	return v.err()
}

// CheckListPosts checks a ListPostsRequest.
func CheckListPosts(r *blogv1.ListPostsRequest) error {
	var v violations
	if r.GetAuthor() != "" {
		v.name("author", r.GetAuthor())
	}
	v.page(r.GetPageSize(), r.GetPageToken())
	return v.err()
}

// CheckCreateComment checks a CreateCommentRequest.
func CheckCreateComment(r *blogv1.CreateCommentRequest) error {
	var v violations
	v.uuid("request_id", r.GetRequestId())
	v.uuid("post_id", r.GetPostId())
	v.name("author", r.GetAuthor())
	v.text("body", r.GetBody(), MaxCommentBody)
	return v.err()
}

// CheckGetComment checks a GetCommentRequest.
func CheckGetComment(r *blogv1.GetCommentRequest) error {
	var v violations
	v.uuid("id", r.GetId())
	return v.err()
}

// CheckListComments checks a ListCommentsRequest.
func CheckListComments(r *blogv1.ListCommentsRequest) error {
	var v violations
	v.uuid("post_id", r.GetPostId())
	if _, known := blogv1.CommentStatus_name[int32(r.GetStatus())]; !known {
		v.add("status", "must be a status of blog.v1, is %d", r.GetStatus())
	}
	v.page(r.GetPageSize(), r.GetPageToken())
	return v.err()
}

// CheckReviewComment checks a ReviewCommentRequest.
func CheckReviewComment(r *blogv1.ReviewCommentRequest) error {
	var v violations
	v.uuid("request_id", r.GetRequestId())
	v.uuid("comment_id", r.GetCommentId())
	v.text("body", r.GetBody(), MaxCommentBody)
	return v.err()
}

// CheckGetVerdict checks a GetVerdictRequest.
func CheckGetVerdict(r *blogv1.GetVerdictRequest) error {
	var v violations
	v.uuid("comment_id", r.GetCommentId())
	return v.err()
}

// CheckSubscribe checks a SubscribeRequest.
func CheckSubscribe(r *blogv1.SubscribeRequest) error {
	return checkSubscription(r.GetRequestId(), r.GetAuthor(), r.GetFollower())
}

// CheckUnsubscribe checks an UnsubscribeRequest.
func CheckUnsubscribe(r *blogv1.UnsubscribeRequest) error {
	return checkSubscription(r.GetRequestId(), r.GetAuthor(), r.GetFollower())
}

func checkSubscription(requestID, author, follower string) error {
	var v violations
	v.uuid("request_id", requestID)
	v.name("author", author)
	v.name("follower", follower)
	return v.err()
}

// CheckGetSubscriberCount checks a GetSubscriberCountRequest.
func CheckGetSubscriberCount(r *blogv1.GetSubscriberCountRequest) error {
	var v violations
	v.name("author", r.GetAuthor())
	return v.err()
}

// CheckGetPostPage checks a GetPostPageRequest.
func CheckGetPostPage(r *blogv1.GetPostPageRequest) error {
	var v violations
	v.uuid("post_id", r.GetPostId())
	v.page(r.GetPageSize(), r.GetPageToken())
	return v.err()
}

// CheckListFeed checks a ListFeedRequest.
func CheckListFeed(r *blogv1.ListFeedRequest) error {
	var v violations
	v.page(r.GetPageSize(), r.GetPageToken())
	return v.err()
}

// CheckGetAuthorPage checks a GetAuthorPageRequest.
func CheckGetAuthorPage(r *blogv1.GetAuthorPageRequest) error {
	var v violations
	v.name("author", r.GetAuthor())
	v.page(r.GetPageSize(), r.GetPageToken())
	return v.err()
}
