package bus

import (
	"context"
	"fmt"

	"tandem/shared/crash"
	"tandem/shared/mutant"
	"tandem/shared/store"
)

const (
	// relayRows and relayBytes bound one batch of the relay. A broker refuses requests over 1 MiB unless told otherwise.
	relayRows  = 500
	relayBytes = 512 << 10
)

// relay publishes the outbox, oldest first, until ctx ends: read what has piled up, publish it, delete it. A batch that fails is
// published again as it is, and nothing after it, so that order holds. A crash between publishing and deleting publishes
// twice: that is what the inbox is for. Nothing makes it give up: a full disk ends some day, and a service that stopped for it
// could not even be read from until then.
func (b *Bus) relay(ctx context.Context) {
	for ctx.Err() == nil {
		var batch []row
		_ = b.retry(ctx, "read outbox", func(ctx context.Context) (err error) {
			batch, err = b.pending(ctx)
			return err
		})
		if len(batch) == 0 { // nothing to do, or ctx has ended
			select {
			case <-b.wake:
			case <-ctx.Done():
			}
			continue
		}
		last := batch[len(batch)-1].seq
		if mutant.On(mutant.SentBeforePublish) {
			_ = b.sent(ctx, last)
		}
		crash.At(crash.RelayBeforePublish)
		if err := b.retry(ctx, "publish", func(ctx context.Context) error { return b.send(ctx, batch) }); err != nil {
			return // ctx has ended; the batch waits for the next start
		}
		crash.At(crash.RelayAfterPublish)
		// Also if the service is being stopped just now: what is published need not be published again.
		_ = b.retry(ctx, "clear outbox", func(context.Context) error { return b.sent(context.WithoutCancel(ctx), last) })
		crash.At(crash.RelayAfterSent)
	}
}

// pending returns the oldest events of the outbox, up to a batch.
func (b *Bus) pending(ctx context.Context) (batch []row, err error) {
	rows, err := store.Query(ctx, b.db,
		`SELECT seq, aggregatetype, aggregateid, payload, headers FROM outbox ORDER BY seq LIMIT ?`, relayRows)
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what Close would
	size := 0
	for rows.Next() {
		var r row
		var headers []byte
		if err := rows.Scan(&r.seq, &r.topic, &r.key, &r.value, &headers); err != nil {
			return nil, fmt.Errorf("read outbox: %w", err)
		}
		if r.headers, err = decodeHeaders(headers); err != nil {
			return nil, fmt.Errorf("read outbox row %d: %w", r.seq, err)
		}
		if size += r.size(); size > relayBytes && len(batch) > 0 {
			break
		}
		batch = append(batch, r)
	}
	return batch, rows.Err()
}

// sent forgets the events up to and including seq.
func (b *Bus) sent(ctx context.Context, seq int64) error {
	err := b.db.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`DELETE FROM outbox WHERE seq <= ?`, seq)
		return err
	})
	if err != nil {
		return fmt.Errorf("clear outbox: %w", err)
	}
	return nil
}
