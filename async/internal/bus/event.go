package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/segmentio/kafka-go"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// The headers of an event: CloudEvents 1.0, Kafka binary mode, and the trace context that travels with it.
const (
	headerID          = "ce_id"
	headerType        = "ce_type"
	headerSource      = "ce_source"
	headerTime        = "ce_time"
	headerSubject     = "ce_subject"
	headerSpec        = "ce_specversion"
	headerContent     = "content-type"
	headerTrace       = "traceparent"
	contentProtobuf   = "application/protobuf"
	cloudEventVersion = "1.0"
)

// The headers that a dead letter has besides its own.
const (
	headersOfDeath      = "dead_letter_" // what they begin with
	headerDeadTopic     = "dead_letter_topic"
	headerDeadPartition = "dead_letter_partition"
	headerDeadOffset    = "dead_letter_offset"
	headerDeadConsumer  = "dead_letter_consumer"
	headerDeadReason    = "dead_letter_reason"
)

// row is one event as it lies in the outbox.
type row struct {
	seq     int64
	topic   string
	key     []byte
	value   []byte
	headers []kafka.Header
}

func (r row) size() int {
	n := len(r.key) + len(r.value)
	for _, h := range r.headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

// newRow wraps a message as an event about the aggregate that subject names.
func (b *Bus) newRow(ctx context.Context, subject string, message proto.Message) (row, error) {
	value, err := proto.Marshal(message)
	if err != nil {
		return row{}, fmt.Errorf("encode event: %w", err)
	}
	id, err := uuid.NewV7() // grows with time, so that every inbox grows at its end and not all over
	if err != nil {
		return row{}, fmt.Errorf("draw the event's id: %w", err)
	}
	headers := []kafka.Header{
		{Key: headerSpec, Value: []byte(cloudEventVersion)},
		{Key: headerID, Value: []byte(id.String())},
		{Key: headerType, Value: []byte(message.ProtoReflect().Descriptor().FullName())},
		{Key: headerSource, Value: []byte(b.source)},
		{Key: headerSubject, Value: []byte(subject)},
		{Key: headerTime, Value: []byte(time.Now().UTC().Format(time.RFC3339Nano))},
		{Key: headerContent, Value: []byte(contentProtobuf)},
	}
	if trace := traceparent(ctx); trace != "" {
		headers = append(headers, kafka.Header{Key: headerTrace, Value: []byte(trace)})
	}
	return row{topic: b.topic, key: []byte(subject), value: value, headers: headers}, nil
}

type traceKey struct{}

// traceparent is the W3C trace context of the request or of the event that is being handled; empty if it has none.
func traceparent(ctx context.Context) string {
	if trace, ok := ctx.Value(traceKey{}).(string); ok {
		return trace
	}
	if values := metadata.ValueFromIncomingContext(ctx, headerTrace); len(values) > 0 && isTraceparent(values[0]) {
		return values[0]
	}
	return ""
}

// isTraceparent tells whether a value has the form of W3C Trace Context, version 00. Anything else that a client sends must not
// get into the log.
func isTraceparent(value string) bool {
	const form = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx"
	if len(value) != len(form) {
		return false
	}
	for i := range len(form) {
		c := value[i]
		if isHex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f'; form[i] == 'x' && !isHex || form[i] != 'x' && c != form[i] {
			return false
		}
	}
	return true
}

// header returns the value of a header, or "".
func header(headers []kafka.Header, key string) string {
	for _, h := range headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// encodeHeaders and decodeHeaders keep headers in one column of the outbox.
func encodeHeaders(headers []kafka.Header) ([]byte, error) { return json.Marshal(headers) }

func decodeHeaders(raw []byte) (headers []kafka.Header, err error) {
	err = json.Unmarshal(raw, &headers)
	return headers, err
}
