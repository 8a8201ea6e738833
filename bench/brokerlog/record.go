package brokerlog

import (
	"fmt"
	"strings"

	"github.com/segmentio/kafka-go"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"tandem/bench/history"
	eventv1 "tandem/proto/event/v1"
)

// The headers of an event that say what it is (CloudEvents 1.0, Kafka binary mode), and why it was put aside.
const (
	headerID      = "ce_id"
	headerSource  = "ce_source"
	headerType    = "ce_type"
	headerSubject = "ce_subject"
	headerReason  = "dead_letter_reason"
)

// raw is a record as it lies in the log.
type raw struct {
	place
	offset  int64
	key     []byte
	value   []byte
	headers []kafka.Header
}

// decode reads a record as far as it can be read; of what is wrong with it the first thing is its Problem.
func decode(m raw) history.Record {
	r := history.Record{
		Topic: m.topic, Partition: m.partition, Offset: m.offset, Key: text(m.key),
		EventID: m.header(headerID), Source: m.header(headerSource), EventType: m.header(headerType), Reason: m.header(headerReason),
	}
	for _, name := range []string{headerID, headerSource, headerType} {
		if m.header(name) == "" {
			r.Problem = "it lacks the header " + name
			return r
		}
	}
	event, err := message(r.EventType, m.value)
	if err != nil {
		r.Problem = err.Error()
		return r
	}
	r.Aggregate, r.ID, r.Version = subject(event)
	r.Problem = misplaced(r, m.header(headerSubject))
	return r
}

// text makes what may be anything fit for JSON, which replaces what is no UTF-8 on its own in a way that cannot be read back.
func text(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

func (m raw) header(name string) string {
	for _, h := range m.headers {
		if h.Key == name {
			return text(h.Value)
		}
	}
	return ""
}

// message decodes an event of the project.
func message(name string, value []byte) (proto.Message, error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
	if err != nil || kind.Descriptor().ParentFile() != eventv1.File_event_v1_events_proto {
		return nil, fmt.Errorf("unknown event type %q", name)
	}
	if len(value) == 0 { // a tombstone, which would be read as an event with nothing in it
		return nil, fmt.Errorf("a %s without content", name)
	}
	event := kind.New().Interface()
	if err := proto.Unmarshal(value, event); err != nil {
		return nil, fmt.Errorf("its content is not a %s", name)
	}
	if number, found := misread(event.ProtoReflect()); found {
		return nil, fmt.Errorf("its field %d is not that of a %s", number, name)
	}
	return event, nil
}

// misread finds a field that an event should have and that came as another type: protobuf keeps it as if it were unknown.
func misread(event protoreflect.Message) (number protowire.Number, found bool) {
	for rest := event.GetUnknown(); len(rest) > 0; {
		number, _, n := protowire.ConsumeField(rest)
		if n < 0 || event.Descriptor().Fields().ByNumber(number) != nil {
			return number, true
		}
		rest = rest[n:]
	}
	return 0, false
}

// subject is what an event is about, and which version of it the event made. A verdict makes none.
func subject(event proto.Message) (of history.Aggregate, id string, version int64) {
	switch e := event.(type) {
	case *eventv1.PostCreated:
		return history.Post, e.GetPostId(), e.GetVersion()
	case *eventv1.PostUpdated:
		return history.Post, e.GetPostId(), e.GetVersion()
	case *eventv1.PostDeleted:
		return history.Post, e.GetPostId(), e.GetVersion()
	case *eventv1.CommentCreated:
		return history.Comment, e.GetCommentId(), e.GetVersion()
	case *eventv1.CommentUpdated:
		return history.Comment, e.GetCommentId(), e.GetVersion()
	case *eventv1.CommentModerated:
		return history.Comment, e.GetCommentId(), 0
	case *eventv1.AuthorFollowed:
		return history.Author, e.GetAuthor(), e.GetVersion()
	case *eventv1.AuthorUnfollowed:
		return history.Author, e.GetAuthor(), e.GetVersion()
	}
	return "", "", 0
}

// misplaced says how an event's key or subject is not the id of what it is about: the key decides the partition, and with it
// the order.
func misplaced(r history.Record, subject string) string {
	switch {
	case r.ID == "":
		return "it names nothing that it is about"
	case r.Key != r.ID:
		return fmt.Sprintf("its key is %q, and it is about %q", r.Key, r.ID)
	case subject != r.ID:
		return fmt.Sprintf("its subject is %q, and it is about %q", subject, r.ID)
	}
	return ""
}
