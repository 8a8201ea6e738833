package bus

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventv1 "tandem/proto/event/v1"
	"tandem/shared/store"
)

func encoded(t testing.TB, message proto.Message) []byte {
	value, err := proto.Marshal(message)
	require.NoError(t, err)
	return value
}

// withField is a value with one more field, which holds text.
func withField(value []byte, number protowire.Number) []byte {
	return protowire.AppendString(protowire.AppendTag(value, number, protowire.BytesType), "3")
}

// nested is a PostCreated whose creation time has its seconds as text.
func nested(t testing.TB) []byte {
	inner := withField(nil, 1)
	return protowire.AppendBytes(protowire.AppendTag(encoded(t, &eventv1.PostCreated{PostId: "p"}), 5, protowire.BytesType), inner)
}

func TestDecode(t *testing.T) {
	followed := encoded(t, &eventv1.AuthorFollowed{Author: "ada", Follower: "bob"})
	for _, tt := range []struct {
		name  string
		value []byte
		event proto.Message
		want  string // of the error; empty for none
	}{
		{"as_it_is", encoded(t, &eventv1.PostCreated{PostId: "p", CreateTime: timestamppb.Now(), Version: 1}), &eventv1.PostCreated{}, ""},
		{"new_field", withField(followed, 1000), &eventv1.AuthorFollowed{}, ""},
		{"field_left_out", encoded(t, &eventv1.AuthorFollowed{Author: "ada"}), &eventv1.AuthorFollowed{}, ""},
		{"version_as_text", withField(followed, 3), &eventv1.AuthorFollowed{}, "its field version (3) has another type than int64"},
		{"seconds_as_text", nested(t), &eventv1.PostCreated{}, "its field seconds (1) has another type than int64"},
		{"cut_off", followed[:len(followed)-1], &eventv1.AuthorFollowed{}, "cannot parse"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := decode(tt.value, tt.event)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestWhatIsPassedOver(t *testing.T) {
	for name, poison := range map[string]bool{
		"event.v1.PostUpdated": false, "event.v2.AuthorFollowed": false, "com.example.Something": false, "\xff": false,
		"event.v1.AuthorWasFollowed": true, "event.v1.": true, "event.v1.\xff": true,
	} {
		err := passOver(name)
		var dead *PoisonError
		require.Equal(t, poison, errors.As(err, &dead), "%q: %v", name, err)
	}
}

// idle is a bus that hears of followers and posts, and reaches no broker.
func idle(t testing.TB) *Bus {
	db, err := store.Open(context.Background(), store.Options{
		Path: filepath.Join(t.TempDir(), "peer.db"), Sync: "normal", Schema: []string{Schema},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	flags := AddFlags(flag.NewFlagSet("peer", flag.ContinueOnError))
	b := flags.New(Config{Service: "peer", Topic: Subscriptions, DB: db, Log: slog.New(slog.DiscardHandler)})
	On(b, Subscriptions, func(context.Context, *store.Tx, *eventv1.AuthorFollowed) error { return nil })
	On(b, Subscriptions, func(context.Context, *store.Tx, *eventv1.PostCreated) error { return nil })
	return b
}

// outboxRows counts what waits to be published.
func outboxRows(t testing.TB, b *Bus) (n int) {
	require.NoError(t, store.QueryRow(context.Background(), b.db, `SELECT count(*) FROM outbox`).Scan(&n))
	return n
}

// FuzzEvent: what lies in a topic is whatever somebody has put there. Each record is applied, passed over or put aside with a reason, and
// the partition moves on past it.
func FuzzEvent(f *testing.F) {
	followed := encoded(f, &eventv1.AuthorFollowed{Author: "ada", Follower: "bob", Version: 1})
	const kind = "event.v1.AuthorFollowed"
	for _, seed := range []struct {
		id, kind, extra string
		key, value      []byte
	}{
		{"1", kind, "", []byte("ada"), followed},
		{"2", kind, "ce_new", []byte("ada"), withField(followed, 1000)},
		{"3", kind, "traceparent", []byte("ada"), withField(followed, 3)},
		{"4", "event.v1.PostCreated", "", []byte("p"), nested(f)},
		{"5", "event.v1.AuthorWasFollowed", "", nil, followed},
		{"6", "event.v2.AuthorFollowed", "ce_id", nil, nil},
		{"7", kind, "ce_type", nil, nil},
		{"", kind, "", nil, followed},
		{"8", "", "\xff", nil, followed},
		{"9", kind, "dead_letter_topic", []byte{0}, []byte{0x0f, 0xff}},
	} {
		f.Add(seed.id, seed.kind, seed.extra, seed.key, seed.value)
	}
	b := idle(f)
	p := b.partitions[partition{Subscriptions, 0}]
	f.Fuzz(func(t *testing.T, id, kind, extra string, key, value []byte) {
		m := message{offset: p.next, key: key, value: value, headers: []kafka.Header{
			{Key: headerID, Value: []byte(id)}, {Key: headerType, Value: []byte(kind)}, {Key: extra, Value: value},
		}}
		before := outboxRows(t, b)
		require.NoError(t, b.apply(context.Background(), p, []message{m}))
		require.Equal(t, m.offset+1, p.next, "the partition did not move on")
		if outboxRows(t, b) == before {
			return // applied, or passed over
		}
		batch, err := b.pending(context.Background())
		require.NoError(t, err)
		dead := batch[len(batch)-1]
		require.Equal(t, DeadLetter, dead.topic)
		require.Equal(t, string(value), string(dead.value))
		require.NotEmpty(t, header(dead.headers, headerDeadReason))
		require.Equal(t, Subscriptions, header(dead.headers, headerDeadTopic), "the record's own headers say otherwise")
		require.NoError(t, b.sent(context.Background(), dead.seq))
	})
}
