package service

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	blogv1 "tandem/proto/blog/v1"
)

// BenchmarkHop is one unary call on loopback, through a bare grpc-go server and through ours with everything on. The target is
// ours ≤ 1.3 × bare with one call in flight, and ≥ 0.7 × bare's rate with 64; compare the two of one run only.
func BenchmarkHop(b *testing.B) {
	for _, inFlight := range []int{1, 64} {
		name := map[int]string{1: "1_in_flight", 64: "64_in_flight"}[inFlight]
		b.Run("bare/"+name, func(b *testing.B) { measureHop(b, bare(b), inFlight) })
		b.Run("ours/"+name, func(b *testing.B) { measureHop(b, start(b, &handler{get: echo}).posts, inFlight) })
	}
}

func bare(b *testing.B) blogv1.PostsServiceClient {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	s := grpc.NewServer()
	blogv1.RegisterPostsServiceServer(s, &handler{get: echo})
	go func() { _ = s.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(b, err)
	b.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
	})
	return blogv1.NewPostsServiceClient(conn)
}

func measureHop(b *testing.B, posts blogv1.PostsServiceClient, inFlight int) {
	request := &blogv1.GetPostRequest{Id: "0b1c6a1e-5f0e-4c55-9d5e-3a7b6c8d9e0f"}
	_, err := posts.GetPost(context.Background(), request, grpc.WaitForReady(true))
	require.NoError(b, err)
	b.ReportAllocs()
	b.ResetTimer()
	var callers sync.WaitGroup
	for caller := range inFlight {
		callers.Go(func() {
			for range (b.N + inFlight - 1 - caller) / inFlight {
				if _, err := posts.GetPost(context.Background(), request); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	callers.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
