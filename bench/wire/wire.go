// Package wire puts links between the parts of a stack, and between its users and its parts, under the laboratory's hand. A link
// that is to be hurt goes through a TCP proxy on loopback (Toxiproxy, as a library); all others stay direct. The proxies live in
// the laboratory's process and end with it. It knows nothing of what travels on a link.
package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Users is the From of the links on which clients of the public API reach the services.
const Users = "users"

// Link is one direction of calling: From opens connections to To.
type Link struct{ From, To string }

// String returns the link as scenarios write it, for example "comments->moderation".
func (l Link) String() string { return l.From + "->" + l.To }

// ParseLink reads what String writes.
func ParseLink(text string) (Link, error) {
	from, to, found := strings.Cut(text, "->")
	if !found || from == "" || to == "" || strings.Contains(to, "->") {
		return Link{}, fmt.Errorf("link %q: write it as caller->callee, for example comments->moderation", text)
	}
	return Link{From: from, To: to}, nil
}

// Net is the links that are under the laboratory's hand. Its methods may be called from several goroutines. Close it.
type Net struct {
	server *toxiproxy.ApiServer // never listens: it only holds what the proxies share
	listen func() (string, error)

	mu    sync.Mutex
	hurt  []Link
	paths map[Link]*Path
}

// New returns a net that will put these links through proxies. listen chooses the address of each proxy; nil lets the system
// choose a free port of 127.0.0.1.
func New(links []Link, listen func() (string, error)) *Net {
	if listen == nil {
		listen = func() (string, error) { return "127.0.0.1:0", nil }
	}
	zerolog.SetGlobalLevel(zerolog.Disabled) // some toxics log with a logger of their own making, to the terminal
	return &Net{
		server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()),
		listen: listen, hurt: links, paths: map[Link]*Path{},
	}
}

// Via returns where from finds to, whose own address is given: the address of a proxy for a link that is to be hurt, and the own
// address for all others. It fits cluster.Config.Via. Asked again, it returns the same.
func (n *Net) Via(from, to, address string) (string, error) {
	link := Link{From: from, To: to}
	if !slices.Contains(n.hurt, link) {
		return address, nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.paths[link]; p != nil {
		return p.proxy.Listen, nil
	}
	if err := mustBeLoopback(address); err != nil {
		return "", err
	}
	p, err := n.open(link, address)
	if err != nil {
		return "", fmt.Errorf("put the link %s through a proxy: %w", link, err)
	}
	n.paths[link] = p
	return p.proxy.Listen, nil
}

func (n *Net) open(link Link, address string) (*Path, error) {
	listen, err := n.listen()
	if err != nil {
		return nil, err
	}
	p := &Path{Link: link, proxy: toxiproxy.NewProxy(n.server, link.String(), listen, address)}
	return p, p.proxy.Start()
}

// mustBeLoopback keeps the laboratory's hands off other machines.
func mustBeLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s is not on this machine: links are hurt on loopback only", address)
	}
	return nil
}

// Path returns a link that Via has put through a proxy.
func (n *Net) Path(link Link) (*Path, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p, found := n.paths[link]
	return p, found
}

// Close heals and ends all proxies and their connections.
func (n *Net) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.paths {
		p.end()
	}
}

// Direction is which way data is hurt.
type Direction string

// The directions.
const (
	Requests Direction = "requests" // from the caller to the callee
	Answers  Direction = "answers"  // from the callee to the caller
	BothWays Direction = "both"
)

// streams are Toxiproxy's names of a direction.
func (d Direction) streams() []string {
	switch d {
	case Requests:
		return []string{"upstream"}
	case Answers:
		return []string{"downstream"}
	}
	return []string{"upstream", "downstream"}
}

// ErrHurt says that a path has trouble already: one at a time, so that its effect can be told.
var ErrHurt = errors.New("the link is hurt already: heal it first")

// Path is one link that goes through a proxy. It is healthy until one of its methods hurts it, and again after Heal.
type Path struct {
	Link Link

	mu    sync.Mutex
	proxy *toxiproxy.Proxy
	hurt  bool
}

// Address is where the caller finds the callee.
func (p *Path) Address() string { return p.proxy.Listen }

// Slow delays what goes in a direction by delay ± jitter (uniform). Toxiproxy counts in whole milliseconds, and draws the jitter
// from a source that no seed reaches: a run with jitter is repeated in distribution only.
func (p *Path) Slow(d Direction, delay, jitter time.Duration) error {
	if delay < time.Millisecond || jitter < 0 || jitter > delay {
		return fmt.Errorf("delay %v ± %v: use 1 ms or more, and a jitter that is not above it", delay, jitter)
	}
	return p.add("latency", d, map[string]int64{"latency": delay.Milliseconds(), "jitter": jitter.Milliseconds()})
}

// BlackHole takes what goes in a direction and says nothing. New connections are accepted. Healing closes the connections that lost
// data, since what was lost never comes.
func (p *Path) BlackHole(d Direction) error {
	return p.add("timeout", d, map[string]int64{"timeout": 0})
}

// Throttle lets through so many kilobytes a second in each direction of d.
func (p *Path) Throttle(d Direction, kilobytes int64) error {
	if kilobytes < 1 {
		return fmt.Errorf("bandwidth of %d kB/s: use 1 or more", kilobytes)
	}
	return p.add("bandwidth", d, map[string]int64{"rate": kilobytes})
}

// Reset ends each connection as soon as something is sent on it. Those that are opened from now on end with a TCP reset; those that
// are open already, whose lingering cannot be changed any more, with a plain end.
func (p *Path) Reset() error { return p.add("reset_peer", BothWays, map[string]int64{"timeout": 0}) }

// Refuse ends all connections and refuses new ones.
func (p *Path) Refuse() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hurt {
		return ErrHurt
	}
	p.hurt = true
	p.proxy.Stop()
	return nil
}

// add hurts a direction in one of Toxiproxy's ways.
func (p *Path) add(kind string, d Direction, attributes map[string]int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hurt {
		return ErrHurt
	}
	p.hurt = true
	for _, stream := range d.streams() {
		text, err := json.Marshal(map[string]any{"type": kind, "stream": stream, "attributes": attributes})
		if err != nil {
			return err
		}
		if _, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(string(text))); err != nil {
			return fmt.Errorf("hurt the link %s with %s: %w", p.Link, kind, err)
		}
	}
	return nil
}

// Heal undoes whatever was done to the path. A path that is healthy stays so.
func (p *Path) Heal() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proxy.Toxics.ResetToxics(quiet())
	if !p.proxy.Enabled {
		if err := p.proxy.Start(); err != nil {
			return fmt.Errorf("heal the link %s: %w: another program has taken its port", p.Link, err)
		}
	}
	p.hurt = false
	return nil
}

// Break ends all connections of the path, and lets new ones in at once.
func (p *Path) Break() error {
	if err := p.Refuse(); err != nil {
		return err
	}
	return p.Heal()
}

func (p *Path) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proxy.Stop()
	p.proxy.Toxics.ResetToxics(quiet())
}

// quiet is a context in which Toxiproxy logs nothing.
func quiet() context.Context { return zerolog.Nop().WithContext(context.Background()) }
