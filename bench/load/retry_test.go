package load

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tandem/bench/history"
)

// retrying is a fake, and a client with a deadline that sends a write up to 1+retries times.
func retrying(t *testing.T, deadline time.Duration, retries int) (*fake, *Client) {
	f := startFake(t)
	c := newTestClient(t, f, deadline)
	c.cfg.Retries = retries
	return f, c
}

// failFirst fails the first n calls with a code.
func failFirst(n int64, code codes.Code) (fail func(string) error, calls *atomic.Int64) {
	calls = &atomic.Int64{}
	return func(string) error {
		if calls.Add(1) <= n {
			return status.Error(code, "gone")
		}
		return nil
	}, calls
}

func perform(t *testing.T, c *Client, p Planned) *history.Operation {
	p.RequestID = requestID(newRand(1, 1))
	return c.Do(t.Context(), &p, Due{Intended: c.cfg.Clock.Now()})
}

func TestRetriesAreTheSameRequest(t *testing.T) {
	for name, breakIt := range map[string]func(*fake, func(string) error){
		"not_done":            func(f *fake, fail func(string) error) { f.before = fail },
		"done_and_reply_lost": func(f *fake, fail func(string) error) { f.after = fail },
	} {
		t.Run(name, func(t *testing.T) {
			f, c := retrying(t, patient, 3)
			fail, calls := failFirst(2, codes.Unavailable)
			f.set(func() { breakIt(f, fail) })
			o := perform(t, c, newPost())
			require.Equal(t, history.OK, o.Outcome)
			require.Equal(t, 3, o.Attempts)
			require.EqualValues(t, 3, calls.Load())
			require.Len(t, f.posts, 1, "one request has one effect")
			require.Equal(t, f.posts[0].GetId(), o.ID)
			require.GreaterOrEqual(t, o.Completed-o.Sent, 3*firstRetry, "a pause, and one of twice that")
		})
	}
}

func TestRetriesEnd(t *testing.T) {
	update := Planned{Op: UpdatePost, Post: 3, Comment: -1, Title: "title", Body: "body"} // of a post that is not there
	for name, c := range map[string]struct {
		plan     Planned
		retries  int
		failures int64
		code     codes.Code
		attempts int
		outcome  history.Outcome
		ends     string
	}{
		"none_asked_for":         {newPost(), 0, 99, codes.Unavailable, 1, history.Unknown, "UNAVAILABLE"},
		"after_the_last":         {newPost(), 2, 99, codes.Unavailable, 3, history.Unknown, "UNAVAILABLE"},
		"reads_have_none":        {Planned{Op: ListFeed, Post: -1, Comment: -1}, 2, 99, codes.Unavailable, 1, history.Fail, "UNAVAILABLE"},
		"not_for_other_codes":    {newPost(), 2, 99, codes.Internal, 1, history.Unknown, "INTERNAL"},
		"refused_at_the_second":  {update, 2, 1, codes.Unavailable, 2, history.Fail, "NOT_FOUND"},
		"not_after_a_success":    {newPost(), 2, 0, codes.Unavailable, 1, history.OK, "OK"},
		"success_at_the_last":    {newPost(), 2, 2, codes.Unavailable, 3, history.OK, "OK"},
		"no_more_than_asked_for": {newPost(), 2, 3, codes.Unavailable, 3, history.Unknown, "UNAVAILABLE"},
	} {
		t.Run(name, func(t *testing.T) {
			f, client := retrying(t, patient, c.retries)
			fail, _ := failFirst(c.failures, c.code)
			f.set(func() { f.before = fail })
			o := perform(t, client, c.plan)
			require.Equal(t, c.attempts, o.Attempts)
			require.Equal(t, c.outcome, o.Outcome)
			require.Equal(t, c.ends, o.Code)
		})
	}
}

// TestRetriesKeepTheDeadline: it is that of the operation and not of an attempt.
func TestRetriesKeepTheDeadline(t *testing.T) {
	f, c := retrying(t, 150*time.Millisecond, 1000)
	fail, _ := failFirst(1000, codes.Unavailable)
	f.set(func() { f.before = fail })
	o := perform(t, c, newPost())
	require.Equal(t, history.Unknown, o.Outcome)
	require.Greater(t, o.Attempts, 1)
	require.LessOrEqual(t, o.Attempts, 4, "pauses of 20, 40 and 80 ms")
}
