package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"tandem/bench/cluster"
)

// stray puts events into a topic that no service has published: poison, which no consumer can ever read, or the last events of the
// topic once more, as a producer does whose acknowledgement was lost. There is nothing to lift: what is in the log stays there.
type stray struct {
	spec   Spec
	client *kafka.Client
	dice   *rand.Rand
}

func newStray(e Env, s Spec) Fault {
	st := newProducer(e, s)
	return newTimed(s.Kind, s.Victim, e.Now, deed{absent: !e.Stack.Has(cluster.Broker), do: st.begin, undo: st.end})
}

func newProducer(e Env, s Spec) *stray {
	return &stray{
		spec: s, dice: rand.New(rand.NewPCG(e.Seed, 0)),
		client: &kafka.Client{Addr: kafka.TCP(e.Stack.Address(cluster.Broker)), Transport: &kafka.Transport{DialTimeout: time.Second}},
	}
}

func (s *stray) end(context.Context) error {
	s.client.Transport.(*kafka.Transport).CloseIdleConnections()
	return nil
}

// begin returns once the broker has acknowledged all of them.
func (s *stray) begin(ctx context.Context) error {
	for range max(1, s.spec.Count) {
		partition, record, err := s.next(ctx)
		if err != nil {
			return err
		}
		if err := s.put(ctx, partition, record); err != nil {
			return err
		}
	}
	return nil
}

// put returns once the broker has acknowledged a record.
func (s *stray) put(ctx context.Context, partition int, record kafka.Record) error {
	response, err := s.client.Produce(ctx, &kafka.ProduceRequest{
		Topic: s.spec.Victim, Partition: partition, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(record),
	})
	if err == nil {
		err = response.Error
	}
	if err != nil {
		return fmt.Errorf("put an event into %s: %w", s.spec.Victim, err)
	}
	return nil
}

func (s *stray) next(ctx context.Context) (partition int, record kafka.Record, err error) {
	ends, err := s.ends(ctx)
	if err != nil {
		return 0, kafka.Record{}, err
	}
	partition = s.dice.IntN(len(ends))
	if s.spec.Kind == Poison {
		return partition, s.poison(), nil
	}
	for range ends { // the next one that holds any such event
		records, err := s.recent(ctx, partition, ends[partition])
		if err != nil {
			return 0, kafka.Record{}, err
		}
		if len(records) > 0 {
			return partition, records[s.dice.IntN(len(records))], nil
		}
		partition = (partition + 1) % len(ends)
	}
	return 0, kafka.Record{}, fmt.Errorf("%s holds nothing to repeat: have the load last longer before", s.spec.Victim)
}

// farBack is how far back an event is repeated, in records of its partition.
const farBack = 100

// ends are the offsets behind the last record of each partition, which of these topics are numbered from 0.
func (s *stray) ends(ctx context.Context) ([]int64, error) {
	meta, err := s.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{s.spec.Victim}})
	if err != nil {
		return nil, err
	}
	if len(meta.Topics) != 1 || meta.Topics[0].Error != nil || len(meta.Topics[0].Partitions) == 0 {
		return nil, fmt.Errorf("the broker has no topic %s", s.spec.Victim)
	}
	ends := make([]int64, len(meta.Topics[0].Partitions))
	var ask []kafka.OffsetRequest
	for n := range ends {
		ask = append(ask, kafka.LastOffsetOf(n))
	}
	response, err := s.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{s.spec.Victim: ask}})
	if err != nil {
		return nil, err
	}
	for _, p := range response.Topics[s.spec.Victim] {
		if p.Error != nil {
			return nil, p.Error
		}
		ends[p.Partition] = p.LastOffset
	}
	return ends, nil
}

// poison says that it is an event which all consumers of the topic know, and holds what no decoder takes: a field of a wire type that
// protobuf does not have.
func (s *stray) poison() kafka.Record {
	types := map[string]string{
		"blog.posts": "event.v1.PostCreated", "blog.comments": "event.v1.CommentCreated", "blog.verdicts": "event.v1.CommentModerated",
		"blog.subscriptions": "event.v1.AuthorFollowed",
	}
	id := fmt.Sprintf("poison-%016x", s.dice.Uint64())
	return cloudEvent(types[s.spec.Victim], id, id, []byte{0x0f, 0xff})
}

// cloudEvent is an event of the laboratory, as producers wrap theirs.
func cloudEvent(kind, subject, id string, value []byte, extra ...kafka.Header) kafka.Record {
	return kafka.Record{
		Key: kafka.NewBytes([]byte(subject)), Value: kafka.NewBytes(value),
		Headers: append([]kafka.Header{
			{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_id", Value: []byte(id)}, {Key: "ce_source", Value: []byte("/laboratory")},
			{Key: "ce_type", Value: []byte(kind)}, {Key: "ce_subject", Value: []byte(subject)},
			{Key: "content-type", Value: []byte("application/protobuf")},
		}, extra...),
	}
}

// recent returns the last records of a partition that the fault may repeat.
func (s *stray) recent(ctx context.Context, partition int, end int64) (found []kafka.Record, err error) {
	for next := max(0, end-farBack); next < end; {
		response, err := s.client.Fetch(ctx, &kafka.FetchRequest{
			Topic: s.spec.Victim, Partition: partition, Offset: next, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second,
		})
		if err == nil {
			err = response.Error
		}
		if err != nil {
			return nil, err
		}
		read, last, err := s.choose(response.Records, next)
		if err != nil {
			return nil, err
		}
		if last < next {
			return nil, fmt.Errorf("read back what is in %s: nothing came", s.spec.Victim)
		}
		found, next = append(found, read...), last+1
	}
	return found, nil
}

// choose reads records from an offset on, and returns those that the fault may repeat, and the offset of the last.
func (s *stray) choose(records kafka.RecordReader, from int64) (chosen []kafka.Record, last int64, err error) {
	last = -1
	for {
		record, err := records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return chosen, last, nil
		}
		if err != nil {
			return nil, 0, err
		}
		copied, err := copyOf(record)
		if err != nil {
			return nil, 0, err
		}
		last = record.Offset
		if record.Offset >= from && s.repeats(record.Headers) { // a batch may begin before it
			chosen = append(chosen, copied)
		}
	}
}

// repeats tells whether an event with these headers is of the type to repeat.
func (s *stray) repeats(headers []kafka.Header) bool {
	return s.spec.Event == "" || slices.ContainsFunc(headers, func(h kafka.Header) bool {
		return h.Key == "ce_type" && string(h.Value) == s.spec.Event
	})
}

// copyOf reads a record out of the answer that holds it.
func copyOf(r *kafka.Record) (kafka.Record, error) {
	key, err := kafka.ReadAll(r.Key)
	if err != nil {
		return kafka.Record{}, err
	}
	value, err := kafka.ReadAll(r.Value)
	return kafka.Record{Key: kafka.NewBytes(key), Value: kafka.NewBytes(value), Headers: r.Headers}, err
}
