package problem

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestKindsAndCodes: each kind has one code and comes back from it. The numbers pin the mapping: one that changed would pass a
// mere round trip.
func TestKindsAndCodes(t *testing.T) {
	want := map[Kind]codes.Code{
		Internal: codes.Internal, Invalid: codes.InvalidArgument, NotFound: codes.NotFound, Exhausted: codes.ResourceExhausted,
		Unavailable: codes.Unavailable, DeadlineExceeded: codes.DeadlineExceeded, Canceled: codes.Canceled,
	}
	require.Equal(t, want, codeOf)
	for kind, code := range want {
		s := ToStatus(New(kind, "it broke", errors.New("because")))
		require.Equal(t, code, s.Code())
		require.Equal(t, kind, KindOf(s.Err()))
		require.Equal(t, kind, KindOf(FromStatus("call a peer", s.Err())))
	}
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		if _, ours := want[KindOf(status.Error(code, "x"))]; !ours || want[KindOf(status.Error(code, "x"))] != code {
			require.Equal(t, Internal, KindOf(status.Error(code, "x")), "a code without a kind is Internal: %s", code)
		}
	}
}

func TestKindOf(t *testing.T) {
	invalid := NewInvalid(Field{"id", "is bad"})
	for name, c := range map[string]struct {
		err  error
		want Kind
	}{
		"nothing":           {nil, Internal},
		"anything":          {errors.New("x"), Internal},
		"error":             {invalid, Invalid},
		"wrapped":           {fmt.Errorf("create post: %w", invalid), Invalid},
		"joined":            {errors.Join(errors.New("x"), NewNotFound("post", "1")), NotFound},
		"outermost_wins":    {New(Unavailable, "x", invalid), Unavailable},
		"deadline":          {context.DeadlineExceeded, DeadlineExceeded},
		"wrapped_deadline":  {fmt.Errorf("read: %w", context.DeadlineExceeded), DeadlineExceeded},
		"canceled":          {context.Canceled, Canceled},
		"status":            {status.Error(codes.Unavailable, "gone"), Unavailable},
		"wrapped_status":    {fmt.Errorf("ask: %w", status.Error(codes.NotFound, "no")), NotFound},
		"unmapped_status":   {status.Error(codes.DataLoss, "no"), Internal},
		"kind_over_context": {New(Exhausted, "full", context.Canceled), Exhausted},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, KindOf(c.err)) })
	}
}

// hop is what an error goes through from a service to its caller.
func hop(err error) error { return FromStatus("ask a peer", ToStatus(err).Err()) }

func TestBadRequestSurvivesTwoHops(t *testing.T) {
	fields := []Field{{"title", "must have 1 to 200 bytes, has 0"}, {"body", "must not be blank"}}
	err := hop(hop(NewInvalid(fields...)))
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, fields, e.Fields)
	s := ToStatus(err)
	require.Equal(t, codes.InvalidArgument, s.Code())
	require.Len(t, s.Details(), 1, "told once, however many hops")
	require.Len(t, s.Details()[0].(*errdetails.BadRequest).GetFieldViolations(), 2)
}

func TestTextStaysPlain(t *testing.T) {
	require.Equal(t, `post "1" not found`, ToStatus(NewNotFound("post", "1")).Message())
	require.Equal(t, `ask a peer: ask a peer: post "1" not found`, ToStatus(hop(hop(NewNotFound("post", "1")))).Message())
	require.Equal(t, "unknown service", ToStatus(status.Error(codes.NotFound, "unknown service")).Message())
	require.Equal(t, "title is bad", ToStatus(NewInvalid(Field{"title", "is bad"}, Field{"body", "too"})).Message())
}

func TestInternalHidesItsText(t *testing.T) {
	for _, err := range []error{
		errors.New("secret"), New(Internal, "secret", nil), fmt.Errorf("x: %w", New(Internal, "y", errors.New("secret"))),
		status.Error(codes.Unknown, "secret"), hop(status.Error(codes.Internal, "secret")),
	} {
		s := ToStatus(err)
		require.Equal(t, codes.Internal, s.Code())
		require.NotContains(t, s.Message(), "secret")
		require.Contains(t, s.Message(), "log")
		require.Empty(t, s.Details())
	}
}

func TestNothingIsNoProblem(t *testing.T) {
	require.NoError(t, NewInvalid())
	require.NoError(t, FromStatus("ask a peer", nil))
}

func TestUnwrapFindsTheCause(t *testing.T) {
	cause := errors.New("cause")
	require.ErrorIs(t, New(Unavailable, "it broke", cause), cause)
	require.EqualError(t, New(Unavailable, "it broke", cause), "it broke: cause")
	require.EqualError(t, New(Unavailable, "it broke", nil), "it broke")
}
