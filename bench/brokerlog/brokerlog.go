// Package brokerlog reads what a run left in the broker's log, as anybody can who knows the broker's address and the events'
// definition. It does not know the services, and judges nothing.
package brokerlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"tandem/bench/history"
)

const (
	// patience is how long a request is tried again while the broker does not answer.
	patience = 10 * time.Second
	// fetchBytes bounds one answer of the broker.
	fetchBytes = 1 << 20
	// fetchWait is how long the broker may look for more.
	fetchWait = 500 * time.Millisecond
	// emptyAnswers in a row mean that the broker says there are records and does not give them.
	emptyAnswers = 3
)

// Ends is where the partitions of all topics end: the offset after the last record of each.
type Ends map[place]int64

// place is one partition.
type place struct {
	topic     string
	partition int
}

// Since is how many records came since an earlier moment.
func (e Ends) Since(before Ends) (n int64) {
	for p, end := range e {
		n += max(0, end-before[p])
	}
	return n
}

// Log is a broker's log. Close it.
type Log struct {
	client *kafka.Client
	pool   *kafka.Transport
}

// Open prepares to read the log of the broker at host:port; nothing is sent yet.
func Open(address string) *Log {
	pool := &kafka.Transport{ClientID: "tandem-bench", DialTimeout: time.Second, MetadataTTL: fetchWait}
	return &Log{client: &kafka.Client{Addr: kafka.TCP(address), Transport: pool}, pool: pool}
}

// Close closes the connections.
func (l *Log) Close() { l.pool.CloseIdleConnections() }

// Ends returns where the log ends now. A broker that does not answer for 10 s is an error.
func (l *Log) Ends(ctx context.Context) (ends Ends, err error) {
	err = persist(ctx, func(ctx context.Context) (err error) {
		ends, err = l.ends(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ask the broker at %s where its log ends: %w; see the broker's log", l.client.Addr, err)
	}
	return ends, nil
}

func (l *Log) ends(ctx context.Context) (Ends, error) {
	all, err := l.client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return nil, err
	}
	request := &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{}}
	for _, topic := range all.Topics {
		for _, p := range topic.Partitions {
			if !topic.Internal {
				request.Topics[topic.Name] = append(request.Topics[topic.Name], kafka.LastOffsetOf(p.ID))
			}
		}
	}
	if len(request.Topics) == 0 {
		return Ends{}, nil
	}
	reply, err := l.client.ListOffsets(ctx, request)
	if err != nil {
		return nil, err
	}
	ends := Ends{}
	for topic, partitions := range reply.Topics {
		for _, p := range partitions {
			if p.Error != nil {
				return nil, fmt.Errorf("%s/%d: %w", topic, p.Partition, p.Error)
			}
			ends[place{topic, p.Partition}] = p.LastOffset
		}
	}
	return ends, nil
}

// Read passes each record that came since the log ended at from to sink, by topic, partition and offset, up to where it ends
// now. What cannot be decoded comes with its Problem, and so does a part of the log that is not there any more. A broker that
// does not answer for 10 s is an error.
func (l *Log) Read(ctx context.Context, from Ends, sink func(history.Record)) error {
	ends, err := l.Ends(ctx)
	if err != nil {
		return err
	}
	for p := range from {
		ends[p] += 0 // a topic that has gone ends where it began
	}
	places := slices.SortedFunc(maps.Keys(ends), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
	for _, p := range places {
		if err := l.readPlace(ctx, p, from[p], ends[p], sink); err != nil {
			return fmt.Errorf("read %s/%d of the broker at %s: %w; see the broker's log", p.topic, p.partition, l.client.Addr, err)
		}
	}
	return nil
}

// readPlace reads one partition from offset next up to end.
func (l *Log) readPlace(ctx context.Context, p place, next, end int64, sink func(history.Record)) error {
	lack := func(format string, args ...any) {
		sink(history.Record{Topic: p.topic, Partition: p.partition, Offset: next, Problem: fmt.Sprintf(format, args...)})
	}
	if end < next {
		lack("the log ends at %d, before %d, where it ended when the load began: the broker lost records", end, next)
		return nil
	}
	for empty := 0; next < end; {
		batch, err := l.fetch(ctx, p, next)
		switch {
		case errors.Is(err, kafka.OffsetOutOfRange):
			lack("the broker does not have the records from %d to %d any more", next, end-1)
			return nil
		case err != nil:
			return err
		case len(batch) == 0:
			if empty++; empty == emptyAnswers {
				lack("the broker does not give the records from %d to %d", next, end-1)
				return nil
			}
		}
		for _, m := range batch {
			if m.offset < end {
				sink(decode(m))
			}
			next, empty = m.offset+1, 0
		}
	}
	return nil
}

// fetch returns the next records of a partition.
func (l *Log) fetch(ctx context.Context, p place, next int64) (batch []raw, err error) {
	request := &kafka.FetchRequest{
		Topic: p.topic, Partition: p.partition, Offset: next, MinBytes: 1, MaxBytes: fetchBytes, MaxWait: fetchWait,
	}
	var gone error // asking again would not bring it back
	err = persist(ctx, func(ctx context.Context) error {
		reply, err := l.client.Fetch(ctx, request)
		if err != nil {
			return err
		}
		if errors.Is(reply.Error, kafka.OffsetOutOfRange) {
			gone = reply.Error
			return nil
		}
		if reply.Error != nil {
			return reply.Error
		}
		batch, err = readAll(reply.Records, p, next)
		return err
	})
	return batch, errors.Join(err, gone)
}

// readAll reads records from offset next on; a batch may begin before it.
func readAll(records kafka.RecordReader, p place, next int64) (batch []raw, err error) {
	for {
		record, err := records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return batch, nil
		}
		if err != nil {
			return nil, err
		}
		m := raw{place: p, offset: record.Offset, headers: record.Headers}
		if m.key, err = kafka.ReadAll(record.Key); err != nil {
			return nil, err
		}
		if m.value, err = kafka.ReadAll(record.Value); err != nil {
			return nil, err
		}
		if m.offset >= next {
			batch = append(batch, m)
		}
	}
}

// persist tries until it succeeds, patience is over, or ctx ends. Then the error is that of the last attempt.
func persist(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pauseBetween):
		}
	}
}

// pauseBetween is between two attempts.
const pauseBetween = 50 * time.Millisecond
