package brokerlog

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"tandem/bench/history"
	eventv1 "tandem/proto/event/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func headers(pairs ...string) (list []kafka.Header) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, kafka.Header{Key: pairs[i], Value: []byte(pairs[i+1])})
	}
	return list
}

// event is a record as a service publishes it.
func event(t testing.TB, id, subject string, message proto.Message) raw {
	value, err := proto.Marshal(message)
	require.NoError(t, err)
	return raw{
		place: place{"blog.test", 2}, offset: 7, key: []byte(subject), value: value,
		headers: headers("ce_specversion", "1.0", "ce_id", id, "ce_type", string(message.ProtoReflect().Descriptor().FullName()),
			"ce_source", "/test", "ce_subject", subject),
	}
}

func TestDecodeEveryEvent(t *testing.T) {
	for name, c := range map[string]struct {
		message proto.Message
		about   history.Aggregate
		version int64
	}{
		"post_created":      {&eventv1.PostCreated{PostId: "x", Version: 1}, history.Post, 1},
		"post_updated":      {&eventv1.PostUpdated{PostId: "x", Version: 2}, history.Post, 2},
		"post_deleted":      {&eventv1.PostDeleted{PostId: "x", Version: 3}, history.Post, 3},
		"comment_created":   {&eventv1.CommentCreated{CommentId: "x", PostId: "p", Version: 1}, history.Comment, 1},
		"comment_updated":   {&eventv1.CommentUpdated{CommentId: "x", PostId: "p", Version: 2}, history.Comment, 2},
		"comment_moderated": {&eventv1.CommentModerated{CommentId: "x", Approved: true}, history.Comment, 0},
		"author_followed":   {&eventv1.AuthorFollowed{Author: "x", Version: 4}, history.Author, 4},
		"author_unfollowed": {&eventv1.AuthorUnfollowed{Author: "x", Version: 5}, history.Author, 5},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, history.Record{
				Topic: "blog.test", Partition: 2, Offset: 7, Key: "x", EventID: "e1", Source: "/test",
				EventType: string(c.message.ProtoReflect().Descriptor().FullName()), Aggregate: c.about, ID: "x", Version: c.version,
			}, decode(event(t, "e1", "x", c.message)))
		})
	}
	require.Equal(t, 8, eventv1.File_event_v1_events_proto.Messages().Len(), "a new event must be known here")
}

func TestDecodeSaysWhatIsWrong(t *testing.T) {
	good := &eventv1.PostCreated{PostId: "x", Version: 1}
	for name, c := range map[string]struct {
		spoil func(*raw)
		want  string
	}{
		"no_headers":     {func(m *raw) { m.headers = nil }, "it lacks the header ce_id"},
		"no_source":      {func(m *raw) { m.headers = headers("ce_id", "e", "ce_type", "event.v1.PostCreated") }, "ce_source"},
		"no_type":        {func(m *raw) { m.headers = headers("ce_id", "e", "ce_source", "/s") }, "ce_type"},
		"unknown_type":   {retype("event.v1.PostEaten"), `unknown event type "event.v1.PostEaten"`},
		"no_event":       {retype("blog.v1.Post"), `unknown event type "blog.v1.Post"`},
		"no_name":        {retype(" . "), `unknown event type`},
		"tombstone":      {func(m *raw) { m.value = nil }, "a event.v1.PostCreated without content"},
		"not_protobuf":   {func(m *raw) { m.value = []byte("\xff\xff\xff") }, "its content is not a event.v1.PostCreated"},
		"retyped_field":  {func(m *raw) { m.value = append(m.value, 0x32, 1, '1') }, "its field 6 is not that of a event.v1.PostCreated"},
		"about_nothing":  {func(m *raw) { m.value = []byte{0x30, 1} }, "it names nothing"},
		"another_key":    {func(m *raw) { m.key = []byte("y") }, `its key is "y", and it is about "x"`},
		"no_key":         {func(m *raw) { m.key = nil }, `its key is "", and it is about "x"`},
		"key_not_utf8":   {func(m *raw) { m.key = []byte("\xff") }, `its key is "�"`},
		"other_subject":  {func(m *raw) { m.headers[4].Value = []byte("y") }, `its subject is "y", and it is about "x"`},
		"missed_subject": {func(m *raw) { m.headers = m.headers[:4] }, `its subject is "", and it is about "x"`},
	} {
		t.Run(name, func(t *testing.T) {
			m := event(t, "e1", "x", good)
			c.spoil(&m)
			require.Contains(t, decode(m).Problem, c.want)
		})
	}
	require.Empty(t, decode(event(t, "e1", "x", good)).Problem)
}

func retype(name string) func(*raw) { return func(m *raw) { m.headers[2].Value = []byte(name) } }

func TestDecodeADeadLetter(t *testing.T) {
	m := event(t, "e1", "x", &eventv1.PostCreated{PostId: "x", Version: 1})
	m.headers = append(m.headers, headers("dead_letter_reason", "no such post")...)
	require.Equal(t, "no such post", decode(m).Reason)
}

// FuzzDecode: whatever lies in the log, there is a record for it that a history can hold.
func FuzzDecode(f *testing.F) {
	for _, message := range []proto.Message{
		&eventv1.PostCreated{PostId: "x", Version: 1}, &eventv1.CommentModerated{CommentId: "x"}, &eventv1.AuthorFollowed{Author: "x"},
	} {
		m := event(f, "e1", "x", message)
		f.Add(m.key, m.value, "e1", "/test", string(message.ProtoReflect().Descriptor().FullName()), "x", "")
	}
	f.Add([]byte{0xff}, []byte{}, "", "", "event.v1.", "\xff", "\x00")
	f.Fuzz(func(t *testing.T, key, value []byte, id, source, kind, subject, reason string) {
		r := decode(raw{place: place{"t", 0}, key: key, value: value, headers: headers(
			"ce_id", id, "ce_source", source, "ce_type", kind, "ce_subject", subject, "dead_letter_reason", reason)})
		if r.Problem == "" {
			require.Equal(t, r.Key, r.ID)
			require.NotEmpty(t, r.Aggregate)
		}
		line, err := json.Marshal(r)
		require.NoError(t, err)
		var again history.Record
		require.NoError(t, json.Unmarshal(line, &again))
		require.Equal(t, r, again)
	})
}

// broker is an embedded broker with two topics of two partitions.
func broker(t *testing.T) (*kfake.Cluster, *Log) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "blog.a", "blog.b"))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	log := Open(cluster.ListenAddrs()[0])
	t.Cleanup(log.Close)
	return cluster, log
}

func publish(t *testing.T, l *Log, topic string, partition, n, from int) {
	var records []kafka.Record
	for i := range n {
		m := event(t, fmt.Sprint(topic, partition, from+i), "x", &eventv1.PostCreated{PostId: "x", Version: int64(from + i)})
		records = append(records, kafka.Record{Key: kafka.NewBytes(m.key), Value: kafka.NewBytes(m.value), Headers: m.headers})
	}
	reply, err := l.client.Produce(t.Context(), &kafka.ProduceRequest{
		Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...),
	})
	require.NoError(t, err)
	require.NoError(t, reply.Error)
}

func TestReadsWhatCameSince(t *testing.T) {
	_, log := broker(t)
	publish(t, log, "blog.a", 0, 3, 0)
	publish(t, log, "blog.b", 1, 1, 0)
	before, err := log.Ends(t.Context())
	require.NoError(t, err)
	publish(t, log, "blog.b", 0, 2, 0)
	publish(t, log, "blog.a", 0, 4000, 3) // more than one answer holds
	after, err := log.Ends(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 4002, after.Since(before))
	var got []history.Record
	require.NoError(t, log.Read(t.Context(), before, func(r history.Record) { got = append(got, r) }))
	require.Len(t, got, 4002)
	for i, r := range got {
		want := history.Record{Topic: "blog.a", Offset: int64(i) + 3}
		if i >= 4000 {
			want = history.Record{Topic: "blog.b", Offset: int64(i) - 4000}
		}
		require.Equal(t, want.Topic, r.Topic)
		require.Equal(t, want.Offset, r.Offset)
		require.Equal(t, want.Offset, r.Version)
		require.Equal(t, fmt.Sprint(r.Topic, 0, r.Version), r.EventID)
		require.Empty(t, r.Problem)
	}
}

func TestReadSaysWhatTheBrokerLost(t *testing.T) {
	_, log := broker(t)
	publish(t, log, "blog.a", 0, 3, 0)
	ends, err := log.Ends(t.Context())
	require.NoError(t, err)
	ends[place{"blog.a", 0}] = 9
	ends[place{"blog.gone", 0}] = 2
	var got []history.Record
	require.NoError(t, log.Read(t.Context(), ends, func(r history.Record) { got = append(got, r) }))
	require.Len(t, got, 2)
	require.Contains(t, got[0].Problem, "the log ends at 3, before 9")
	require.Equal(t, "blog.gone", got[1].Topic)
	require.Contains(t, got[1].Problem, "the log ends at 0, before 2")
}

func TestReadSaysWhatWasCutOff(t *testing.T) {
	cluster, log := broker(t)
	publish(t, log, "blog.a", 0, 5, 0)
	before, err := log.Ends(t.Context())
	require.NoError(t, err)
	publish(t, log, "blog.a", 0, 5, 5)
	require.NoError(t, cluster.DeleteRecords("blog.a", 0, 7))
	var got []history.Record
	require.NoError(t, log.Read(t.Context(), before, func(r history.Record) { got = append(got, r) }))
	require.Len(t, got, 1)
	require.Contains(t, got[0].Problem, "does not have the records from 5 to 9 any more")
}

func TestABrokerThatIsNotThere(t *testing.T) {
	cluster, log := broker(t)
	cluster.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := log.Ends(ctx)
	require.ErrorContains(t, err, "see the broker's log")
	require.Error(t, log.Read(ctx, Ends{}, func(history.Record) {}))
}
