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

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	channelz "google.golang.org/grpc/channelz/service"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	labv1 "tandem/proto/lab/v1"
	"tandem/shared/crash"
	"tandem/shared/rules"
	"tandem/shared/store"
	"tandem/shared/trouble"
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
	labFaults     bool
	trouble       *trouble.Trouble
	narrow        *trouble.Narrow
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
	f.Set.BoolVar(&f.labFaults, "lab-faults", false, "let the laboratory make this service misbehave (lab.v1.FaultsService)")
	f.Set.Func("lab-narrow", "a bottleneck in front of the work that moderation does, for the laboratory, for example "+
		"at_once=2,takes=20ms,queue=100,patience=400ms (default: none)", func(text string) error {
		size, err := trouble.ParseBottleneck(text)
		if err == nil {
			f.narrow = trouble.NewNarrow(size)
		}
		return err
	})
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
	crash.Watch(f.dataDir)
	if f.labFaults {
		f.trouble = trouble.New()
	}
	return slog.New(slog.NewJSONHandler(stdout, &slog.HandlerOptions{Level: f.logLevel})).With("service", f.name), nil
}

// Listen is the address to serve on.
func (f *Flags) Listen() string { return f.listen }

// Data is the folder for what the service keeps.
func (f *Flags) Data() string { return f.dataDir }

// Trouble is what the laboratory may do to the service; nil if it may do nothing.
func (f *Flags) Trouble() *trouble.Trouble { return f.trouble }

// Narrow is the bottleneck that the service was started with; nil for none.
func (f *Flags) Narrow() *trouble.Narrow { return f.narrow }

// UntilStdinEnds returns a context that ends with ctx and, if --stop-with-stdin was given, when standard input ends.
func (f *Flags) UntilStdinEnds(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if f.stopWithStdin {
		go CancelAtEOF(os.Stdin, cancel)
	}
	return ctx, cancel
}

// OpenStore opens the service's database, <data>/<name>.db, with the schema. onCommit may be nil.
func (f *Flags) OpenStore(ctx context.Context, onCommit func([]*labv1.Effect), schema ...string) (*store.DB, error) {
	return store.Open(ctx, store.Options{
		Path: filepath.Join(f.dataDir, f.name+".db"), Sync: f.dbSync, Schema: schema, OnCommit: onCommit,
	})
}

// maxHeaders bounds the metadata of a call, in bytes. grpc-go would take 16 MiB, which the limit on messages does not cover.
const maxHeaders = 16 << 10

// Server is a gRPC server with everything on that a user of the lab expects.
type Server struct {
	*grpc.Server
	flags    *Flags
	log      *slog.Logger
	listener net.Listener
	health   *health.Server
	work     []func(context.Context) error

	usage      usage
	calls      underWay
	open       context.Context // ends when streams must
	endStreams context.CancelFunc
}

// NewServer claims the address, so that a port in use is known before any work starts, and returns a server to register
// services with. more goes on top of what all services have.
func NewServer(flags *Flags, log *slog.Logger, more ...grpc.ServerOption) (*Server, error) {
	listener, err := Listen(flags.listen)
	if err != nil {
		return nil, err
	}
	s := &Server{flags: flags, log: log, listener: listener, health: health.NewServer()}
	s.open, s.endStreams = context.WithCancel(context.Background())
	if flags.narrow != nil {
		more = append([]grpc.ServerOption{grpc.ChainUnaryInterceptor(flags.narrow.Calls)}, more...)
	}
	if flags.trouble != nil {
		more = append([]grpc.ServerOption{grpc.ChainUnaryInterceptor(flags.trouble.Calls)}, more...)
	}
	s.Server = grpc.NewServer(append([]grpc.ServerOption{
		grpc.MaxRecvMsgSize(rules.MaxRequest),
		grpc.MaxSendMsgSize(rules.MaxReply),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.ChainUnaryInterceptor(s.answer),
		grpc.ChainStreamInterceptor(s.stream),
		// Clients may ping as often as grpc-go lets them (10 s), also between calls.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	}, more...)...)
	healthv1.RegisterHealthServer(s.Server, s.health)
	s.health.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
	channelz.RegisterChannelzServiceToServer(s.Server)
	reflection.Register(s.Server)
	labv1.RegisterUsageServiceServer(s.Server, &s.usage)
	if flags.trouble != nil {
		flags.trouble.Register(s.Server)
	}
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

// Go has work run beside the server, from Serve on until the last call has been answered. If it returns an error, the service
// stops with it.
func (s *Server) Go(work func(context.Context) error) { s.work = append(s.work, work) }

// Serve serves until ctx ends, then refuses new calls and waits for those under way, up to the drain timeout, and then for the
// work beside it.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := s.flags.UntilStdinEnds(ctx)
	defer cancel()
	work, workCtx := errgroup.WithContext(context.WithoutCancel(ctx))
	workCtx, stopWork := context.WithCancel(workCtx)
	defer stopWork()
	for _, do := range s.work {
		work.Go(func() error { return do(workCtx) })
	}
	s.usage.prepare(s.GetServiceInfo())
	served := make(chan error, 1)
	go func() { served <- s.Server.Serve(s.listener) }()
	s.announce()
	var failed error
	select {
	case err := <-served:
		failed = fmt.Errorf("serve %s: %w", s.listener.Addr(), err)
	case <-workCtx.Done():
	case <-ctx.Done():
	}
	s.drain()
	stopWork()
	failed = errors.Join(failed, work.Wait())
	s.flags.narrow.Wait()
	s.log.Info("stopped")
	return failed
}

// announce tells health checks and the log that calls are welcome.
func (s *Server) announce() {
	s.health.SetServingStatus("", healthv1.HealthCheckResponse_SERVING)
	for name := range s.GetServiceInfo() {
		s.health.SetServingStatus(name, healthv1.HealthCheckResponse_SERVING)
	}
	s.log.Info("serving", "address", s.listener.Addr().String())
}

// drain stops the server: gracefully while there is time, then at once.
func (s *Server) drain() {
	s.health.Shutdown()
	drained := make(chan struct{})
	go func() {
		s.GracefulStop()
		close(drained)
	}()
	s.calls.whenNone(s.endStreams) // a watcher hears what the last calls did, and then that the service stops
	select {
	case <-drained:
	case <-time.After(s.flags.drainTimeout):
		s.log.Warn("calls under way were cut off", "drain_timeout", s.flags.drainTimeout.String())
		go s.Stop() // it too waits for handlers, and one that ignores its context may never return
		select {
		case <-drained:
		case <-time.After(lastWords):
		}
	}
}

// lastWords is how long calls that were cut off may take to notice.
const lastWords = time.Second

// CancelAtEOF calls cancel once r ends. Who starts a service keeps the other end of its standard input open: when that
// process dies, however it dies, the service stops.
func CancelAtEOF(r io.Reader, cancel func()) {
	_, _ = io.Copy(io.Discard, r)
	cancel()
}

// Close closes a part of a service on its way out, and logs what goes wrong: there is nobody left to tell.
func Close(log *slog.Logger, what string, part io.Closer) {
	if err := part.Close(); err != nil {
		log.Error("close failed", "part", what, "err", err.Error())
	}
}
