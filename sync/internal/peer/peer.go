// Package peer is how the services of the sync stack call each other, and what a caller does about a callee's trouble: the
// protection levels, from none to fallback. It knows nothing of the blog.
package peer

import (
	"flag"
	"fmt"
	"strings"
)

// Level is a rung of the protection ladder. Each level holds those before it.
type Level int

// The ladder.
const (
	// Naive waits for a callee for as long as it takes, even after the caller's own caller has gone.
	Naive Level = iota
	// Deadline hands on what is left of the caller's deadline, less what the caller keeps to answer with.
	Deadline
	// Retry tries again, without a budget.
	Retry
	// Budget retries with throttling.
	Budget
	// Breaker stops calling a callee that keeps failing, and bounds how many calls to one callee are under way.
	Breaker
	// Fallback answers with less rather than not at all.
	Fallback
)

var levelNames = []string{"naive", "deadline", "retry", "budget", "breaker", "fallback"}

// String returns the level's name on the command line.
func (l Level) String() string { return levelNames[l] }

// MarshalText implements encoding.TextMarshaler.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Level) UnmarshalText(text []byte) error {
	for i, name := range levelNames {
		if name == string(text) {
			*l = Level(i)
			return nil
		}
	}
	return fmt.Errorf("no level %q: use %s", text, strings.Join(levelNames, ", "))
}

// Flags are the peers' addresses and the protection level.
type Flags struct {
	Level     Level
	addresses map[string]string
}

// AddFlags adds the flags to a service's set.
func AddFlags(set *flag.FlagSet) *Flags {
	f := &Flags{addresses: map[string]string{
		"posts": "127.0.0.1:7101", "comments": "127.0.0.1:7102", "moderation": "127.0.0.1:7103",
		"subscriptions": "127.0.0.1:7104",
	}}
	set.TextVar(&f.Level, "level", Deadline,
		"protection level of calls to other services: naive, deadline, retry, budget, breaker or fallback")
	set.Func("peers", "addresses of other services as name=address,… (default: the lab's own, 7101 to 7104)", f.parsePeers)
	return f
}

func (f *Flags) parsePeers(text string) error {
	for pair := range strings.SplitSeq(text, ",") {
		name, address, ok := strings.Cut(pair, "=")
		if !ok || address == "" {
			return fmt.Errorf("%q is not name=address", pair)
		}
		if _, known := f.addresses[name]; !known {
			return fmt.Errorf("no service %q: use posts, comments, moderation or subscriptions", name)
		}
		f.addresses[name] = address
	}
	return nil
}
