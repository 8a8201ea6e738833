package bus

import (
	"flag"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// forwarder passes connections on, until the test ends.
func forwarder(t *testing.T, to string) string {
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
			go forward(conn, to)
		}
	}()
	return listener.Addr().String()
}

func forward(conn net.Conn, to string) {
	defer conn.Close()
	upstream, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer upstream.Close()
	go func() {
		_, _ = io.Copy(upstream, conn)
		upstream.Close()
	}()
	_, _ = io.Copy(conn, upstream)
}

// TestBrokerVia: a client is told the own address of the broker, and goes by the other one all the same.
func TestBrokerVia(t *testing.T) {
	b := newBroker(t)
	b.start()
	way := forwarder(t, b.addr())
	p := newPeer(t, b, t.TempDir(), "--broker-via", b.addr()+"="+way).run()
	p.publish("ann", "bob")
	p.eventuallyHeard("bob")
	conn, err := p.bus.flags.dial(t.Context(), "tcp", b.addr())
	require.NoError(t, err)
	defer conn.Close()
	require.Equal(t, way, conn.RemoteAddr().String())
}

func TestBrokerViaThatMeansNothing(t *testing.T) {
	for _, text := range []string{"", "127.0.0.1:9092", "=127.0.0.1:1", "127.0.0.1:1="} {
		set := flag.NewFlagSet("peer", flag.ContinueOnError)
		set.SetOutput(io.Discard)
		AddFlags(set)
		require.ErrorContains(t, set.Parse([]string{"--broker-via", text}), "told=dialled", text)
	}
}
