package load

import (
	rpccode "google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tandem/bench/history"
)

// CodeDropped is the code of an operation that was not sent because too many were under way. It is the generator's, not
// gRPC's.
const CodeDropped = "DROPPED"

const (
	codeDeadlineExceeded = "DEADLINE_EXCEEDED"
	codeUnavailable      = "UNAVAILABLE"
	codeNotFound         = "NOT_FOUND"
)

// codeOf is the gRPC status code of a call's error as the specification writes it, for example "UNAVAILABLE".
func codeOf(err error) string { return rpccode.Code(status.Code(err)).String() }

// outcomeOf is what is known of an operation whose call ended with err. Of a write only the codes below say for certain that
// nothing happened: UNAVAILABLE too may come after the server has done the work.
func outcomeOf(op string, err error) history.Outcome {
	if err == nil {
		return history.OK
	}
	if !isWrite(op) {
		return history.Fail
	}
	switch status.Code(err) {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.FailedPrecondition, codes.ResourceExhausted,
		codes.Unimplemented:
		return history.Fail
	}
	return history.Unknown
}
