package conformance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	blogv1 "tandem/proto/blog/v1"
)

func (s *suite) moderationChecks() map[string][]check {
	return map[string][]check{
		"ReviewComment": {
			{"approves_or_rejects_by_whole_words", s.reviewByWords},
			{"second_review_is_the_first_verdict", s.reviewTwice},
		},
		"GetVerdict": {{"answers_the_verdict_as_stored", s.getVerdict}, {"not_reviewed_is_NOT_FOUND", s.getVerdictUnknown}},
	}
}

func (s *suite) review(t require.TestingT, commentID, body string) *blogv1.Verdict {
	return must(t, s.moderation.ReviewComment,
		&blogv1.ReviewCommentRequest{RequestId: newID(), CommentId: commentID, Body: body}).GetVerdict()
}

func (s *suite) reviewByWords(t *testing.T) {
	for body, ok := range map[string]bool{
		"orange": false, "ORANGE": false, "OrAnGe": false, "an orange.": false, "(orange)": false, "orange's": false,
		"blood-orange": false, "a\norange\nb": false, "orange\x00": false, "🍊orange🍊": false, "ends with orange": false,
		"oranges": true, "orangey": true, "blorange": true, "o range": true, "or-ange": true, "0range": true, "apple": true,
		"orange2": true, "orangeé": true,
	} {
		v := s.review(t, newID(), body)
		require.Equal(t, ok, v.GetApproved(), "%q", body)
		require.Equal(t, ok, v.GetReason() == "", "a reason goes with a rejection, and only with that: %q", v.GetReason())
	}
}

func (s *suite) reviewTwice(t *testing.T) {
	for _, body := range []string{goodBody, badBody} {
		id := newID()
		first := s.review(t, id, body)
		requireSame(t, first, s.review(t, id, badBody))
		requireSame(t, first, s.review(t, id, goodBody))
		requireSame(t, first, must(t, s.moderation.GetVerdict, &blogv1.GetVerdictRequest{CommentId: id}).GetVerdict())
	}
}

func (s *suite) getVerdict(t *testing.T) {
	id, before := newID(), time.Now()
	reviewed := s.review(t, id, badBody)
	v := must(t, s.moderation.GetVerdict, &blogv1.GetVerdictRequest{CommentId: id}).GetVerdict()
	requireSame(t, reviewed, v)
	require.Equal(t, id, v.GetCommentId())
	require.False(t, v.GetApproved())
	require.Contains(t, v.GetReason(), "orange", "the reason names the blocked word")
	requireTime(t, v.GetCreateTime(), before, time.Now())
}

func (s *suite) getVerdictUnknown(t *testing.T) {
	_, err := try(s.moderation.GetVerdict, &blogv1.GetVerdictRequest{CommentId: newID()})
	requireCode(t, codes.NotFound, err)
}
