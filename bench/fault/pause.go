package fault

import (
	"context"
	"errors"
	"time"
)

// silence is how long a part must say nothing to count as silent.
const silence = 100 * time.Millisecond

// newPause stops a part's process where it stands (SIGSTOP): its connections stay open, and nobody answers.
func newPause(e Env, s Spec) Fault {
	return newTimed(Pause, s.Victim, e.Now, deed{
		absent: !e.Stack.Has(s.Victim),
		do: func(ctx context.Context) error {
			if err := e.Stack.Pause(ctx, s.Victim); err != nil {
				return err
			}
			return silent(ctx, func(ctx context.Context) error { return e.Stack.Answers(ctx, s.Victim) })
		},
		undo: func(ctx context.Context) error {
			if err := e.Stack.Resume(ctx, s.Victim); err != nil {
				return err
			}
			return await(ctx, func(ctx context.Context) error { return e.Stack.Answers(ctx, s.Victim) })
		},
	})
}

// silent returns nil if nothing answers for a while.
func silent(ctx context.Context, answers func(context.Context) error) error {
	look, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	start := time.Now()
	if answers(look) == nil {
		return errors.New("it still answers")
	}
	if time.Since(start) < silence*9/10 { // a connection's own deadline may end a moment before the context's
		return errors.New("it refuses, where it should say nothing")
	}
	return nil
}
