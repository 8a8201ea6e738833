package service

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	blogv1 "tandem/proto/blog/v1"
	labv1 "tandem/proto/lab/v1"
	"tandem/shared/problem"
)

// callsOf asks a service for its counts; every method that it tells must be of blog.v1.PostsService.
func callsOf(t *testing.T, r *running) map[string]int64 {
	t.Helper()
	reply, err := labv1.NewUsageServiceClient(r.conn).GetUsage(testContext(t), &labv1.GetUsageRequest{})
	require.NoError(t, err)
	calls := map[string]int64{}
	for _, m := range reply.GetMethods() {
		calls[m.GetMethod()] = m.GetCalls()
	}
	require.Len(t, calls, len(blogv1.PostsService_ServiceDesc.Methods), "only what users and services call")
	return calls
}

func TestUsageCountsWhatWasAnswered(t *testing.T) {
	answers := map[string]func() error{
		"ok":    func() error { return nil },
		"error": func() error { return problem.New(problem.NotFound, "no such post", nil) },
		"panic": func() error { panic("oops") },
	}
	r := start(t, &handler{get: func(_ context.Context, req *blogv1.GetPostRequest) (*blogv1.GetPostResponse, error) {
		return &blogv1.GetPostResponse{}, answers[req.GetId()]()
	}})
	_, err := r.get(testContext(t), "ok")
	require.NoError(t, err)
	before := callsOf(t, r)
	require.EqualValues(t, 1, before[blogv1.PostsService_GetPost_FullMethodName])
	_, _ = r.get(testContext(t), "error")
	_, _ = r.get(testContext(t), "panic")
	_, err = r.posts.ListPosts(testContext(t), &blogv1.ListPostsRequest{})
	require.Error(t, err, "the handler of the test has none")
	_, err = healthv1.NewHealthClient(r.conn).Check(testContext(t), &healthv1.HealthCheckRequest{})
	require.NoError(t, err)
	after := callsOf(t, r)
	require.EqualValues(t, 3, after[blogv1.PostsService_GetPost_FullMethodName])
	require.EqualValues(t, 1, after[blogv1.PostsService_ListPosts_FullMethodName])
	require.Zero(t, after[blogv1.PostsService_CreatePost_FullMethodName])
}
