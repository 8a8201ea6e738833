package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is one life of a part.
type process struct {
	cmd      *exec.Cmd
	stdin    io.Closer // the part stops when this ends, also when it ends because we are gone
	logStart int64     // where this life begins in the log, in bytes
	execAt   time.Time
	done     chan struct{} // closed once the process is reaped

	// Guarded by Cluster.mu.
	startUp time.Duration // from exec to SERVING; 0 before
	asked   bool          // we have asked it to end, so its end is no news
	ended   bool
}

// kill ends the process and returns once it is reaped.
func (p *process) kill(ctx context.Context) error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("process %d is still there after SIGKILL: %w", p.cmd.Process.Pid, ctx.Err())
	}
}

// askToStop asks in both ways that a service understands, and wakes one that is paused. Errors mean that it has ended already.
func (p *process) askToStop() {
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.stdin.Close()
}

// endsBefore waits for the process to end, kills it if it has not by the end of ctx, and tells whether that was unnecessary.
// It returns after the process is reaped.
func (p *process) endsBefore(ctx context.Context) bool {
	select {
	case <-p.done:
		return true
	case <-ctx.Done():
	}
	select {
	case <-p.done: // at the same moment
		return true
	default:
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return false
}

// launch starts a new life of a part and waits until it is SERVING. If it does not get there it is killed. The caller holds
// part.op, or nobody else knows the cluster yet.
func (c *Cluster) launch(ctx context.Context, p *part) (execAt time.Time, err error) {
	proc, err := c.spawn(p)
	if err != nil {
		return time.Time{}, fmt.Errorf("start %s: %w", p.name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.StartTimeout)
	defer cancel()
	if err = c.awaitServing(ctx, p, proc); err != nil {
		c.claim(p)
		_ = proc.cmd.Process.Kill()
		<-proc.done
	}
	return proc.execAt, err
}

// spawn starts the process of a part and the goroutine that reaps it.
func (c *Cluster) spawn(p *part) (*process, error) {
	log, err := os.OpenFile(p.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own copy
	proc := &process{cmd: c.command(p, log), done: make(chan struct{})}
	if info, err := log.Stat(); err == nil {
		proc.logStart = info.Size()
	}
	if proc.stdin, err = proc.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		_ = proc.stdin.Close()
		return nil, ErrStopped
	}
	proc.execAt = time.Now()
	if err := c.spawner.start(proc.cmd); err != nil {
		return nil, err
	}
	p.proc = proc
	c.reapers.Go(func() { c.reap(p, proc) })
	return proc, nil
}

func (c *Cluster) command(p *part, log *os.File) *exec.Cmd {
	cmd := exec.Command(p.binary, p.args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttributes()
	cmd.Env = append(os.Environ(), c.cfg.Env...) // of several values of a variable, the last one counts
	if c.cfg.Procs > 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("GOMAXPROCS=%d", c.cfg.Procs))
	}
	return cmd
}

// reap waits for the end of a process and accounts for it.
func (c *Cluster) reap(p *part, proc *process) {
	_ = proc.cmd.Wait() // ProcessState says it better
	defer close(proc.done)
	c.mu.Lock()
	defer c.mu.Unlock()
	proc.ended = true
	p.spent += proc.cmd.ProcessState.UserTime() + proc.cmd.ProcessState.SystemTime()
	if proc.asked || proc.startUp == 0 { // while it starts, launch reports its end
		return
	}
	select {
	case c.unexpected <- c.exitOf(p, proc):
	default:
	}
}

func (c *Cluster) exitOf(p *part, proc *process) *Exit {
	return &Exit{
		Part: p.name, State: proc.cmd.ProcessState.String(), Log: p.logFile, Tail: tailOf(p.logFile, proc.logStart),
	}
}

// awaitServing looks at a part until it does its work, its process ends, or ctx does.
func (c *Cluster) awaitServing(ctx context.Context, p *part, proc *process) error {
	for {
		look, cancel := context.WithTimeout(ctx, probeTimeout)
		err := p.answers(look, p.address)
		cancel()
		if err == nil && c.markServing(proc) {
			return nil
		}
		select {
		case <-proc.done:
			return fmt.Errorf("while starting, %w", c.exitOf(p, proc))
		case <-ctx.Done():
			return c.notServing(ctx, p, proc, err)
		case <-time.After(probeEvery):
		}
	}
}

// markServing notes that a part does its work, unless its process has ended: then another program answered.
func (c *Cluster) markServing(proc *process) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if proc.ended {
		return false
	}
	proc.startUp = time.Since(proc.execAt)
	return true
}

func (c *Cluster) notServing(ctx context.Context, p *part, proc *process, last error) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%s was starting: %w", p.name, ctx.Err())
	}
	return fmt.Errorf("%s is not SERVING after %v (last answer: %w); %s", p.name,
		time.Since(proc.execAt).Round(time.Millisecond), last, quoteLog(p.logFile, tailOf(p.logFile, proc.logStart)))
}

// claim returns the running process of a part, or nil, and notes that its end is asked for.
func (c *Cluster) claim(p *part) *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !p.running() {
		return nil
	}
	p.proc.asked = true
	return p.proc
}

// settle waits for the reaper of a part that somebody else has just killed: to the system it is gone, and we do not know yet.
func (c *Cluster) settle(p *part) {
	c.mu.Lock()
	proc, running := p.proc, p.running()
	c.mu.Unlock()
	if !running {
		return
	}
	if _, err := Mark(proc.cmd.Process.Pid); errors.Is(err, ErrNoProcess) {
		<-proc.done
	}
}

// claimSettled is claim after any Kill or Restart of the part under way is over.
func (c *Cluster) claimSettled(p *part) *process {
	p.op.Lock()
	defer p.op.Unlock()
	return c.claim(p)
}

// spawner starts processes from one operating system thread that lives as long as the cluster: Linux kills a child with
// Pdeathsig when the *thread* that forked it ends, and Go's threads come and go.
type spawner struct {
	jobs chan func()
	done chan struct{}
}

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func()), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *spawner) run() {
	defer close(s.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for job := range s.jobs {
		job()
	}
}

func (s *spawner) start(cmd *exec.Cmd) error {
	started := make(chan error, 1)
	s.jobs <- func() { started <- cmd.Start() }
	return <-started
}

// close ends the thread's duty. No child may be left.
func (s *spawner) close() {
	close(s.jobs)
	<-s.done
}
