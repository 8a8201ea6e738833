package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bound is how long anything may take.
const bound = 10 * time.Second

// echo answers each line with the same line, until the test ends.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return listener.Addr().String()
}

func link() Link { return Link{"comments", "moderation"} }

// path returns a path to an echo.
func path(t *testing.T) *Path {
	t.Helper()
	n := New([]Link{link()}, nil)
	t.Cleanup(n.Close)
	_, err := n.Via("comments", "moderation", echo(t))
	require.NoError(t, err)
	p, found := n.Path(link())
	require.True(t, found)
	return p
}

// caller is one connection to a path.
type caller struct {
	net.Conn
	lines *bufio.Reader
}

func call(t *testing.T, p *Path) caller {
	t.Helper()
	conn, err := net.DialTimeout("tcp", p.Address(), bound)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return caller{conn, bufio.NewReader(conn)}
}

// ask sends a line and returns how long the answer took. It waits for it as long as it is told.
func (c caller) ask(within time.Duration) (time.Duration, error) {
	start := time.Now()
	if err := c.SetDeadline(start.Add(within)); err != nil {
		return 0, err
	}
	if _, err := fmt.Fprintln(c, "hello"); err != nil {
		return 0, err
	}
	_, err := c.lines.ReadString('\n')
	return time.Since(start), err
}

func TestParseLink(t *testing.T) {
	l, err := ParseLink("query->posts")
	require.NoError(t, err)
	require.Equal(t, Link{"query", "posts"}, l)
	require.Equal(t, "query->posts", l.String())
	for _, bad := range []string{"", "query", "->posts", "query->", "a->b->c"} {
		_, err := ParseLink(bad)
		require.ErrorContains(t, err, "caller->callee", bad)
	}
}

func TestOnlyTheLinksThatAreHurtGoThroughAProxy(t *testing.T) {
	n := New([]Link{link()}, nil)
	defer n.Close()
	address := echo(t)
	direct, err := n.Via("query", "moderation", address)
	require.NoError(t, err)
	require.Equal(t, address, direct)
	via, err := n.Via("comments", "moderation", address)
	require.NoError(t, err)
	require.NotEqual(t, address, via)
	again, err := n.Via("comments", "moderation", address)
	require.NoError(t, err)
	require.Equal(t, via, again)
}

func TestOtherMachinesAreLeftAlone(t *testing.T) {
	n := New([]Link{link()}, nil)
	defer n.Close()
	for _, address := range []string{"192.0.2.1:80", "example.com:80", "0.0.0.0:80"} {
		_, err := n.Via("comments", "moderation", address)
		require.ErrorContains(t, err, "loopback only", address)
	}
}

func TestHealthyPath(t *testing.T) {
	_, err := call(t, path(t)).ask(bound)
	require.NoError(t, err)
}

func TestSlow(t *testing.T) {
	const delay = 150 * time.Millisecond
	p := path(t)
	c := call(t, p)
	_, err := c.ask(bound)
	require.NoError(t, err)
	require.NoError(t, p.Slow(Answers, delay, 0))
	for _, c := range []caller{c, call(t, p)} { // an open connection, and a new one
		took, err := c.ask(bound)
		require.NoError(t, err)
		require.GreaterOrEqual(t, took, delay-time.Millisecond)
	}
	require.NoError(t, p.Heal())
	fast := func() bool {
		took, err := c.ask(bound)
		return err == nil && took < delay
	}
	require.Eventually(t, fast, bound, time.Millisecond)
}

func TestBlackHole(t *testing.T) {
	for _, d := range []Direction{Requests, Answers, BothWays} {
		t.Run(string(d), func(t *testing.T) {
			p := path(t)
			require.NoError(t, p.BlackHole(d))
			_, err := call(t, p).ask(100 * time.Millisecond)
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.NoError(t, p.Heal())
			_, err = call(t, p).ask(bound)
			require.NoError(t, err)
		})
	}
}

func TestThrottle(t *testing.T) {
	p := path(t)
	require.NoError(t, p.Throttle(Answers, 10))
	c := call(t, p)
	start := time.Now()
	const sent = 3000 // bytes: 0.3 s at 10 kB/s
	_, err := c.Write(make([]byte, sent))
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(start.Add(bound)))
	_, err = io.ReadFull(c, make([]byte, sent))
	require.NoError(t, err)
	require.Greater(t, time.Since(start), 200*time.Millisecond)
	require.NoError(t, p.Heal())
}

func TestReset(t *testing.T) {
	p := path(t)
	require.NoError(t, p.Reset())
	_, err := call(t, p).ask(bound)
	require.True(t, errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE), "%v", err)
	require.NoError(t, p.Heal())
	_, err = call(t, p).ask(bound)
	require.NoError(t, err)
}

func TestRefuse(t *testing.T) {
	p := path(t)
	open := call(t, p)
	_, err := open.ask(bound)
	require.NoError(t, err)
	require.NoError(t, p.Refuse())
	_, err = net.DialTimeout("tcp", p.Address(), bound)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	_, err = open.ask(bound)
	require.Error(t, err)
	require.NoError(t, p.Heal())
	_, err = call(t, p).ask(bound)
	require.NoError(t, err)
}

func TestBreakEndsWhatIsOpenAndLetsNewOnesIn(t *testing.T) {
	p := path(t)
	open := call(t, p)
	_, err := open.ask(bound)
	require.NoError(t, err)
	require.NoError(t, p.Break())
	_, err = open.ask(bound)
	require.Error(t, err)
	_, err = call(t, p).ask(bound)
	require.NoError(t, err)
}

func TestOneTroubleAtATime(t *testing.T) {
	p := path(t)
	require.NoError(t, p.BlackHole(BothWays))
	require.ErrorIs(t, p.Refuse(), ErrHurt)
	require.ErrorIs(t, p.Slow(Answers, time.Second, 0), ErrHurt)
	require.NoError(t, p.Heal())
	require.NoError(t, p.Heal())
	require.NoError(t, p.Slow(Answers, time.Second, 0))
}

func TestSettingsThatMeanNothing(t *testing.T) {
	p := path(t)
	require.ErrorContains(t, p.Slow(Answers, 0, 0), "1 ms or more")
	require.ErrorContains(t, p.Slow(Answers, time.Second, 2*time.Second), "jitter")
	require.ErrorContains(t, p.Throttle(Answers, 0), "use 1 or more")
	require.NoError(t, p.Refuse(), "what was refused has hurt nothing")
}
