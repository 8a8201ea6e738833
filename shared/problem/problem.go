// Package problem names the few kinds of trouble that a request can meet, and maps them to gRPC status codes and back in
// one place. It knows nothing of what the services do.
package problem

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Kind is what sort of trouble an error is.
type Kind int

// The kinds. Each stands for exactly one status code.
const (
	// Internal is a bug or a broken part: the caller can do nothing about it.
	Internal Kind = iota
	// Invalid is bad input; nothing was stored.
	Invalid
	// NotFound is a thing that does not exist, or no longer.
	NotFound
	// Exhausted is a full disk, or a message over the limit.
	Exhausted
	// Unavailable is a part that does not answer. A write that ends so may have happened.
	Unavailable
	// DeadlineExceeded is an answer that came too late. A write that ends so may have happened.
	DeadlineExceeded
	// Canceled is a caller that went away. A write that ends so may have happened.
	Canceled
)

// codeOf is the mapping, in both directions.
var codeOf = map[Kind]codes.Code{
	Internal:         codes.Internal,
	Invalid:          codes.InvalidArgument,
	NotFound:         codes.NotFound,
	Exhausted:        codes.ResourceExhausted,
	Unavailable:      codes.Unavailable,
	DeadlineExceeded: codes.DeadlineExceeded,
	Canceled:         codes.Canceled,
}

// Field is one bad field of a request, by its proto name.
type Field struct{ Name, Description string }

// Error is trouble of one kind.
type Error struct {
	Kind   Kind
	Msg    string
	Fields []Field // of Invalid only
	Err    error   // the cause, or nil
}

// Error says what happened and why.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Msg
	}
	return e.Msg + ": " + plain(e.Err)
}

// plain is the text of an error without the words that gRPC puts around what a peer said.
func plain(err error) string {
	if s, ok := err.(interface{ GRPCStatus() *status.Status }); ok {
		return s.GRPCStatus().Message()
	}
	return err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// NewNotFound says that there is no such thing, for example NewNotFound("post", id).
func NewNotFound(thing, id string) error {
	return &Error{Kind: NotFound, Msg: fmt.Sprintf("%s %q not found", thing, id)}
}

// NewInvalid says which fields of the request are bad. It returns nil if none is.
func NewInvalid(fields ...Field) error {
	if len(fields) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Msg: fmt.Sprintf("%s %s", fields[0].Name, fields[0].Description), Fields: fields}
}

// New says what happened, of one kind, because of err (which may be nil).
func New(kind Kind, msg string, err error) error { return &Error{Kind: kind, Msg: msg, Err: err} }

// KindOf returns the kind of an error: of an Error, of a gRPC status, or of an ended context. Anything else is Internal.
func KindOf(err error) Kind {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Kind
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return Canceled
	}
	if s, ok := status.FromError(err); ok {
		return kindOfCode(s.Code())
	}
	return Internal
}

func kindOfCode(c codes.Code) Kind {
	for kind, code := range codeOf {
		if code == c {
			return kind
		}
	}
	return Internal
}

// ToStatus returns the gRPC status that tells a caller about err. An Internal error's text stays in the log of the service:
// the caller gets no more than that it happened.
func ToStatus(err error) *status.Status {
	kind := KindOf(err)
	if kind == Internal {
		return status.New(codes.Internal, "internal error; the log of the service says more")
	}
	s := status.New(codeOf[kind], plain(err))
	var e *Error
	if !errors.As(err, &e) || len(e.Fields) == 0 {
		return s
	}
	detailed, derr := s.WithDetails(badRequest(e.Fields))
	if derr != nil { // cannot happen: BadRequest is a proto message and the code is not OK
		return s
	}
	return detailed
}

func badRequest(fields []Field) *errdetails.BadRequest {
	br := &errdetails.BadRequest{}
	for _, f := range fields {
		br.FieldViolations = append(br.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: f.Name, Description: f.Description,
		})
	}
	return br
}

// FromStatus turns the error of a gRPC call into an Error, so that what a peer said keeps its kind and its fields on the way
// up. msg says what was tried. It returns nil for nil.
func FromStatus(msg string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Kind: KindOf(err), Msg: msg, Err: err}
	for _, d := range status.Convert(err).Details() {
		if br, ok := d.(*errdetails.BadRequest); ok {
			for _, v := range br.GetFieldViolations() {
				e.Fields = append(e.Fields, Field{Name: v.GetField(), Description: v.GetDescription()})
			}
		}
	}
	return e
}
