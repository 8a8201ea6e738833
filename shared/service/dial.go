package service

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"tandem/shared/rules"
)

// Reconnect is how soon a client tries again to reach a server that is gone. grpc-go's own default (1 s growing to 120 s)
// would decide every recovery time; the services and the laboratory all use this instead. The longest wait with its jitter is
// 480 ms: a caller finds its callee again within half a second.
func Reconnect() backoff.Config {
	return backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 400 * time.Millisecond}
}

// DialOptions are how every client of the project connects: sync's services to each other, and the laboratory to both
// stacks. No call is retried by the transport's service config; a transparent retry of a call that never left the client stays.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: Reconnect(), MinConnectTimeout: time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(rules.MaxReply)),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0), // a connection that idles away would be made anew inside a measured call
	}
}
