// Package service is what every service of both stacks does in the same way: flags, log, server, health, reflection,
// channelz, and a stop that lets calls under way finish. It knows nothing of what a service is for.
package service

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"google.golang.org/grpc"
	channelz "google.golang.org/grpc/channelz/service"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	labv1 "tandem/proto/lab/v1"
	"tandem/shared/rules"
	"tandem/shared/store"
)

// Exit codes of every program of the project (2 and up are the user's or the verdict's).
const (
	exitError = 1
	exitUsage = 2
)

// errUsage marks a command line that does not parse; the flag package has said why.
var errUsage = errors.New("usage")

// Main runs a service until it ends by itself or gets SIGINT or SIGTERM, and exits with its code.
func Main(run func(ctx context.Context, args []string, stdout io.Writer) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(exitUsage)
	default:
		fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
		os.Exit(exitError)
	}
}

// Flags are the configuration that all services share. A service adds its own to Set before Parse.
type Flags struct {
	Set *flag.FlagSet

	name          string
	listen        string
	dataDir       string
	dbSync        string
	logLevel      slog.Level
	drainTimeout  time.Duration
	stopWithStdin bool
}

// NewFlags returns the shared flags of a service that listens on address unless told otherwise.
func NewFlags(name, address string) *Flags {
	f := &Flags{name: name, Set: flag.NewFlagSet(name, flag.ContinueOnError)}
	f.Set.StringVar(&f.listen, "listen", address, "address to serve gRPC on")
	f.Set.StringVar(&f.dataDir, "data", ".", "existing folder for the service's database")
	f.Set.StringVar(&f.dbSync, "db-sync", "normal",
		"normal: commits survive a killed process; full: they survive a power cut too")
	f.Set.TextVar(&f.logLevel, "log-level", slog.LevelInfo, "least level that is logged: debug, info, warn or error")
	f.Set.DurationVar(&f.drainTimeout, "drain-timeout", 5*time.Second,
		"how long calls under way may take to finish after SIGTERM")
	f.Set.BoolVar(&f.stopWithStdin, "stop-with-stdin", false,
		"stop when standard input ends, so that the service never outlives who started it")
	return f
}

// Parse reads the command line and returns the log that it asks for.
func (f *Flags) Parse(args []string, stdout io.Writer) (*slog.Logger, error) {
	if err := f.Set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, errUsage
	}
	if f.Set.NArg() > 0 {
		fmt.Fprintf(f.Set.Output(), "unexpected argument %q: this program takes flags only\n", f.Set.Arg(0))
		return nil, errUsage
	}
	return slog.New(slog.NewJSONHandler(stdout, &slog.HandlerOptions{Level: f.logLevel})).With("service", f.name), nil
}

// OpenStore opens the service's database, <data>/<name>.db, with the schema. onCommit may be nil.
func (f *Flags) OpenStore(ctx context.Context, onCommit func([]*labv1.Effect), schema ...string) (*store.DB, error) {
	return store.Open(ctx, store.Options{
		Path: filepath.Join(f.dataDir, f.name+".db"), Sync: f.dbSync, Schema: schema, OnCommit: onCommit,
	})
}

// Server is a gRPC server with everything on that a user of the lab expects.
type Server struct {
	*grpc.Server
	flags    *Flags
	log      *slog.Logger
	listener net.Listener
	health   *health.Server
}

// NewServer claims the address, so that a port in use is known before any work starts, and returns a server to register
// services with. Close it, or Serve it.
func NewServer(flags *Flags, log *slog.Logger) (*Server, error) {
	listener, err := Listen(flags.listen)
	if err != nil {
		return nil, err
	}
	s := &Server{flags: flags, log: log, listener: listener, health: health.NewServer()}
	s.Server = grpc.NewServer(
		grpc.MaxRecvMsgSize(rules.MaxRequest),
		grpc.MaxSendMsgSize(rules.MaxReply),
		grpc.ChainUnaryInterceptor(s.answer),
		// Clients may ping as often as grpc-go lets them (10 s), also between calls.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	)
	healthv1.RegisterHealthServer(s.Server, s.health)
	s.health.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
	channelz.RegisterChannelzServiceToServer(s.Server)
	reflection.Register(s.Server)
	return s, nil
}

// Listen listens on a TCP address. A port in use is an error that names it and says what to do.
func Listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("address %s is in use: stop the program that has it (see `ss -ltnp`), or choose another with --listen",
			address)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, nil
}

// Serve serves until ctx ends, then refuses new calls and waits for those under way, up to the drain timeout.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if s.flags.stopWithStdin {
		go CancelAtEOF(os.Stdin, cancel)
	}
	served := make(chan error, 1)
	go func() { served <- s.Server.Serve(s.listener) }()
	s.health.SetServingStatus("", healthv1.HealthCheckResponse_SERVING)
	for name := range s.GetServiceInfo() {
		s.health.SetServingStatus(name, healthv1.HealthCheckResponse_SERVING)
	}
	s.log.Info("serving", "address", s.listener.Addr().String())
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", s.listener.Addr(), err)
	case <-ctx.Done():
	}
	s.drain()
	<-served
	s.log.Info("stopped")
	return nil
}

// drain stops the server: gracefully while there is time, then at once.
func (s *Server) drain() {
	s.health.Shutdown()
	drained := make(chan struct{})
	go func() {
		s.GracefulStop()
		close(drained)
	}()
	select {
	case <-drained:
	case <-time.After(s.flags.drainTimeout):
		s.log.Warn("calls under way were cut off", "drain_timeout", s.flags.drainTimeout.String())
		s.Stop()
		<-drained
	}
}

// CancelAtEOF calls cancel once r ends. Who starts a service keeps the other end of its standard input open: when that
// process dies, however it dies, the service stops.
func CancelAtEOF(r io.Reader, cancel func()) {
	_, _ = io.Copy(io.Discard, r)
	cancel()
}
