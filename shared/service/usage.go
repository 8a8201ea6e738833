package service

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"

	labv1 "tandem/proto/lab/v1"
)

// usage counts how often each method was called. It serves lab.v1.UsageService.
type usage struct {
	labv1.UnimplementedUsageServiceServer
	calls map[string]*atomic.Int64 // by full method name; the map is made before the first call, and stays as it is
}

// prepare gives each unary method of the services its counter. What every gRPC server of the world has, and what only the
// laboratory calls, has none.
func (u *usage) prepare(services map[string]grpc.ServiceInfo) {
	u.calls = map[string]*atomic.Int64{}
	for service, info := range services {
		if strings.HasPrefix(service, "grpc.") || strings.HasPrefix(service, "lab.v1.") {
			continue
		}
		for _, method := range info.Methods {
			if !method.IsClientStream && !method.IsServerStream {
				u.calls["/"+service+"/"+method.Name] = new(atomic.Int64)
			}
		}
	}
}

func (u *usage) count(method string) {
	if n := u.calls[method]; n != nil {
		n.Add(1)
	}
}

// GetUsage implements labv1.UsageServiceServer.
func (u *usage) GetUsage(context.Context, *labv1.GetUsageRequest) (*labv1.GetUsageResponse, error) {
	reply := &labv1.GetUsageResponse{}
	for _, method := range slices.Sorted(maps.Keys(u.calls)) {
		reply.Methods = append(reply.Methods, &labv1.MethodUsage{Method: method, Calls: u.calls[method].Load()})
	}
	return reply, nil
}
