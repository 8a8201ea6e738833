// Package position lets a reader of the async stack read what was just written: a write answers with its position, and a page can
// be asked to wait until the read model is there. It is an offer besides blog.v1, in the metadata of calls: who does not use it
// gets what there is at once, and pays nothing.
package position

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	blogv1 "tandem/proto/blog/v1"
	labv1 "tandem/proto/lab/v1"
)

const (
	// Header is the metadata of a write's reply: one position.
	Header = "tandem-position"
	// WaitFor is the metadata of a request for a page: a position that a write answered with. It may be given several times.
	WaitFor = "tandem-wait-for"
)

// Position is a version of one thing. What has this version or a later one shows the write.
type Position struct {
	Aggregate labv1.Aggregate
	ID        string // of an author: the name
	Version   int64  // from 1, or Gone
}

// Gone is the version of a post that is deleted: after all others.
const Gone int64 = math.MaxInt64

// decided is the version of a comment that has its status: 1 when it was created, one more for the decision. Only then it shows.
const decided = 2

// maxID bounds the id in a position, in bytes: the longest name of an author.
const maxID = 64

var names = map[labv1.Aggregate]string{
	labv1.Aggregate_AGGREGATE_POST: "post", labv1.Aggregate_AGGREGATE_COMMENT: "comment", labv1.Aggregate_AGGREGATE_AUTHOR: "author",
}

// String returns the text that travels, for example "post:0b1c6a1e-5f0e-4c55-9d5e-3a7b6c8d9e0f@3", "author:ada@7" or, of a post that
// is deleted, "post:…@gone".
func (p Position) String() string {
	version := strconv.FormatInt(p.Version, 10)
	if p.Version == Gone {
		version = "gone"
	}
	return names[p.Aggregate] + ":" + p.ID + "@" + version
}

// Parse reads what String returns. Anything else is an error that says what a position looks like.
func Parse(text string) (Position, error) {
	kind, rest, _ := strings.Cut(text, ":")
	id, version, _ := strings.Cut(rest, "@")
	var p Position
	for aggregate, name := range names {
		if name == kind {
			p.Aggregate = aggregate
		}
	}
	p.ID, p.Version = id, versionOf(version)
	if p.Aggregate == 0 || id == "" || len(id) > maxID || p.Version < 1 || p.String() != text {
		return Position{}, fmt.Errorf("must be what a write answered in %s, for example author:ada@7", Header)
	}
	return p, nil
}

func versionOf(text string) int64 {
	if text == "gone" {
		return Gone
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Tell is the interceptor of a service that owns something: it adds to the reply of a write where the write shows.
func Tell(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	reply, err := handle(ctx, req)
	if err != nil {
		return nil, err
	}
	if p := of(req, reply); p.Version > 0 {
		_ = grpc.SetHeader(ctx, metadata.Pairs(Header, p.String())) // fails only if nobody is there to read it
	}
	return reply, nil
}

// of is where a write shows; its version is 0 if there is nothing to wait for: a read, or a subscription that has never changed
// anything.
func of(req, reply any) Position {
	switch r := reply.(type) {
	case *blogv1.CreatePostResponse:
		return Position{labv1.Aggregate_AGGREGATE_POST, r.GetPost().GetId(), r.GetPost().GetVersion()}
	case *blogv1.UpdatePostResponse:
		return Position{labv1.Aggregate_AGGREGATE_POST, r.GetPost().GetId(), r.GetPost().GetVersion()}
	case *blogv1.DeletePostResponse:
		return Position{labv1.Aggregate_AGGREGATE_POST, req.(*blogv1.DeletePostRequest).GetId(), Gone}
	case *blogv1.CreateCommentResponse:
		return Position{labv1.Aggregate_AGGREGATE_COMMENT, r.GetComment().GetId(), decided}
	case *blogv1.SubscribeResponse:
		return Position{labv1.Aggregate_AGGREGATE_AUTHOR, req.(*blogv1.SubscribeRequest).GetAuthor(), r.GetVersion()}
	case *blogv1.UnsubscribeResponse:
		return Position{labv1.Aggregate_AGGREGATE_AUTHOR, req.(*blogv1.UnsubscribeRequest).GetAuthor(), r.GetVersion()}
	}
	return Position{}
}
