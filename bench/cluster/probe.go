package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"
	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"tandem/shared/service"
)

const (
	// probeEvery is how often a part is looked at while it starts or dies, and so the resolution of StartUp.
	probeEvery = 5 * time.Millisecond
	// probeTimeout bounds one look.
	probeTimeout = time.Second
)

// probe returns nil if a part at that address does its work.
type probe func(ctx context.Context, address string) error

// grpcServing asks the standard health service.
func grpcServing(ctx context.Context, address string) error { return checkHealth(ctx, address, "") }

func checkHealth(ctx context.Context, address, name string) error {
	conn, err := grpc.NewClient(address, service.DialOptions()...)
	if err != nil {
		return err
	}
	defer conn.Close()
	reply, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{Service: name})
	if err != nil {
		return err
	}
	if status := reply.GetStatus(); status != healthv1.HealthCheckResponse_SERVING {
		return fmt.Errorf("its health is %s", status)
	}
	return nil
}

// kafkaAnswers asks for the brokers, as every Kafka client does first.
func kafkaAnswers(ctx context.Context, address string) error {
	conn, err := kafka.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	brokers, err := conn.Brokers()
	if err == nil && len(brokers) == 0 {
		return errors.New("it lists no brokers")
	}
	return err
}

// refuses tells whether nobody listens at an address.
func refuses(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// awaitRefused returns nil once nobody listens at an address.
func awaitRefused(ctx context.Context, address string) error {
	for !refuses(ctx, address) {
		if err := pause(ctx); err != nil {
			return err
		}
	}
	return nil
}

// pause waits until the next look is due.
func pause(ctx context.Context) error {
	select {
	case <-time.After(probeEvery):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
