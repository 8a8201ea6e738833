package trouble

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	labv1 "tandem/proto/lab/v1"
	"tandem/shared/problem"
)

const unavailable = 14

func failing(share float64, after bool) *labv1.InjectRequest {
	return &labv1.InjectRequest{
		Fault:  &labv1.InjectRequest_FailingCalls{FailingCalls: &labv1.Failing{Share: share, Code: unavailable, Seed: 1, After: after}},
		AtMost: durationpb.New(time.Minute),
	}
}

func slowCalls(delay, jitter time.Duration) *labv1.InjectRequest {
	return &labv1.InjectRequest{
		Fault: &labv1.InjectRequest_SlowCalls{
			SlowCalls: &labv1.Dawdling{Delay: durationpb.New(delay), Jitter: durationpb.New(jitter), Seed: 1},
		},
		AtMost: durationpb.New(time.Minute),
	}
}

func slowEvents(delay time.Duration) *labv1.InjectRequest {
	return &labv1.InjectRequest{
		Fault:  &labv1.InjectRequest_SlowEvents{SlowEvents: &labv1.Dawdling{Delay: durationpb.New(delay)}},
		AtMost: durationpb.New(time.Minute),
	}
}

func inject(t *testing.T, tr *Trouble, req *labv1.InjectRequest) {
	t.Helper()
	_, err := tr.Inject(t.Context(), req)
	require.NoError(t, err)
}

// call sends a call through, and tells whether it was carried out.
func call(ctx context.Context, tr *Trouble, method string) (done bool, err error) {
	_, err = tr.Calls(ctx, nil, &grpc.UnaryServerInfo{FullMethod: method}, func(context.Context, any) (any, error) {
		done = true
		return nil, nil
	})
	return done, err
}

const getPost = "/blog.v1.PostsService/GetPost"

func TestAProcessThatIsWell(t *testing.T) {
	for name, tr := range map[string]*Trouble{"nil": nil, "new": New()} {
		t.Run(name, func(t *testing.T) {
			done, err := call(t.Context(), tr, getPost)
			require.NoError(t, err)
			require.True(t, done)
			require.NoError(t, tr.Event(t.Context()))
			require.False(t, tr.SlowsEvents())
		})
	}
}

func TestFailingCalls(t *testing.T) {
	for _, tc := range []struct {
		name  string
		after bool
	}{{"not_done", false}, {"done_but_reply_lost", true}} {
		t.Run(tc.name, func(t *testing.T) {
			tr := New()
			inject(t, tr, failing(1, tc.after))
			done, err := call(t.Context(), tr, getPost)
			require.Equal(t, problem.Unavailable, problem.KindOf(err))
			require.ErrorContains(t, err, Message)
			require.Equal(t, tc.after, done)
		})
	}
}

// TestALostAnswerMayBeAnError: who lost it cannot know.
func TestALostAnswerMayBeAnError(t *testing.T) {
	tr := New()
	inject(t, tr, failing(1, true))
	_, err := tr.Calls(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: getPost}, func(context.Context, any) (any, error) {
		return nil, problem.NewNotFound("post", "p")
	})
	require.Equal(t, problem.Unavailable, problem.KindOf(err))
}

func TestAShareOfCallsFails(t *testing.T) {
	tr := New()
	inject(t, tr, failing(0.3, false))
	failed := int64(0)
	for range 1000 {
		if _, err := call(t.Context(), tr, getPost); err != nil {
			failed++
		}
	}
	require.InDelta(t, 300, failed, 60, "five standard deviations and more")
	state, err := tr.GetFault(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, failed, state.GetStruck())
	require.True(t, state.GetInForce())
}

func TestOtherCallsAreNeverStruck(t *testing.T) {
	tr := New()
	inject(t, tr, failing(1, false))
	for _, method := range []string{"/grpc.health.v1.Health/Check", "/lab.v1.FaultsService/Lift"} {
		_, err := call(t.Context(), tr, method)
		require.NoError(t, err, method)
	}
}

func TestSlowCalls(t *testing.T) {
	tr := New()
	inject(t, tr, slowCalls(30*time.Millisecond, 10*time.Millisecond))
	start := time.Now()
	done, err := call(t.Context(), tr, getPost)
	require.NoError(t, err)
	require.True(t, done)
	require.GreaterOrEqual(t, time.Since(start), 20*time.Millisecond)
	require.NoError(t, tr.Event(t.Context()), "events are another matter")
}

func TestASlowCallHeedsItsDeadline(t *testing.T) {
	tr := New()
	inject(t, tr, slowCalls(time.Minute, 0))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the caller is gone"))
	done, err := call(ctx, tr, getPost)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, done)
}

// TestLiftWakesThoseWhoWait: a lift must not take as long as the longest delay.
func TestLiftWakesThoseWhoWait(t *testing.T) {
	tr := New()
	inject(t, tr, slowEvents(time.Minute))
	require.True(t, tr.SlowsEvents())
	ended := make(chan error)
	go func() { ended <- tr.Event(context.Background()) }()
	require.Eventually(t, func() bool {
		state, err := tr.GetFault(t.Context(), nil)
		return err == nil && state.GetStruck() == 1
	}, 10*time.Second, time.Millisecond)
	lifted, err := tr.Lift(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, int64(1), lifted.GetStruck())
	require.NoError(t, <-ended)
	require.False(t, tr.SlowsEvents())
}

// TestAForgottenFaultEnds: nobody lifts it when the laboratory dies.
func TestAForgottenFaultEnds(t *testing.T) {
	tr := New()
	req := failing(1, false)
	req.AtMost = durationpb.New(time.Nanosecond)
	inject(t, tr, req)
	require.Eventually(t, func() bool {
		_, err := call(t.Context(), tr, getPost)
		return err == nil
	}, 10*time.Second, time.Millisecond)
}

func TestRequestsThatMeanNothing(t *testing.T) {
	edit := func(req *labv1.InjectRequest, change func(*labv1.InjectRequest)) *labv1.InjectRequest {
		change(req)
		return req
	}
	for name, tc := range map[string]struct {
		req   *labv1.InjectRequest
		field string
	}{
		"empty":       {&labv1.InjectRequest{}, "at_most"},
		"for_ever":    {edit(failing(1, false), func(r *labv1.InjectRequest) { r.AtMost = durationpb.New(time.Hour) }), "at_most"},
		"no_fault":    {&labv1.InjectRequest{AtMost: durationpb.New(time.Second)}, "fault"},
		"no_share":    {failing(0, false), "share"},
		"large_share": {failing(1.1, false), "share"},
		"nan_share":   {failing(math.NaN(), false), "share"},
		"ok_code":     {edit(failing(1, false), func(r *labv1.InjectRequest) { r.GetFailingCalls().Code = 0 }), "code"},
		"no_delay":    {slowCalls(0, 0), "delay"},
		"long_delay":  {slowEvents(time.Hour), "delay"},
		"wide_jitter": {slowCalls(time.Second, 2*time.Second), "jitter"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New().Inject(t.Context(), tc.req)
			require.Equal(t, problem.Invalid, problem.KindOf(err))
			require.ErrorContains(t, err, tc.field)
		})
	}
}
