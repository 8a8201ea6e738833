package fault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"tandem/bench/cluster"
	blogv1 "tandem/proto/blog/v1"
	labv1 "tandem/proto/lab/v1"
	"tandem/shared/service"
)

// misbehavesAtMost ends a fault that nobody lifts: longer than any window, and short for a class.
const misbehavesAtMost = 5 * time.Minute

// misbehaviour asks a service to fail calls, or to be slow with calls or events, until it is told to stop or its time is over. The
// service must run with --lab-faults.
type misbehaviour struct {
	e Env
	s Spec
}

func newMisbehaviour(e Env, s Spec) Fault {
	m := &misbehaviour{e: e, s: s}
	absent := !e.Stack.Has(s.Victim) || s.Kind == SlowEvents && e.Stack.Stack() == cluster.Sync
	return newTimed(s.Kind, s.Victim, e.Now, deed{absent: absent, do: m.begin, undo: m.end, within: liftWithin})
}

func (m *misbehaviour) begin(ctx context.Context) error {
	return m.ask(func(conn *grpc.ClientConn) error {
		if _, err := labv1.NewFaultsServiceClient(conn).Inject(ctx, m.request()); err != nil {
			return err
		}
		return m.seen(ctx, conn)
	})
}

func (m *misbehaviour) end(ctx context.Context) error {
	return m.ask(func(conn *grpc.ClientConn) error {
		faults := labv1.NewFaultsServiceClient(conn)
		if _, err := faults.Lift(ctx, &labv1.LiftRequest{}); err != nil {
			return err
		}
		state, err := faults.GetFault(ctx, &labv1.GetFaultRequest{})
		if err == nil && state.GetInForce() {
			err = errors.New("it is still in force")
		}
		return err
	})
}

// ask connects to the service anew: a connection that a fault has broken must not delay the lift.
func (m *misbehaviour) ask(do func(*grpc.ClientConn) error) error {
	conn, err := grpc.NewClient(m.e.Stack.Address(m.s.Victim), service.DialOptions()...)
	if err != nil {
		return err
	}
	defer conn.Close()
	return do(conn)
}

func (m *misbehaviour) request() *labv1.InjectRequest {
	req := &labv1.InjectRequest{AtMost: durationpb.New(misbehavesAtMost)}
	slow := &labv1.Dawdling{Delay: durationpb.New(m.s.Delay), Jitter: durationpb.New(m.s.Jitter), Seed: m.e.Seed}
	switch m.s.Kind {
	case SlowCalls:
		req.Fault = &labv1.InjectRequest_SlowCalls{SlowCalls: slow}
	case SlowEvents:
		req.Fault = &labv1.InjectRequest_SlowEvents{SlowEvents: slow}
	default:
		code, _ := m.s.code() // checked by Spec.Check
		req.Fault = &labv1.InjectRequest_FailingCalls{FailingCalls: &labv1.Failing{
			Share: m.s.Share, Code: uint32(code), Seed: m.e.Seed, After: m.s.After,
		}}
	}
	return req
}

// seen sees a slow or failing call with a call of its own. A slow consumer is seen when the service says that it has delayed an event:
// the load brings them.
func (m *misbehaviour) seen(ctx context.Context, conn *grpc.ClientConn) error {
	if m.s.Kind == SlowEvents {
		return await(ctx, func(ctx context.Context) error {
			state, err := labv1.NewFaultsServiceClient(conn).GetFault(ctx, &labv1.GetFaultRequest{})
			if err == nil && state.GetStruck() == 0 {
				err = errors.New("no event has come yet that it could delay")
			}
			return err
		})
	}
	return await(ctx, func(ctx context.Context) error {
		start := time.Now()
		code := status.Code(m.call(ctx, conn))
		if m.s.Kind == SlowCalls && time.Since(start) < m.s.Delay-m.s.Jitter {
			return errors.New("a call was answered without delay")
		}
		if want, _ := m.s.code(); m.s.Kind == Errors && code != want {
			return fmt.Errorf("a call was answered with %v, not %v", code, want)
		}
		return nil
	})
}

// call makes a call that changes nothing. Its answer is an error when the service is well (no such thing), and that is an answer.
func (m *misbehaviour) call(ctx context.Context, conn *grpc.ClientConn) error {
	const nobody = "00000000-0000-4000-8000-000000000000"
	var err error
	switch m.s.Victim {
	case "posts":
		_, err = blogv1.NewPostsServiceClient(conn).ListPosts(ctx, &blogv1.ListPostsRequest{PageSize: 1})
	case "comments":
		_, err = blogv1.NewCommentsServiceClient(conn).ListComments(ctx, &blogv1.ListCommentsRequest{PostId: nobody, PageSize: 1})
	case "moderation":
		_, err = blogv1.NewModerationServiceClient(conn).GetVerdict(ctx, &blogv1.GetVerdictRequest{CommentId: nobody})
	case "subscriptions":
		_, err = blogv1.NewSubscriptionsServiceClient(conn).GetSubscriberCount(ctx, &blogv1.GetSubscriberCountRequest{Author: "nobody"})
	default:
		_, err = blogv1.NewQueryServiceClient(conn).GetPostPage(ctx, &blogv1.GetPostPageRequest{PostId: nobody, PageSize: 1})
	}
	if status.Code(err) == codes.NotFound {
		return nil
	}
	return err
}
