// Package clustertest stands in for the services where only their processes matter: it starts fast and does nothing. A test
// binary calls BeDouble first in its TestMain, and gets a folder of "binaries", which are links to itself, from BinDir.
package clustertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/service"
)

// Behaviour is how a double behaves.
type Behaviour string

// The behaviours. A double serves unless told otherwise.
const (
	Serve    Behaviour = "serve"    // as a good service
	Fail     Behaviour = "fail"     // writes to its log and ends at once
	Mute     Behaviour = "mute"     // listens, and its health never says SERVING
	Stubborn Behaviour = "stubborn" // serves, and ends for nothing but SIGKILL
)

// BinDir returns a folder with a double for every binary of both stacks.
func BinDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, stack := range []string{"sync", "async"} {
		for _, name := range []string{"posts", "comments", "moderation", "subscriptions", "query"} {
			Link(t, dir, stack+"-"+name)
		}
	}
	Link(t, dir, "async-broker")
	return dir
}

// Link puts a link to the test binary into a folder.
func Link(t *testing.T, dir, name string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(self, filepath.Join(dir, name)))
}

// Set makes a binary of a BinDir behave in another way from its next start on.
func Set(t *testing.T, binDir, binary string, b Behaviour) {
	t.Helper()
	require.NoError(t, os.WriteFile(behaviourFile(filepath.Join(binDir, binary)), []byte(b), 0o600))
}

func behaviourFile(binary string) string { return binary + ".behaviour" }

// BeDouble runs as a double and exits, if this process was started by the name of a service. Otherwise it returns.
func BeDouble() {
	stack, name, _ := strings.Cut(filepath.Base(os.Args[0]), "-")
	if stack != "sync" && stack != "async" {
		// A program built with -race sleeps 1 s before it exits, in which no double has anything to find.
		_ = os.Setenv("GORACE", "atexit_sleep_ms=0")
		return
	}
	service.Main(func(ctx context.Context, args []string, stdout io.Writer) error {
		return run(ctx, &double{stack: stack, name: name, stdout: stdout}, args)
	})
	os.Exit(0)
}

type double struct {
	stack, name string
	stdout      io.Writer
}

func run(ctx context.Context, d *double, args []string) error {
	fmt.Fprintf(d.stdout, "args: %s\nGOMAXPROCS: %s\n", strings.Join(args, " "), os.Getenv("GOMAXPROCS"))
	text, err := os.ReadFile(behaviourFile(os.Args[0]))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	switch Behaviour(text) {
	case Fail:
		return errors.New("the double was told to fail")
	case Mute:
		return d.mute(args)
	case Stubborn:
		return d.stubborn(args)
	}
	if d.name == "broker" {
		return d.broker(ctx, args)
	}
	return d.serve(ctx, args)
}

func (d *double) serve(ctx context.Context, args []string) error {
	flags := service.NewFlags(d.name, "")
	for _, name := range map[string][]string{"sync": {"level", "peers"}, "async": {"level", "acks", "brokers", "broker-via", "unknown-post-after"}}[d.stack] {
		flags.Set.String(name, "", "")
	}
	log, err := flags.Parse(args, d.stdout)
	if err != nil {
		return err
	}
	server, err := service.NewServer(flags, log)
	if err != nil {
		return err
	}
	if d.name == "posts" {
		blogv1.RegisterPostsServiceServer(server, blogv1.UnimplementedPostsServiceServer{})
	}
	return server.Serve(ctx)
}

// broker is the embedded broker without a disk.
func (d *double) broker(ctx context.Context, args []string) error {
	_, port, err := net.SplitHostPort(valueOf("--listen", args))
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(number))
	if err != nil {
		return err
	}
	defer cluster.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go service.CancelAtEOF(os.Stdin, cancel)
	<-ctx.Done()
	return nil
}

func (d *double) mute(args []string) error {
	return d.serveBare(args, healthv1.HealthCheckResponse_NOT_SERVING)
}

// stubborn survives the end of its standard input and every signal that can be survived.
func (d *double) stubborn(args []string) error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	return d.serveBare(args, healthv1.HealthCheckResponse_SERVING)
}

func (d *double) serveBare(args []string, status healthv1.HealthCheckResponse_ServingStatus) error {
	listener, err := service.Listen(valueOf("--listen", args))
	if err != nil {
		return err
	}
	server, state := grpc.NewServer(), health.NewServer()
	state.SetServingStatus("", status)
	healthv1.RegisterHealthServer(server, state)
	slog.New(slog.NewTextHandler(d.stdout, nil)).Info("listening", "health", status.String())
	return server.Serve(listener)
}

func valueOf(flag string, args []string) string {
	for i, arg := range args {
		if arg == flag && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}
