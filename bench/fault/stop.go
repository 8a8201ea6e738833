package fault

import "context"

// newStop asks a part to stop (SIGTERM), which lets calls under way finish, and starts it again.
func newStop(e Env, s Spec) Fault {
	return newTimed(Stop, s.Victim, e.Now, deed{
		absent: !e.Stack.Has(s.Victim),
		do:     func(ctx context.Context) error { return e.Stack.StopPart(ctx, s.Victim) },
		undo:   restart(e.Stack, s.Victim),
		within: liftWithin, // a graceful stop takes as long as the calls under way
	})
}
