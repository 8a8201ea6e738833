package peer

import "google.golang.org/grpc"

// Retries are gRPC's own, from its service config, and all attempts share the call's deadline.
//
//   - A call is sent up to 4 times, after pauses of 25, 50 and 100 ms (each ± 20 %): so a call of 1 s has time for all of them,
//     and a service that is back within 0.1 s is not missed.
//   - Only UNAVAILABLE is tried again: the callee is not there, or is going. DEADLINE_EXCEEDED is not, because the deadline is
//     the caller's and there is none left; RESOURCE_EXHAUSTED is not, because more calls are what it needs least; whatever else a
//     callee says, it would say again.
//   - UNAVAILABLE does not mean that nothing was done. So every write between peers can be sent again: ReviewComment has a
//     request_id that follows from the comment's, and closing the comments of a post twice is closing them once.
const retryPolicy = `"methodConfig": [{"name": [{}], "retryPolicy": {
	"maxAttempts": 4, "initialBackoff": "0.025s", "maxBackoff": "0.1s", "backoffMultiplier": 2,
	"retryableStatusCodes": ["UNAVAILABLE"]}}]`

// The budget of retries: each failed attempt costs a token, each success earns a tenth, and there are no retries while 5 or
// fewer of the 10 tokens are left. It is the budget of one connection: each caller has one per callee, and every replica of a
// caller has its own.
const retryThrottling = `"retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1}`

// retries are the options of a connection that retries as the level says. Below Retry, and besides, grpc-go resends what never
// left the client (transparent retry).
func (l Level) retries() []grpc.DialOption {
	switch {
	case l < Retry:
		return nil
	case l < Budget:
		return []grpc.DialOption{grpc.WithDefaultServiceConfig("{" + retryPolicy + "}")}
	}
	return []grpc.DialOption{grpc.WithDefaultServiceConfig("{" + retryPolicy + "," + retryThrottling + "}")}
}
