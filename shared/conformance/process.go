package conformance

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	channelzv1 "google.golang.org/grpc/channelz/grpc_channelz_v1"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
)

// processGroup is what every process offers beside its own service.
func (s *suite) processGroup() group {
	g := group{name: "Process"}
	for _, svc := range services() {
		g.checks = append(g.checks,
			check{svc.name + "_is_SERVING", func(t *testing.T) { s.isServing(t, svc) }},
			check{svc.name + "_is_listed_by_reflection", func(t *testing.T) { s.isReflected(t, svc) }},
			check{svc.name + "_answers_channelz", func(t *testing.T) { s.answersChannelz(t, svc) }},
		)
	}
	return g
}

func (s *suite) isServing(t *testing.T, svc namedService) {
	health := healthv1.NewHealthClient(s.conns[svc.name])
	for _, name := range []string{"", string(svc.descriptor.FullName())} {
		reply := must(t, health.Check, &healthv1.HealthCheckRequest{Service: name})
		require.Equal(t, healthv1.HealthCheckResponse_SERVING, reply.GetStatus(), "service %q", name)
	}
	_, err := try(health.Check, &healthv1.HealthCheckRequest{Service: "blog.v1.NoSuchService"})
	requireCode(t, codes.NotFound, err)
}

// isReflected asks as grpcurl does: which services are there, and what does this one look like?
func (s *suite) isReflected(t *testing.T, svc namedService) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	stream, err := reflectionv1.NewServerReflectionClient(s.conns[svc.name]).ServerReflectionInfo(ctx)
	require.NoError(t, err)
	require.NoError(t, stream.Send(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{},
	}))
	reply, err := stream.Recv()
	require.NoError(t, err)
	var listed []string
	for _, l := range reply.GetListServicesResponse().GetService() {
		listed = append(listed, l.GetName())
	}
	require.Contains(t, listed, string(svc.descriptor.FullName()))
	require.NoError(t, stream.Send(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{
			FileContainingSymbol: string(svc.descriptor.FullName()),
		},
	}))
	reply, err = stream.Recv()
	require.NoError(t, err)
	require.NotEmpty(t, reply.GetFileDescriptorResponse().GetFileDescriptorProto())
	require.NoError(t, stream.CloseSend())
}

func (s *suite) answersChannelz(t *testing.T, svc namedService) {
	servers := must(t, channelzv1.NewChannelzClient(s.conns[svc.name]).GetServers, &channelzv1.GetServersRequest{}).GetServer()
	require.NotEmpty(t, servers)
	require.NotZero(t, servers[0].GetData().GetCallsStarted(), "channelz counts the server's calls")
}
