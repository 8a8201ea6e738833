package load

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"tandem/bench/history"
)

func TestWhatAReadCarries(t *testing.T) {
	s := &session{}
	require.Empty(t, s.carried("post:a"))
	s.note("post:a@1", "post:b@1", "post:a@2")
	require.Equal(t, []string{"post:a@2", "post:a@1", "post:b@1"}, s.carried("post:a"))
	require.Equal(t, []string{"post:a@2", "post:b@1", "post:a@1"}, s.carried("author:ada"))
	for range 2 * mostPositions {
		s.note("author:ada@7")
	}
	require.Len(t, s.carried(""), mostPositions)
	require.Equal(t, "post:b@1", s.carried("post:b")[0], "the thing that is read comes first")
	s.shown([]string{"author:ada@7", "post:a@2"})
	require.Equal(t, []string{"post:b@1", "post:a@1"}, s.carried(""))
}

// TestPositionsGoFromWritesToReads: what a write tells is what the next reads of the same client wait for, until one of them was answered.
func TestPositionsGoFromWritesToReads(t *testing.T) {
	c := &Client{cfg: ClientConfig{WaitForPosition: true}, sessions: sessions{all: map[int]*session{}}}
	call := func(client int, method string, answer error) (asked string) {
		ctx := c.visits(t.Context(), &history.Operation{Client: client, Aggregate: history.Post, ID: "a"})
		err := keepPositions(ctx, method, nil, nil, nil,
			func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, opts ...grpc.CallOption) error {
				md, _ := metadata.FromOutgoingContext(ctx)
				asked = strings.Join(md.Get(headerWaitFor), " ")
				for _, o := range opts {
					if h, ok := o.(grpc.HeaderCallOption); ok {
						*h.HeaderAddr = metadata.Pairs(headerPosition, "post:a@2")
					}
				}
				return answer
			})
		require.Equal(t, answer, err)
		return asked
	}
	const write, read = "/blog.v1.PostsService/UpdatePost", queryService + "GetPostPage"
	late := status.Error(codes.Unavailable, "not there yet")
	call(1, write, late)
	require.Empty(t, call(1, read, nil), "what failed has no position")
	call(1, write, nil)
	require.Empty(t, call(2, read, nil), "of another client")
	require.Equal(t, "post:a@2", call(1, read, late))
	require.Equal(t, "post:a@2", call(1, read, status.Error(codes.NotFound, "gone")), "it was not shown yet")
	require.Empty(t, call(1, read, nil), "it was waited for")

	c.cfg.WaitForPosition = false
	call(1, write, nil)
	require.Empty(t, call(1, read, nil))
}
