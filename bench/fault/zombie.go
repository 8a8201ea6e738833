package fault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tandem/bench/cluster"
)

// togetherFor is how long a process that was taken for dead and its successor run side by side.
const togetherFor = 2 * time.Second

// zombie pauses a consumer, and starts a second process over the same database, as whoever takes the first one for dead does. When it
// is lifted the first one goes on where it stood, both run for a while, and the second one is stopped. In sync nobody consumes.
type zombie struct {
	stack  Stack
	victim string
}

func newZombie(e Env, s Spec) Fault {
	z := &zombie{stack: e.Stack, victim: s.Victim}
	return newTimed(Zombie, s.Victim, e.Now, deed{
		absent: e.Stack.Stack() == cluster.Sync, do: z.begin, undo: z.end, within: liftWithin,
	})
}

// begin returns once the first process stands still and the second one is SERVING.
func (z *zombie) begin(ctx context.Context) error {
	if err := await(ctx, z.pause); err != nil {
		return err
	}
	if err := z.stack.StartTwin(ctx, z.victim); err != nil {
		return err
	}
	return silent(ctx, func(ctx context.Context) error { return z.stack.Answers(ctx, z.victim) })
}

// pause stops the process between two transactions: in the midst of one it would hold the database's lock, and no successor could
// be one.
func (z *zombie) pause(ctx context.Context) error {
	if err := z.stack.Pause(ctx, z.victim); err != nil {
		return err
	}
	holds, err := writes(filepath.Join(z.stack.DataDir(z.victim), z.victim+".db"))
	if err == nil && holds {
		err = errors.New("it was in the midst of a transaction each time")
	}
	if err != nil {
		return errors.Join(err, z.stack.Resume(ctx, z.victim))
	}
	return nil
}

// writeLock is the byte of a database's -shm file that is locked while a process writes (https://www.sqlite.org/walformat.html,
// section 2.3.1).
const writeLock = 120

// writes tells whether a process is in the midst of a transaction that changes a database.
func writes(path string) (bool, error) {
	file, err := os.OpenFile(path+"-shm", os.O_RDWR, 0)
	if err != nil {
		return false, fmt.Errorf("look at the locks of the database: %w", err)
	}
	defer file.Close()
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: 0, Start: writeLock, Len: 1}
	if err := syscall.FcntlFlock(file.Fd(), syscall.F_GETLK, &lock); err != nil {
		return false, fmt.Errorf("look at the locks of %s: %w", file.Name(), err)
	}
	return lock.Type != syscall.F_UNLCK, nil
}

// end stops the second process whatever becomes of the first one.
func (z *zombie) end(ctx context.Context) error {
	answers := func(ctx context.Context) error { return z.stack.Answers(ctx, z.victim) }
	first := errors.Join(z.stack.Resume(ctx, z.victim), await(ctx, answers))
	if first == nil {
		first = sleep(ctx, togetherFor)
	}
	second := z.stack.StopTwin(ctx, z.victim)
	if errors.Is(second, cluster.ErrNotRunning) && first == nil {
		return errors.Join(errNothingToMend, second)
	}
	return errors.Join(first, second)
}
