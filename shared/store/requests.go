package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"tandem/shared/crash"
	"tandem/shared/problem"
)

// requestsSchema keeps the result of each request_id for ever, so that the same id returns the first result (AIP-155).
const requestsSchema = `
CREATE TABLE IF NOT EXISTS requests (
  request_id TEXT PRIMARY KEY,
  response_type TEXT NOT NULL,
  response BLOB NOT NULL
);`

// Response is the reply message of an RPC.
type Response[M any] interface {
	*M
	proto.Message
}

// Once runs fn in a transaction unless requestID has been answered before; then it returns the first result and changes
// nothing. A failed fn leaves no trace: the same id may be tried again.
func Once[M any, R Response[M]](ctx context.Context, db *DB, requestID string, fn func(*Tx) (R, error)) (R, error) {
	var reply R
	err := db.writeRequest(ctx, func(tx *Tx) error {
		first, err := replay[M, R](ctx, tx, requestID)
		if err != nil || first != nil {
			reply = first
			return err
		}
		if reply, err = fn(tx); err != nil {
			return err
		}
		return remember(tx, requestID, reply)
	})
	if err != nil {
		return nil, err
	}
	return reply, nil
}

// writeRequest is Write for the change of a request. (It is not part of Once because the compiler would leave the crash points in:
// it does not see in generic functions that they are empty.)
func (db *DB) writeRequest(ctx context.Context, fn func(*Tx) error) error {
	err := db.Write(ctx, func(tx *Tx) error {
		err := fn(tx)
		crash.At(crash.RequestBeforeCommit)
		return err
	})
	crash.At(crash.RequestAfterCommit)
	return err
}

// Replay returns the first result of requestID, or nil if it has not been answered. It is for RPCs that have work to do before
// their transaction; Once looks again.
func Replay[M any, R Response[M]](ctx context.Context, db *DB, requestID string) (R, error) {
	return replay[M, R](ctx, db, requestID)
}

func replay[M any, R Response[M]](ctx context.Context, r Reader, requestID string) (R, error) {
	var kind string
	var raw []byte
	err := r.queryRow(ctx, `SELECT response_type, response FROM requests WHERE request_id = ?`, requestID).Scan(&kind, &raw)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up request %s: %w", requestID, err)
	}
	reply := R(new(M))
	if want := string(reply.ProtoReflect().Descriptor().FullName()); kind != want {
		return nil, problem.NewInvalid(problem.Field{
			Name: "request_id", Description: fmt.Sprintf("was used by another RPC (it got a %s); choose a new UUID", kind),
		})
	}
	if err := proto.Unmarshal(raw, reply); err != nil {
		return nil, fmt.Errorf("read the result of request %s: %w", requestID, err)
	}
	return reply, nil
}

func remember(tx *Tx, requestID string, reply proto.Message) error {
	raw, err := proto.Marshal(reply)
	if err != nil {
		return err
	}
	return tx.exec(`INSERT INTO requests (request_id, response_type, response) VALUES (?, ?, ?)`,
		requestID, string(reply.ProtoReflect().Descriptor().FullName()), raw)
}
