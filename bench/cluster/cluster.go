// Package cluster runs the processes of one stack on this machine: it starts them, kills them, starts them again, counts
// what they use, and leaves none behind. It knows the names, flags and addresses of the services, and nothing of what they
// do.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// The stacks.
const (
	Sync  = "sync"
	Async = "async"
)

// Defaults and bounds.
const (
	defaultStartTimeout = 15 * time.Second
	defaultDrainTimeout = 5 * time.Second
	// killTimeout bounds a kill, whose effect a healthy machine shows within milliseconds.
	killTimeout = 5 * time.Second
	// stopGrace is what a part gets on top of its drain timeout to close its files.
	stopGrace = 2 * time.Second
	// unread is how many exits are kept for a caller that does not read Unexpected.
	unread = 64
)

var (
	// ErrNotRunning marks a part that cannot be killed because it is down.
	ErrNotRunning = errors.New("it is not running")
	// ErrRunning marks a part that cannot be started because it is up.
	ErrRunning = errors.New("it is running")
	// ErrStopped marks a cluster that has been stopped.
	ErrStopped = errors.New("the cluster is stopped")
	// ErrPortInUse marks an address that another program has.
	ErrPortInUse = errors.New("port in use")
)

// Config says what to run. The settings that are empty are left to the services' own defaults.
type Config struct {
	Stack  string // Sync or Async
	BinDir string // where `make build` put the binaries
	Dir    string // gets data/<part>/ and logs/<part>.log; what is there stays

	// FreePorts takes ports that are free instead of the usual ones, so that several clusters can run at once.
	FreePorts bool

	SyncLevel  string // of sync: naive, deadline, retry, budget, breaker or fallback
	AsyncLevel string // of async: direct, outbox, idempotent or dead-letter
	Acks       string // of async: none, one or all

	// UnknownPostAfter, of async: how long a comment waits for word of its post before it is rejected; 0 leaves it alone.
	UnknownPostAfter time.Duration

	// ReplyAfterVerdict, of async: CreateComment is answered only when the verdict has come back through the broker.
	ReplyAfterVerdict bool

	DBSync string // normal or full

	// LabFaults lets the laboratory make the services misbehave (lab.v1.FaultsService).
	LabFaults bool
	// Narrow are the bottlenecks of services, by their names, as --lab-narrow takes them. A service that is restarted has its own again.
	Narrow map[string]string

	// Procs is GOMAXPROCS of every process; 0 leaves it alone.
	Procs int
	// Env is what every process has in its environment beside what the laboratory has in its own, as NAME=value.
	Env []string

	// Mistake, if set, has the programs of BinDir/lab run, which were built with the tag lab, and every process make the mistake of that
	// name (shared/mutant); NoMistake for none. Nothing that is measured so is of the real stack.
	Mistake string

	// Via, if set, says where one part finds another one (or, for "users", where its clients do), given the callee's own address:
	// wire.Net's Via puts a proxy in between. Address and Addresses go on telling the own addresses.
	Via func(from, to, address string) (string, error)

	StartTimeout time.Duration // from exec until a part is SERVING; 0 is 15 s
	DrainTimeout time.Duration // for calls under way after SIGTERM; 0 is 5 s
}

// Level is the protection level of the stack that runs; empty for its services' own default.
func (cfg Config) Level() string {
	if cfg.Stack == Sync {
		return cfg.SyncLevel
	}
	return cfg.AsyncLevel
}

// Cluster is the running processes of one stack. Its methods may be called from several goroutines.
type Cluster struct {
	cfg     Config
	parts   []*part // in the order of their start
	spawner *spawner

	life     context.Context // ends when Stop begins
	endLife  context.CancelFunc
	stopOnce sync.Once
	stopErr  error

	reapers    sync.WaitGroup
	unexpected chan *Exit

	mu      sync.Mutex // guards stopped and what part and process say it does
	stopped bool
}

// Start starts every part of a stack, the broker first, and returns once each is SERVING. If one cannot start, or ctx ends,
// all are killed and the error says which and why, with the end of its log. After Start ctx no longer matters: Stop ends
// the cluster.
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	c, err := prepare(cfg)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", cfg.Stack, err)
	}
	if err := c.startAll(ctx); err != nil {
		c.abort()
		return nil, fmt.Errorf("start %s: %w", cfg.Stack, err)
	}
	return c, nil
}

// prepare does all that can fail before the first process runs.
func prepare(cfg Config) (*Cluster, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	parts, err := layOut(cfg)
	if err != nil {
		return nil, err
	}
	if err := checkBinaries(cfg, parts); err != nil {
		return nil, err
	}
	if err := checkPorts(parts); err != nil {
		return nil, err
	}
	if err := makeFolders(parts); err != nil {
		return nil, err
	}
	c := &Cluster{cfg: cfg, parts: parts, spawner: newSpawner(), unexpected: make(chan *Exit, unread)}
	c.life, c.endLife = context.WithCancel(context.Background())
	return c, nil
}

// complete fills in the defaults and makes the folders absolute.
func (cfg Config) complete() (Config, error) {
	if cfg.Stack != Sync && cfg.Stack != Async {
		return cfg, fmt.Errorf("unknown stack %q: use %s or %s", cfg.Stack, Sync, Async)
	}
	if cfg.StartTimeout == 0 {
		cfg.StartTimeout = defaultStartTimeout
	}
	if cfg.DrainTimeout == 0 {
		cfg.DrainTimeout = defaultDrainTimeout
	}
	var err error
	if cfg.BinDir, err = filepath.Abs(cfg.BinDir); err != nil {
		return cfg, err
	}
	cfg = cfg.withMistake()
	cfg.Dir, err = filepath.Abs(cfg.Dir)
	return cfg, err
}

func makeFolders(parts []*part) error {
	for _, p := range parts {
		for _, dir := range []string{p.dataDir, filepath.Dir(p.logFile)} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Cluster) startAll(ctx context.Context) error {
	for _, stage := range c.stages() {
		group, ctx := errgroup.WithContext(ctx)
		for _, p := range stage {
			group.Go(func() error {
				_, err := c.launch(ctx, p)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// stages are the parts that start together, in order: the broker is there before those that need it.
func (c *Cluster) stages() [][]*part {
	if c.cfg.Stack == Sync {
		return [][]*part{c.parts}
	}
	return [][]*part{c.parts[:1], c.parts[1:]}
}

// Kill ends a part with SIGKILL and returns once its process is reaped and its address refuses connections. It is an error
// if that is not so when ctx ends, or after 5 s, and ErrNotRunning if the part is down already.
func (c *Cluster) Kill(ctx context.Context, name string) error {
	p, err := c.part(name)
	if err != nil {
		return err
	}
	p.op.Lock()
	defer p.op.Unlock()
	proc := c.claim(p)
	if proc == nil {
		return fmt.Errorf("kill %s: %w", name, ErrNotRunning)
	}
	ctx, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	if err := proc.kill(ctx); err != nil {
		return fmt.Errorf("kill %s: %w", name, err)
	}
	if err := awaitRefused(ctx, p.address); err != nil {
		return fmt.Errorf("kill %s: its process is gone, and %s still accepts connections: another program has it: %w",
			name, p.address, err)
	}
	return nil
}

// Restart starts a part that is down, waits until it is SERVING, and returns when exec was called. If the part does not
// become SERVING before ctx ends or the start timeout is over, it is killed and the error holds the end of its log.
// ErrRunning if the part is up, ErrStopped after Stop.
func (c *Cluster) Restart(ctx context.Context, name string) (time.Time, error) {
	p, err := c.part(name)
	if err != nil {
		return time.Time{}, err
	}
	p.op.Lock()
	defer p.op.Unlock()
	c.settle(p)
	if c.Pid(name) != 0 {
		return time.Time{}, fmt.Errorf("restart %s: %w", name, ErrRunning)
	}
	if !refuses(ctx, p.address) {
		return time.Time{}, fmt.Errorf("restart %s: %w: another program has taken %s: stop it first", name, ErrPortInUse, p.address)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	at, err := c.launch(ctx, p)
	if err != nil {
		return at, fmt.Errorf("restart %s: %w", name, err)
	}
	return at, nil
}

// Pause stops a part's process where it stands (SIGSTOP): its connections stay open and nobody answers. It returns once the system
// says that it has stopped. ErrNotRunning if the part is down.
func (c *Cluster) Pause(ctx context.Context, name string) error {
	return c.signal(ctx, name, "pause", syscall.SIGSTOP, true)
}

// Resume lets a paused part go on (SIGCONT), and returns once it does. A part that was not paused is left as it is.
func (c *Cluster) Resume(ctx context.Context, name string) error {
	return c.signal(ctx, name, "resume", syscall.SIGCONT, false)
}

// FillDisk has a running part find no room on its disk: whatever would make one of its files longer fails. Its log goes to a file too, so it
// can say nothing about it either. A part that is started again has room. Only on Linux.
func (c *Cluster) FillDisk(name string) error {
	return c.toProcess(name, "fill the disk of", forbidGrowth)
}

// FreeDisk ends FillDisk. ErrNotRunning if the part is down.
func (c *Cluster) FreeDisk(name string) error {
	return c.toProcess(name, "free the disk of", allowGrowth)
}

// toProcess does something to the process of a part, which nobody kills or restarts meanwhile.
func (c *Cluster) toProcess(name, what string, do func(pid int) error) error {
	p, err := c.part(name)
	if err != nil {
		return err
	}
	p.op.Lock()
	defer p.op.Unlock()
	pid := c.Pid(name)
	if pid == 0 {
		return fmt.Errorf("%s %s: %w", what, name, ErrNotRunning)
	}
	if err := do(pid); err != nil {
		return fmt.Errorf("%s %s: %w", what, name, err)
	}
	return nil
}

// signal sends a signal that stops a process or lets it go on, and returns once that is so.
func (c *Cluster) signal(ctx context.Context, name, what string, s syscall.Signal, stopped bool) error {
	return c.toProcess(name, what, func(pid int) error {
		if err := syscall.Kill(pid, s); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, killTimeout)
		defer cancel()
		for {
			if is, err := isStopped(pid); err != nil || is == stopped {
				return err
			}
			if err := pause(ctx); err != nil {
				return fmt.Errorf("process %d did not heed the signal: %w", pid, err)
			}
		}
	})
}

// StopPart asks one part to stop (SIGTERM), and returns once its process is reaped: it drains within its drain timeout. If it does not
// end in time it is killed, and that is an error. ErrNotRunning if the part is down.
func (c *Cluster) StopPart(ctx context.Context, name string) error {
	p, err := c.part(name)
	if err != nil {
		return err
	}
	p.op.Lock()
	defer p.op.Unlock()
	proc := c.claim(p)
	if proc == nil {
		return fmt.Errorf("stop %s: %w", name, ErrNotRunning)
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DrainTimeout+stopGrace)
	defer cancel()
	proc.askToStop()
	if !proc.endsBefore(ctx) {
		return fmt.Errorf("stop %s: it did not end in time and was killed: see %s", name, p.logFile)
	}
	return nil
}

// Answers asks a part whether it does its work, at its own address. It returns nil if it says so before ctx ends.
func (c *Cluster) Answers(ctx context.Context, name string) error {
	return c.AnswersAt(ctx, name, c.Address(name))
}

// AnswersAt asks the same at another address that leads to the part: through a proxy.
func (c *Cluster) AnswersAt(ctx context.Context, name, address string) error {
	p, err := c.part(name)
	if err != nil {
		return err
	}
	return p.answers(ctx, address)
}

// DataDir returns the folder of a part's data, or "" if there is no such part.
func (c *Cluster) DataDir(name string) string {
	p, err := c.part(name)
	if err != nil {
		return ""
	}
	return p.dataDir
}

// Stop asks every part to stop, the broker after the services, and waits for their drain timeout and 2 s more. What still
// runs then, or when ctx ends, is killed, and the error names it. Stop returns when no process is left; calling it again
// returns the same.
func (c *Cluster) Stop(ctx context.Context) error {
	c.stopOnce.Do(func() {
		c.refuseStarts()
		killed := c.stopTwins(ctx)
		stages := c.stages()
		for _, stage := range slices.Backward(stages) {
			killed = append(killed, c.stopStage(ctx, stage)...)
		}
		c.release()
		if len(killed) > 0 {
			c.stopErr = fmt.Errorf("stop %s: %v had to be killed: see the logs in %s",
				c.cfg.Stack, killed, filepath.Join(c.cfg.Dir, "logs"))
		}
	})
	return c.stopErr
}

// stopStage stops parts side by side and returns the names of those that had to be killed.
func (c *Cluster) stopStage(ctx context.Context, stage []*part) []string {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DrainTimeout+stopGrace)
	defer cancel()
	asked := make(map[*part]*process)
	for _, s := range slices.Backward(stage) {
		if proc := c.claimSettled(s); proc != nil {
			proc.askToStop()
			asked[s] = proc
		}
	}
	var killed []string
	for _, p := range stage {
		if proc := asked[p]; proc != nil && !proc.endsBefore(ctx) {
			killed = append(killed, p.name)
		}
	}
	return killed
}

// abort ends a cluster whose start failed: nothing in it is worth a graceful stop.
func (c *Cluster) abort() {
	c.stopOnce.Do(func() {
		c.refuseStarts()
		for _, p := range c.parts {
			if proc := c.claimSettled(p); proc != nil {
				proc.cmd.Process.Kill() //nolint:errcheck // it has ended already, or the reaper sees it end
			}
		}
		c.release()
	})
}

func (c *Cluster) refuseStarts() {
	c.mu.Lock()
	c.stopped = true
	c.mu.Unlock()
	c.endLife()
}

// release waits for everything that the cluster owns. All processes have been asked to end, or have been killed.
func (c *Cluster) release() {
	c.reapers.Wait()
	c.spawner.close()
	close(c.unexpected)
}

// Unexpected reports each part that ended although nobody asked. It is closed by Stop. A caller that does not read it loses
// what comes after the first 64.
func (c *Cluster) Unexpected() <-chan *Exit { return c.unexpected }

// Exit is the end of a part that nobody asked for.
type Exit struct {
	Part  string
	State string // for example "exit status 1" or "signal: killed"
	Log   string // the path of its log
	Tail  string // the last lines that it logged in this life; may be empty
}

// Error says which part ended, how, and where to read more.
func (e *Exit) Error() string {
	return fmt.Sprintf("%s ended (%s); %s", e.Part, e.State, quoteLog(e.Log, e.Tail))
}

// Stack returns Sync or Async.
func (c *Cluster) Stack() string { return c.cfg.Stack }

// Parts returns the names of the parts in the order of their start: the five services, in async after "broker".
func (c *Cluster) Parts() []string {
	var names []string
	for _, p := range c.parts {
		names = append(names, p.name)
	}
	return names
}

// Has tells whether the stack has a part of that name.
func (c *Cluster) Has(name string) bool {
	_, err := c.part(name)
	return err == nil
}

// Address returns where a part listens, as host:port, or "" if there is no such part.
func (c *Cluster) Address(name string) string { return c.Addresses()[name] }

// Addresses returns where each part listens, as host:port.
func (c *Cluster) Addresses() map[string]string {
	all := make(map[string]string)
	for _, p := range c.parts {
		all[p.name] = p.address
	}
	return all
}

// LogFile returns the path of a part's log, or "" if there is no such part. All lives of a part share one log.
func (c *Cluster) LogFile(name string) string {
	p, err := c.part(name)
	if err != nil {
		return ""
	}
	return p.logFile
}

// Pid returns the process id of a part, or 0 while it is down.
func (c *Cluster) Pid(name string) int {
	p, err := c.part(name)
	if err != nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !p.running() {
		return 0
	}
	return p.proc.cmd.Process.Pid
}

// StartUp returns how long the newest life of a part took from exec until it was SERVING, or 0 if it is not there yet.
func (c *Cluster) StartUp(name string) time.Duration {
	p, err := c.part(name)
	if err != nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.proc == nil {
		return 0
	}
	return p.proc.startUp
}

// Usage is what a part has consumed.
type Usage struct {
	CPU time.Duration // user and system time of all its lives
	RSS int64         // resident memory now, in bytes; 0 while it is down
}

// Usage returns what a part has used so far. ok is false where the system does not tell (anywhere but on Linux).
func (c *Cluster) Usage(name string) (u Usage, ok bool) {
	p, err := c.part(name)
	if err != nil {
		return Usage{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !p.running() {
		return Usage{CPU: p.spent}, usageKnown
	}
	u, ok = usageOf(p.proc.cmd.Process.Pid)
	u.CPU += p.spent
	return u, ok
}

func (c *Cluster) part(name string) (*part, error) {
	for _, p := range c.parts {
		if p.name == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("%s has no part %q: it has %v", c.cfg.Stack, name, c.Parts())
}
