package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	labv1 "tandem/proto/lab/v1"
	"tandem/shared/problem"
)

// Tx is the transaction under way. It is the writer's alone and must not be kept after the function that got it returns.
type Tx struct {
	conn    *sql.Conn
	stmts   map[string]*sql.Stmt
	effects []*labv1.Effect
	after   []func()
}

// write is one function waiting for its turn.
type write struct {
	ctx  context.Context
	fn   func(*Tx) error
	err  error
	done chan struct{}
}

// Write runs fn in a transaction and returns once it is committed. If fn returns an error, what it did is undone and the
// error comes back as it is. If ctx ends before fn's turn, fn does not run. Other functions may share the commit, but never
// see each other half-way.
func (db *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	w := &write{ctx: ctx, fn: fn, done: make(chan struct{})}
	select {
	case db.queue <- w:
	case <-ctx.Done():
		return ctx.Err()
	case <-db.closing:
		return problem.New(problem.Unavailable, "the service is stopping", nil)
	}
	select {
	case <-w.done:
		return w.err
	case <-db.finished: // closed between our queueing and the writer's last look
		select {
		case <-w.done:
			return w.err
		default:
			return problem.New(problem.Unavailable, "the service is stopping", nil)
		}
	}
}

// commitLoop is the only user of the writer's connection: gather, run, commit, answer.
func (db *DB) commitLoop() {
	defer close(db.finished)
	for {
		select {
		case w := <-db.queue:
			db.commit(db.gather(w))
		case <-db.closing:
			for {
				select {
				case w := <-db.queue:
					db.commit(db.gather(w))
				default:
					return
				}
			}
		}
	}
}

// gather takes what has piled up behind the first write. It never waits for more: under load the pile grows while the commit
// before is under way, and without load there is nothing to wait for.
func (db *DB) gather(first *write) []*write {
	group := []*write{first}
	for len(group) < maxGroup {
		select {
		case w := <-db.queue:
			group = append(group, w)
		default:
			return group
		}
	}
	return group
}

func (db *DB) commit(group []*write) {
	err := db.writer.runAll(group)
	effects, after := db.writer.take()
	if err == nil && len(effects) > 0 && db.opts.OnCommit != nil {
		db.opts.OnCommit(effects)
	}
	for _, fn := range after {
		fn()
	}
	for _, w := range group {
		if w.err == nil && err != nil {
			w.err = fmt.Errorf("commit: %w", explain(err))
		}
		close(w.done)
	}
}

// runAll runs a group in one transaction. The error is the transaction's; that of each write is in the write.
func (tx *Tx) runAll(group []*write) error {
	if err := tx.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, w := range group {
		if err := tx.runOne(w, len(group) == 1); err != nil {
			tx.rollback()
			return err
		}
	}
	if err := tx.exec("COMMIT"); err != nil {
		tx.rollback()
		return err
	}
	return nil
}

// runOne runs one write so that its failure undoes it alone. A lone write needs no savepoint: its failure is the transaction's.
func (tx *Tx) runOne(w *write, alone bool) error {
	if w.err = w.ctx.Err(); w.err != nil {
		return nil
	}
	if alone {
		if w.err = tx.guard(w.fn); w.err != nil {
			w.err = explain(w.err)
			tx.effects = nil
			return w.err
		}
		return nil
	}
	if err := tx.exec("SAVEPOINT one"); err != nil {
		return err
	}
	kept := len(tx.effects)
	if w.err = tx.guard(w.fn); w.err != nil {
		w.err = explain(w.err)
		tx.effects = tx.effects[:kept]
		if err := tx.exec("ROLLBACK TO one"); err != nil { // a full disk may have undone the group: its cause is theirs too
			return errors.Join(w.err, err)
		}
	}
	return tx.exec("RELEASE one")
}

// guard keeps a panic in one write from ending the writer, which would hang all that come after.
func (tx *Tx) guard(fn func(*Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = problem.New(problem.Internal, fmt.Sprintf("panic in a write: %v", p), nil)
		}
	}()
	return fn(tx)
}

// rollback ends a transaction that failed. SQLite may have ended it already (a full disk does that): then there is nothing to
// undo, and its complaint says only that.
func (tx *Tx) rollback() {
	tx.effects = nil
	_, _ = tx.conn.ExecContext(context.Background(), "ROLLBACK")
}

// Effect notes that this transaction makes a change visible on query's pages. It is told to Options.OnCommit once committed.
func (tx *Tx) Effect(aggregate labv1.Aggregate, id string, version int64) {
	tx.effects = append(tx.effects, &labv1.Effect{Aggregate: aggregate, Id: id, Version: version})
}

// AfterCommit has fn called once the transaction has ended. fn must not wait: other writes are behind it. It may be called after
// a commit that failed too.
func (tx *Tx) AfterCommit(fn func()) { tx.after = append(tx.after, fn) }

// take returns what the transaction noted, the effects stamped with the time at which the commit returned.
func (tx *Tx) take() (effects []*labv1.Effect, after []func()) {
	effects, after = tx.effects, tx.after
	tx.effects, tx.after = nil, nil
	now := timestamppb.Now()
	for _, e := range effects {
		e.EffectTime = now
	}
	return effects, after
}

// The statements of a transaction run under no context: one that is cut in half would cost its whole group.

func (tx *Tx) stmt(query string) (*sql.Stmt, error) {
	if s, ok := tx.stmts[query]; ok {
		return s, nil
	}
	s, err := tx.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	tx.stmts[query] = s
	return s, nil
}

func (tx *Tx) exec(query string, args ...any) error {
	_, err := tx.Exec(query, args...)
	return err
}

// Exec runs a changing statement, prepared once, and returns how many rows it changed.
func (tx *Tx) Exec(query string, args ...any) (int64, error) {
	s, err := tx.stmt(query)
	if err != nil {
		return 0, err
	}
	result, err := s.Exec(args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (tx *Tx) query(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := tx.stmt(query)
	if err != nil {
		return nil, err
	}
	return s.Query(args...)
}

func (tx *Tx) queryRow(_ context.Context, query string, args ...any) row {
	s, err := tx.stmt(query)
	if err != nil {
		return badRow{err}
	}
	return s.QueryRow(args...)
}

func (tx *Tx) close() error {
	var errs []error
	for _, s := range tx.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, tx.conn.Close())...)
}
