// Command broker is the embedded broker: it speaks the Kafka protocol over TCP and keeps its log on disk, in a process of its
// own, so that it can be killed and restarted like any service. It is one process and not Apache Kafka.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/twmb/franz-go/pkg/kfake"

	"tandem/shared/service"
)

func main() { service.Main(run) }

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := service.NewFlags("broker", "127.0.0.1:9092")
	syncWrites := flags.Set.Bool("sync-writes", false,
		"flush each batch to disk: a power cut loses nothing either (a killed process loses nothing in any case)")
	log, err := flags.Parse(args, stdout)
	if err != nil {
		return err
	}
	cluster, err := start(flags, log, *syncWrites)
	if err != nil {
		return err
	}
	defer cluster.Close()
	log.Info("serving", "address", flags.Listen())
	ctx, cancel := flags.UntilStdinEnds(ctx)
	defer cancel()
	<-ctx.Done()
	log.Info("stopped")
	return nil
}

// start opens the log in <data>/broker and listens. The address that clients are told is the one listened on.
func start(flags *service.Flags, log *slog.Logger, syncWrites bool) (*kfake.Cluster, error) {
	_, port, err := net.SplitHostPort(flags.Listen())
	if err != nil {
		return nil, fmt.Errorf("address %s: use host:port: %w", flags.Listen(), err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("address %s: the port must be a number: %w", flags.Listen(), err)
	}
	dir := filepath.Join(flags.Data(), "broker")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of the log: %w", err)
	}
	opts := []kfake.Opt{
		kfake.NumBrokers(1), kfake.Ports(number), kfake.DataDir(dir), kfake.WithLogger(logger{log}),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return service.Listen(flags.Listen()) }),
	}
	if syncWrites {
		opts = append(opts, kfake.SyncWrites())
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("start the broker on the log in %s: %w", dir, err)
	}
	return cluster, nil
}

// logger hands what the broker says to the service's log.
type logger struct{ log *slog.Logger }

// Logf implements kfake.Logger.
func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	l.log.Log(context.Background(), slogLevel(level), fmt.Sprintf(format, args...))
}

func slogLevel(level kfake.LogLevel) slog.Level {
	switch level {
	case kfake.LogLevelError:
		return slog.LevelError
	case kfake.LogLevelWarn:
		return slog.LevelWarn
	case kfake.LogLevelInfo:
		return slog.LevelDebug // each request is news to kfake
	default:
		return slog.LevelDebug - 4
	}
}
