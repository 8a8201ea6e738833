// Package crash has the points at which a service can be made to crash on purpose, so that interleavings which a kill from
// outside hardly ever hits are hit at will. They exist in programs built with the tag lab only: in all others At is empty,
// and the compiler leaves nothing of it.
//
// A point is armed by a file in the data folder of a service, at any time: Arm writes it. The n-th pass through the point
// from then on ends the process as kill -9 does. The file is put out of the way before, so that a data folder sees one crash
// for each time it was armed, and the service that is started again does not crash again.
package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Point names a place in the code.
type Point string

// The points: where a crash parts two things that should be one.
const (
	// RequestBeforeCommit: the change of a request is written and not committed.
	RequestBeforeCommit Point = "request-before-commit"
	// RequestAfterCommit: it is committed and nobody was told. (At level direct its event is not published either.)
	RequestAfterCommit Point = "request-after-commit"
	// RelayBeforePublish: the relay has a batch in hand.
	RelayBeforePublish Point = "relay-before-publish"
	// RelayAfterPublish: the batch is published, and is in the outbox still.
	RelayAfterPublish Point = "relay-after-publish"
	// RelayAfterSent: it is deleted from the outbox.
	RelayAfterSent Point = "relay-after-sent"
	// ConsumerBeforeCommit: events are applied and not committed.
	ConsumerBeforeCommit Point = "consumer-before-commit"
	// ConsumerBeforeOffset: events are committed and their offset is not. Only below level idempotent are these two things.
	ConsumerBeforeOffset Point = "consumer-before-offset"
	// ConsumerAfterCommit: events and offset are committed, and what they caused is in the outbox.
	ConsumerAfterCommit Point = "consumer-after-commit"
	// PeerAfterCall: another service has done what it was called for, and the caller's own change is not committed.
	PeerAfterCall Point = "peer-after-call"
)

// Points returns all points.
func Points() []Point {
	return []Point{
		RequestBeforeCommit, RequestAfterCommit, RelayBeforePublish, RelayAfterPublish, RelayAfterSent,
		ConsumerBeforeCommit, ConsumerBeforeOffset, ConsumerAfterCommit, PeerAfterCall,
	}
}

// Pass is the n-th pass through a point, from 1, after the point was armed.
type Pass struct {
	Point Point
	N     int64
}

// Parse reads "point" or "point:n".
func Parse(text string) (Pass, error) {
	name, number, counted := strings.Cut(text, ":")
	pass := Pass{Point(name), 1}
	if !slices.Contains(Points(), pass.Point) {
		return Pass{}, fmt.Errorf("no crash point %q: use one of %v", name, Points())
	}
	if !counted {
		return pass, nil
	}
	var err error
	if pass.N, err = strconv.ParseInt(number, 10, 64); err != nil || pass.N < 1 {
		return Pass{}, fmt.Errorf("crash point %q: use %s:1 or a larger number, for the pass that crashes", text, name)
	}
	return pass, nil
}

// String is what Parse reads.
func (p Pass) String() string { return fmt.Sprintf("%s:%d", p.Point, p.N) }

const (
	armedFile   = "crash"
	crashedFile = "crashed"
)

// Arm has the service that keeps its data in folder crash at a pass. It replaces what was armed there and has not crashed yet.
func Arm(folder string, pass Pass) error {
	file := filepath.Join(folder, armedFile)
	if err := os.WriteFile(file+".new", []byte(pass.String()), 0o600); err != nil {
		return fmt.Errorf("arm %s: %w", pass.Point, err)
	}
	return os.Rename(file+".new", file) // whole or not at all
}

// Disarm undoes Arm. crashed tells whether it came too late.
func Disarm(folder string) (crashed bool, err error) {
	err = os.Remove(filepath.Join(folder, armedFile))
	if os.IsNotExist(err) {
		return true, nil
	}
	return false, err
}
