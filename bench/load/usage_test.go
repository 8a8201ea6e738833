package load

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	labv1 "tandem/proto/lab/v1"
)

// GetUsage is the same for each of the five services that the fake is.
func (f *fake) GetUsage(context.Context, *labv1.GetUsageRequest) (*labv1.GetUsageResponse, error) {
	return &labv1.GetUsageResponse{Methods: []*labv1.MethodUsage{{Method: "/a/A", Calls: 2}, {Method: "/b/B", Calls: 40}}}, nil
}

func TestCallsAreThoseOfAllServices(t *testing.T) {
	f := startFake(t)
	calls, err := newTestClient(t, f, time.Second).Calls(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 5*42, calls)
}

func TestCallsAreNotGuessed(t *testing.T) {
	f := startFake(t)
	c := newTestClient(t, f, time.Second)
	f.set(func() { f.before = func(string) error { return status.Error(codes.Unavailable, "gone") } })
	_, err := c.Calls(t.Context())
	require.ErrorContains(t, err, "ask posts how often it was called")
}
