package load

import (
	"context"
	"fmt"
	"time"

	labv1 "tandem/proto/lab/v1"
)

// usageDeadline is for asking one service.
const usageDeadline = 2 * time.Second

// Calls returns how many calls all services together have answered since their processes started: those of users, and those of
// each other. It is an error if one does not tell.
func (c *Client) Calls(ctx context.Context) (sum int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, usageDeadline)
	defer cancel()
	for i, name := range Services() {
		reply, err := labv1.NewUsageServiceClient(c.connections[i]).GetUsage(ctx, &labv1.GetUsageRequest{})
		if err != nil {
			return 0, fmt.Errorf("ask %s how often it was called: %w", name, err)
		}
		for _, method := range reply.GetMethods() {
			sum += method.GetCalls()
		}
	}
	return sum, nil
}
