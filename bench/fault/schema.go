package fault

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"tandem/bench/cluster"
	blogv1 "tandem/proto/blog/v1"
	eventv1 "tandem/proto/event/v1"
	"tandem/shared/service"
)

// The changes that a newer producer can have made to an event.
const (
	Added   = "added"   // a field and a header more: consumers that do not know them go on
	Retyped = "retyped" // a field is of another type: what it says cannot be read any more
	Renamed = "renamed" // the event has another name
)

// Changes are all of them.
func Changes() []string { return []string{Added, Retyped, Renamed} }

// schemaTopic is where events of a newer producer can be put: those about followers of an author whom nobody knows change no page that
// the load looks at. A post or a comment that nobody wrote would be an effect that nobody asked for.
const schemaTopic = "blog.subscriptions"

// schema puts events into a topic as a newer producer would. Those that consumers must be able to read are seen on a page; the others are
// there when the broker has acknowledged them, and the account counts what was put aside. There is nothing to lift.
type schema struct {
	*stray
	env    Env
	author string // whom they are about
}

func newSchema(e Env, s Spec) Fault {
	st := newProducer(e, s)
	sc := &schema{stray: st, env: e, author: fmt.Sprintf("schema-%016x", st.dice.Uint64())}
	return newTimed(s.Kind, s.Victim, e.Now, deed{absent: !e.Stack.Has(cluster.Broker), do: sc.begin, undo: sc.end})
}

func (s *schema) begin(ctx context.Context) error {
	ends, err := s.ends(ctx)
	if err != nil {
		return err
	}
	partition := s.dice.IntN(len(ends)) // one for all, as they have one key
	for n := range max(1, s.spec.Count) {
		if err := s.put(ctx, partition, s.record(int64(n+1))); err != nil {
			return err
		}
	}
	if s.spec.Change != Added {
		return nil
	}
	return s.shown(ctx)
}

// record is the event of the author's follower number version, which is also the version of the author that it makes.
func (s *schema) record(version int64) kafka.Record {
	event := &eventv1.AuthorFollowed{Author: s.author, Follower: fmt.Sprintf("%s-%d", s.author, version)}
	kind := string(event.ProtoReflect().Descriptor().FullName())
	var extra []kafka.Header
	if s.spec.Change != Retyped {
		event.Version = version
	}
	value, _ := proto.Marshal(event) // names of a few letters always can be encoded
	switch s.spec.Change {
	case Added:
		value = withText(value, 1000, "what older consumers have no use for")
		extra = []kafka.Header{{Key: "ce_producerversion", Value: []byte("2")}}
	case Retyped:
		const versionField = 3
		value = withText(value, versionField, fmt.Sprint(version))
	case Renamed:
		kind = "event.v1.AuthorGainedFollower"
	}
	return cloudEvent(kind, s.author, fmt.Sprintf("%s-%d", s.author, version), value, extra...)
}

// withText is an encoded event with one more field, which is text.
func withText(value []byte, field protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(value, field, protowire.BytesType), text)
}

// shown returns once query shows the followers that the events told of.
func (s *schema) shown(ctx context.Context) error {
	conn, err := grpc.NewClient(s.env.Stack.Address("query"), service.DialOptions()...)
	if err != nil {
		return err
	}
	defer conn.Close()
	return await(ctx, func(ctx context.Context) error {
		page, err := blogv1.NewQueryServiceClient(conn).GetAuthorPage(ctx, &blogv1.GetAuthorPageRequest{Author: s.author, PageSize: 1})
		if want := int64(max(1, s.spec.Count)); err == nil && page.GetSubscriberCount() != want {
			err = fmt.Errorf("query shows %d followers of %s, and %d events told of one", page.GetSubscriberCount(), s.author, want)
		}
		return err
	})
}
