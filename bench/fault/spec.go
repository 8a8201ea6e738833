package fault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"tandem/bench/cluster"
	"tandem/bench/wire"
	"tandem/shared/crash"
)

// The kinds of faults, as scenarios and histories name them.
const (
	Kill       = "kill"
	Stop       = "stop"
	Pause      = "pause"
	Slow       = "slow"
	SlowCalls  = "slow calls"
	SlowEvents = "slow events"
	Errors     = "errors"
	Partition  = "partition"
	Reset      = "reset"
	Bandwidth  = "bandwidth"
	Poison     = "poison"
	Duplicate  = "duplicate"
	Schema     = "schema"
	Rebuild    = "rebuild"
	DiskFull   = "disk full"
	Rolling    = "rolling restart"
	Crash      = "crash"
	Burst      = "burst"
	Zombie     = "zombie"
)

// Spec is one fault, as data. Which fields count depends on the kind; the others must be left alone.
type Spec struct {
	Kind string `json:"kind" yaml:"kind"`
	// Victim is a part ("comments", "broker"); of the network's faults also one link ("comments->moderation"); of poison, duplicate and schema a
	// topic ("blog.posts"); of a rolling restart and a burst empty.
	Victim string `json:"victim,omitempty" yaml:"victim"`

	Delay     time.Duration  `json:"delay_ns,omitempty" yaml:"delay"`      // of slow, slow calls and slow events: 1 ms or more
	Jitter    time.Duration  `json:"jitter_ns,omitempty" yaml:"jitter"`    // of the same: 0 to half of Delay, so that a probe can tell
	Share     float64        `json:"share,omitempty" yaml:"share"`         // of errors: of the calls, above 0 and up to 1
	Code      string         `json:"code,omitempty" yaml:"code"`           // of errors: the gRPC status code; empty for UNAVAILABLE
	After     bool           `json:"after,omitempty" yaml:"after"`         // of errors: the work is done and its answer lost
	Direction wire.Direction `json:"direction,omitempty" yaml:"direction"` // of slow (default answers), partition and bandwidth (default both)
	Refuse    bool           `json:"refuse,omitempty" yaml:"refuse"`       // of partition: connections are refused, not swallowed
	Rate      int64          `json:"rate_kb,omitempty" yaml:"rate_kb"`     // of bandwidth: kB/s, 1 or more
	Count     int            `json:"count,omitempty" yaml:"count"`         // of poison, duplicate and schema: how many events; 0 for 1
	Event     string         `json:"event,omitempty" yaml:"event"`         // of duplicate: which type ("event.v1.PostUpdated"); empty for any
	Change    string         `json:"change,omitempty" yaml:"change"`       // of schema: one of Changes
	Point     string         `json:"point,omitempty" yaml:"point"`         // of crash: "relay-after-publish:3" is the third pass through the point
	Factor    float64        `json:"factor,omitempty" yaml:"factor"`       // of burst: what the rate of the load is multiplied by, 1.5 to 100
}

// String names the fault in a table: a kill by its victim alone, because that is what most are.
func (s Spec) String() string {
	if s.Kind == Kill {
		return s.Victim
	}
	return strings.TrimSpace(s.Kind + " " + s.Victim)
}

// Kinds are all kinds, in the order in which they are taught.
func Kinds() []string {
	return []string{
		Kill, Stop, Rolling, Pause, Slow, SlowCalls, Errors, Partition, Reset, Bandwidth, DiskFull, Poison, Duplicate, Schema, SlowEvents, Rebuild, Crash,
		Burst, Zombie,
	}
}

// Parts are all parts that a fault can hurt, in both stacks.
func Parts() []string {
	return []string{"posts", "comments", "moderation", "subscriptions", "query", cluster.Broker}
}

// Topics are what poison and duplicates can be put into.
func Topics() []string {
	return []string{"blog.posts", "blog.comments", "blog.verdicts", "blog.subscriptions"}
}

// Check returns what is wrong with a fault, or nil. It knows no stack: a part that one of them lacks is no mistake.
func (s Spec) Check() error {
	if !slices.Contains(Kinds(), s.Kind) {
		return fmt.Errorf("no fault %q: use %s", s.Kind, strings.Join(Kinds(), ", "))
	}
	return errors.Join(s.checkVictim(), s.checkNumbers())
}

func (s Spec) checkVictim() error {
	switch {
	case s.Kind == Rolling:
		if s.Victim != "" {
			return fmt.Errorf("victim %q: a rolling restart goes through all services, leave it out", s.Victim)
		}
		return nil
	case s.Kind == DiskFull && s.Victim != cluster.Broker:
		return errors.New("victim " + s.Victim + ": only the disk of the broker can be full")
	case s.Kind == Schema && s.Victim != schemaTopic:
		return fmt.Errorf("victim %q: use %s, whose events can be about nobody that the load knows", s.Victim, schemaTopic)
	case s.Kind == Burst && s.Victim != "":
		return fmt.Errorf("victim %q: a burst hits whoever the load is for, leave it out", s.Victim)
	case s.Kind == Schema || s.Kind == Burst:
		return nil
	case s.Kind == Poison || s.Kind == Duplicate:
		return oneOf("topic", s.Victim, Topics())
	case s.Kind == Rebuild && s.Victim != "query":
		return fmt.Errorf("victim %q: only the read model of query can be rebuilt", s.Victim)
	case s.Kind == SlowCalls || s.Kind == SlowEvents || s.Kind == Errors:
		if s.Victim == cluster.Broker {
			return errors.New("victim broker: it is no service of ours; use slow, pause or partition")
		}
	case s.Kind == Zombie:
		return oneOf("consumer", s.Victim, []string{"comments", "moderation", "query"})
	case s.Kind == Crash && s.Victim == cluster.Broker:
		return errors.New("victim broker: it is no service of ours, and has no crash points; use kill")
	case s.HurtsLinks() && strings.Contains(s.Victim, "->"):
		return s.checkLink()
	}
	return oneOf("part", s.Victim, Parts())
}

func oneOf(what, name string, names []string) error {
	if slices.Contains(names, name) {
		return nil
	}
	return fmt.Errorf("no %s %q: use %s", what, name, strings.Join(names, ", "))
}

func (s Spec) checkLink() error {
	link, err := wire.ParseLink(s.Victim)
	if err != nil {
		return err
	}
	for _, stack := range []string{cluster.Sync, cluster.Async} {
		if slices.Contains(Links(stack), link) {
			return nil
		}
	}
	return fmt.Errorf("no link %s in either stack: use one of %v or %v", link, Links(cluster.Sync), Links(cluster.Async))
}

func (s Spec) checkNumbers() error {
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	slow := s.Kind == Slow || s.Kind == SlowCalls || s.Kind == SlowEvents
	wrong(slow && (s.Delay < time.Millisecond || s.Delay > time.Minute), "delay %v: use 1ms to 1m", s.Delay)
	wrong(!slow && s.Delay != 0, "delay %v: a %s has none", s.Delay, s.Kind)
	wrong(s.Jitter < 0 || s.Jitter > s.Delay/2, "jitter %v: use 0 to half of the delay", s.Jitter)
	wrong(s.Kind == Errors && !(s.Share > 0 && s.Share <= 1), "share %v: use above 0 and up to 1", s.Share)
	wrong(s.Kind != Errors && s.Share != 0, "share %v: a %s has none", s.Share, s.Kind)
	_, err := s.code()
	wrong(err != nil, "%w", err)
	wrong(s.Kind != Errors && s.Code != "", "code %q: a %s has none", s.Code, s.Kind)
	wrong(s.Kind != Errors && s.After, "after: a %s has none", s.Kind)
	wrong(s.Kind == Bandwidth && s.Rate < 1, "rate_kb %d: use 1 or more", s.Rate)
	wrong(s.Kind != Bandwidth && s.Rate != 0, "rate_kb %d: a %s has none", s.Rate, s.Kind)
	wrong(s.Kind == Burst && !(s.Factor >= 1.5 && s.Factor <= 100), "factor %v: use 1.5 to 100", s.Factor) // NaN too
	wrong(s.Kind != Burst && s.Factor != 0, "factor %v: a %s has none", s.Factor, s.Kind)
	wrong(s.Count < 0 || s.Count > 1000, "count %d: use 1 to 1000", s.Count)
	wrong(s.Kind != Poison && s.Kind != Duplicate && s.Kind != Schema && s.Count != 0, "count %d: a %s has none", s.Count, s.Kind)
	wrong(s.Kind != Partition && s.Refuse, "refuse: a %s has none", s.Kind)
	oneWay := s.Kind == Slow || s.Kind == Bandwidth || s.Kind == Partition && !s.Refuse
	wrong(!oneWay && s.Direction != "", "direction %s: a %s that goes one way only is not to be had", s.Direction, s.Kind)
	wrong(s.Kind != Duplicate && s.Event != "", "event %q: a %s has none", s.Event, s.Kind)
	wrong(s.Kind == Schema && !slices.Contains(Changes(), s.Change), "change %q: use %s", s.Change, strings.Join(Changes(), ", "))
	wrong(s.Kind != Schema && s.Change != "", "change %q: a %s has none", s.Change, s.Kind)
	_, err = s.pass()
	wrong(err != nil, "%w", err)
	switch s.Direction {
	case "", wire.Requests, wire.Answers, wire.BothWays:
	default:
		wrong(true, "direction %q: use %s, %s or %s", s.Direction, wire.Requests, wire.Answers, wire.BothWays)
	}
	return errors.Join(errs...)
}

// pass is where a service crashes.
func (s Spec) pass() (crash.Pass, error) {
	switch {
	case s.Kind == Crash:
		return crash.Parse(s.Point)
	case s.Point != "":
		return crash.Pass{}, fmt.Errorf("point %q: a %s has none", s.Point, s.Kind)
	}
	return crash.Pass{}, nil
}

// code is the status code of the errors.
func (s Spec) code() (codes.Code, error) {
	switch s.Code {
	case "", "UNAVAILABLE":
		return codes.Unavailable, nil
	case "DEADLINE_EXCEEDED":
		return codes.DeadlineExceeded, nil
	case "RESOURCE_EXHAUSTED":
		return codes.ResourceExhausted, nil
	case "INTERNAL":
		return codes.Internal, nil
	}
	return 0, fmt.Errorf("code %q: use UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED or INTERNAL", s.Code)
}

// HurtsLinks tells whether the fault is done to links.
func (s Spec) HurtsLinks() bool {
	switch s.Kind {
	case Slow, Partition, Reset, Bandwidth:
		return true
	}
	return false
}

// NeedsServices tells whether the services must be started with --lab-faults for the fault.
func (s Spec) NeedsServices() bool {
	return s.Kind == SlowCalls || s.Kind == SlowEvents || s.Kind == Errors
}
