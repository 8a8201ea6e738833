package fault

import (
	"context"
	"errors"
	"time"

	"tandem/bench/cluster"
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
		absent: !e.Stack.Has(s.Victim) || !passes(e.Stack.Stack(), pass.Point),
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

// passes tells whether the services of a stack can ever come to a crash point: sync has no relay and no consumers, and in async nobody
// calls another service.
func passes(stack string, point crash.Point) bool {
	switch point {
	case crash.RelayBeforePublish, crash.RelayAfterPublish, crash.RelayAfterSent,
		crash.ConsumerBeforeCommit, crash.ConsumerBeforeOffset, crash.ConsumerAfterCommit:
		return stack == cluster.Async
	case crash.PeerAfterCall:
		return stack == cluster.Sync
	}
	return true
}
