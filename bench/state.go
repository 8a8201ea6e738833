package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"tandem/bench/cluster"
)

const defaultStateDir = ".tandem"

// errHeld marks a state folder that a running `tandem up` has.
var errHeld = errors.New("held by a running `tandem up`")

// upState is what `tandem up` tells the commands in other terminals.
type upState struct {
	Tandem processRef `json:"tandem"`
	Socket string     `json:"socket"` // where it takes requests
	Parts  []upPart   `json:"parts"`
}

// upPart is one part of a stack that is up. While the part is down its pid is 0.
type upPart struct {
	Stack   string     `json:"stack"`
	Part    string     `json:"part"`
	Address string     `json:"address"`
	Process processRef `json:"process"`
}

// find returns a part by its names.
func (s upState) find(stack, part string) (upPart, bool) {
	for _, p := range s.Parts {
		if p.Stack == stack && p.Part == part {
			return p, true
		}
	}
	return upPart{}, false
}

// processRef names one process, also after its id has been given to another.
type processRef struct {
	Pid  int    `json:"pid"`
	Mark string `json:"mark"`
}

// refTo returns a reference to a living process, or the zero value, which refers to none.
func refTo(pid int) processRef {
	mark, err := cluster.Mark(pid)
	if err != nil {
		return processRef{}
	}
	return processRef{pid, mark}
}

func (r processRef) alive() bool { return cluster.SameProcess(r.Pid, r.Mark) }

// signal sends a signal to that process and no other: it is looked up first and checked then, and on Linux a looked-up
// process does not turn into another.
func (r processRef) signal(sig syscall.Signal) error {
	process, err := os.FindProcess(r.Pid)
	if err != nil {
		return err
	}
	defer process.Release() //nolint:errcheck // nothing to lose
	if !r.alive() {
		return os.ErrProcessDone
	}
	return process.Signal(sig)
}

// awaitGone tells whether the process ended in time.
func (r processRef) awaitGone(limit time.Duration) bool {
	for end := time.Now().Add(limit); r.alive(); time.Sleep(10 * time.Millisecond) { //nolint:forbidigo // a process that is not our child can only be polled
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// stateDir is the folder of one `tandem up`: its state, its lock, and per stack the data and the logs.
type stateDir string

func addStateDir(cmd *cobra.Command, dir *stateDir) {
	cmd.Flags().StringVar((*string)(dir), "dir", defaultStateDir, "`folder` for what is up: its state, data and logs")
}

func (d stateDir) file(name string) string { return filepath.Join(string(d), name) }

func (d stateDir) stack(name string) string { return filepath.Join(string(d), name) }

// command is a command line for another terminal.
func (d stateDir) command(line string) string {
	if d == defaultStateDir {
		return "tandem " + line
	}
	return fmt.Sprintf("tandem %s --dir %s", line, string(d))
}

// claim creates the folder if need be and makes it this process's own until release. errHeld if another has it.
func (d stateDir) claim() (release func(), err error) {
	if err := d.refuseForeign(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(string(d), 0o755); err != nil {
		return nil, err
	}
	return d.lock(os.O_CREATE)
}

// refuseForeign protects a folder that holds something else: what is up there would be mixed with it, and some of it deleted.
func (d stateDir) refuseForeign() error {
	entries, err := os.ReadDir(string(d))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(d.file("up.lock")); err != nil {
		return fmt.Errorf("%s holds other things: give an empty or a new folder with --dir", string(d))
	}
	return nil
}

// lock takes the lock of the folder, which the system takes back when this process ends, however it ends.
func (d stateDir) lock(create int) (release func(), err error) {
	file, err := os.OpenFile(d.file("up.lock"), os.O_RDWR|create, 0o644)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return func() { file.Close() }, nil
	}
	file.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errHeld
	}
	return nil, fmt.Errorf("lock %s: %w", d.file("up.lock"), err)
}

// load reads the state. fs.ErrNotExist if there is none.
func (d stateDir) load() (upState, error) {
	text, err := os.ReadFile(d.file("up.json"))
	if err != nil {
		return upState{}, err
	}
	var state upState
	if err := json.Unmarshal(text, &state); err != nil {
		return upState{}, fmt.Errorf("read %s: %w", d.file("up.json"), err)
	}
	return state, nil
}

// loadRunning reads the state of a running `tandem up`.
func (d stateDir) loadRunning() (upState, error) {
	state, err := d.load()
	if errors.Is(err, fs.ErrNotExist) || err == nil && !state.Tandem.alive() {
		return upState{}, fmt.Errorf("nothing is running: start it with `%s`", d.command("up"))
	}
	return state, err
}

// save replaces the state in one step, so that no reader sees half of it.
func (d stateDir) save(state upState) error {
	text, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}
	next := d.file("up.json.new")
	if err := os.WriteFile(next, append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(next, d.file("up.json"))
}

func (d stateDir) forget() { _ = os.Remove(d.file("up.json")) }

// longestSocket is one byte less than macOS allows for the path of a socket (Linux: 107).
const longestSocket = 103

// socket is where `tandem up` takes requests. In a folder whose path is too long for a socket it is among the temporary files.
func (d stateDir) socket() (string, error) {
	dir, err := filepath.Abs(string(d))
	if err != nil {
		return "", err
	}
	if path := filepath.Join(dir, "up.sock"); len(path) <= longestSocket {
		return path, nil
	}
	hash := fnv.New64a()
	fmt.Fprint(hash, dir)
	name := fmt.Sprintf("tandem-%d-%x.sock", os.Getuid(), hash.Sum64())
	if path := filepath.Join(os.TempDir(), name); len(path) <= longestSocket {
		return path, nil
	}
	return filepath.Join("/tmp", name), nil
}
