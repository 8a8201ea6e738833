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
	"tandem/shared/floor"
)

// BenchmarkFloorHopLatency is one unary call on loopback at a time, through a bare grpc-go server and through ours with
// everything on.
func BenchmarkFloorHopLatency(b *testing.B) {
	one := func(posts blogv1.PostsServiceClient) floor.Round {
		return func() float64 { return floor.Median(floor.Times(1000, func() { getPost(b, posts) })) }
	}
	floor.Compare(b, one(bare(b)), one(ours(b)))
}

// BenchmarkFloorHopThroughput is the same with 64 calls in flight.
func BenchmarkFloorHopThroughput(b *testing.B) {
	many := func(posts blogv1.PostsServiceClient) floor.Round {
		return func() float64 { return floor.PerSecond(8000, func(n int) { getPosts(b, posts, 64, n) }) }
	}
	floor.Compare(b, many(bare(b)), many(ours(b)))
}

func ours(b *testing.B) blogv1.PostsServiceClient {
	posts := start(b, &handler{get: echo}).posts
	getPost(b, posts)
	return posts
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
	posts := blogv1.NewPostsServiceClient(conn)
	getPost(b, posts)
	return posts
}

// getPost makes one call; the first connects.
func getPost(b *testing.B, posts blogv1.PostsServiceClient) {
	request := &blogv1.GetPostRequest{Id: "0b1c6a1e-5f0e-4c55-9d5e-3a7b6c8d9e0f"}
	if _, err := posts.GetPost(context.Background(), request, grpc.WaitForReady(true)); err != nil {
		b.Error(err)
	}
}

// getPosts makes n calls, inFlight of them at a time.
func getPosts(b *testing.B, posts blogv1.PostsServiceClient, inFlight, n int) {
	var callers sync.WaitGroup
	for range inFlight {
		callers.Go(func() {
			for range n / inFlight {
				getPost(b, posts)
			}
		})
	}
	callers.Wait()
}
