package fault

import (
	"context"
	"errors"
	"time"

	"tandem/shared/crash"
)

// crashWithin is how long a crash point may take to be passed as often as was asked for.
const crashWithin = 5 * time.Second

// newCrash has a service end itself at a crash point, as kill -9 would end it there, and starts it again. It works on programs
// built with the tag lab only: with others no crash is seen, and the record says so.
func newCrash(e Env, s Spec) (Fault, error) {
	pass, err := s.pass()
	if err != nil {
		return nil, err
	}
	folder := e.Stack.DataDir(s.Victim)
	return newTimed(s.Kind, s.Victim, e.Now, deed{
		absent: !e.Stack.Has(s.Victim),
		do: func(ctx context.Context) error {
			err := e.Stack.Provoke(ctx, s.Victim, func() error { return crash.Arm(folder, pass) })
			if err == nil {
				return nil
			}
			_, disarm := crash.Disarm(folder) // a crash after its time would belong to no fault
			return errors.Join(err, disarm)
		},
		undo:   restart(e.Stack, s.Victim),
		within: crashWithin,
	}), nil
}
