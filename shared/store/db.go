// Package store keeps what a service owns in one SQLite database: rows, the results of requests already answered, and
// nothing of another service. Both stacks store the same things in the same way, so that a comparison compares how services
// talk and not how they store.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	labv1 "tandem/proto/lab/v1"
	"tandem/shared/mutant"
	"tandem/shared/problem"
)

// Options are how a database is kept.
type Options struct {
	// Path of the database file; it is created if absent, its folder is not.
	Path string
	// Schema is SQL that may run again on a database that has it already.
	Schema []string
	// Sync is SQLite's synchronous setting. "normal": a killed process loses nothing, a power cut may lose the last
	// commits. "full": nor does a power cut.
	Sync string
	// OnCommit, if set, hears what each commit made visible, in the order of the commits, before its writers do.
	OnCommit func([]*labv1.Effect)
}

// DB is one open database. Reads run beside each other; writes run one after the other, and those that wait at the same time
// share a commit (group commit). It must be closed.
type DB struct {
	opts    Options
	readers *sql.DB
	stmts   sync.Map // SQL text -> *sql.Stmt on readers

	writes   *sql.DB // holds the writer's only connection
	writer   *Tx
	queue    chan *write
	closing  chan struct{}
	finished chan struct{}
}

// maxGroup is how many writes share a commit at most: it bounds how long the first of them waits.
const maxGroup = 256

// writerCacheKiB bounds the pages that the writer keeps. In SQLite's own 2 MiB a transaction of a thousand rows with random ids
// does not find room: pages are written, dropped and read again within it. Memory is taken as pages are used.
const writerCacheKiB = 32 << 10

// maxReaders is how many reads run at once; more wait.
const maxReaders = 4

// Open opens or creates a database. A file that is not a database, and a folder that cannot be written, are errors that say
// what to do.
func Open(ctx context.Context, opts Options) (*DB, error) {
	if opts.Sync != "normal" && opts.Sync != "full" {
		return nil, fmt.Errorf("database sync %q: use normal or full", opts.Sync)
	}
	db := &DB{
		opts:  opts,
		queue: make(chan *write, 4*maxGroup), closing: make(chan struct{}), finished: make(chan struct{}),
	}
	if err := db.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", opts.Path, explain(err)), db.closeFiles())
	}
	go db.commitLoop()
	return db, nil
}

func (db *DB) open(ctx context.Context) error {
	var err error
	if db.writes, err = sql.Open("sqlite", db.dsn(fmt.Sprintf("_txlock=immediate&_pragma=cache_size(-%d)", writerCacheKiB))); err != nil {
		return err
	}
	db.writes.SetMaxOpenConns(1)
	conn, err := db.writes.Conn(ctx)
	if err != nil {
		return err
	}
	db.writer = &Tx{conn: conn, stmts: map[string]*sql.Stmt{}}
	for _, schema := range append([]string{requestsSchema}, db.opts.Schema...) {
		if _, err := conn.ExecContext(ctx, schema); err != nil {
			return err
		}
	}
	if db.readers, err = sql.Open("sqlite", db.dsn("_pragma=query_only(1)")); err != nil {
		return err
	}
	if mutant.On(mutant.CountersKept) {
		if err := keepCounters(ctx, conn, db.opts.Path); err != nil {
			return err
		}
	}
	db.readers.SetMaxOpenConns(maxReaders)
	db.readers.SetMaxIdleConns(maxReaders)
	return db.readers.PingContext(ctx)
}

func (db *DB) dsn(more string) string {
	return "file:" + (&url.URL{Path: db.opts.Path}).EscapedPath() +
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(" + db.opts.Sync + ")&_pragma=busy_timeout(5000)&" + more
}

// Close waits for the writes under way and closes the files. Later writes fail with Unavailable.
func (db *DB) Close() error {
	close(db.closing)
	<-db.finished
	return db.closeFiles()
}

func (db *DB) closeFiles() error {
	var errs []error
	db.stmts.Range(func(_, stmt any) bool {
		errs = append(errs, stmt.(*sql.Stmt).Close())
		return true
	})
	if db.readers != nil {
		errs = append(errs, db.readers.Close())
	}
	if db.writer != nil {
		errs = append(errs, db.writer.close())
	}
	if db.writes != nil {
		errs = append(errs, db.writes.Close())
	}
	return errors.Join(errs...)
}

// explain turns SQLite's words into ours where the user can do something about it.
func explain(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff { // the primary code; the rest is detail
	case sqlite3.SQLITE_FULL:
		return problem.New(problem.Exhausted, "the disk is full; free some space", err)
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return problem.New(problem.Internal, "the file is damaged; move it away or restore it", err)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
		return problem.New(problem.Internal, "the file cannot be written; check the folder and its permissions", err)
	case sqlite3.SQLITE_IOERR:
		return problem.New(problem.Exhausted, "the disk does not take the write; check its space and health", err)
	}
	return err
}

// Reader reads committed rows, or, as a Tx, those of the transaction under way.
type Reader interface {
	query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	queryRow(ctx context.Context, query string, args ...any) row
}

// row is what *sql.Row offers; it lets a statement that could not be prepared report so in Scan.
type row interface{ Scan(dest ...any) error }

type badRow struct{ err error }

func (r badRow) Scan(...any) error { return r.err }

func (db *DB) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := db.stmts.Load(query); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := db.readers.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if first, raced := db.stmts.LoadOrStore(query, s); raced {
		return first.(*sql.Stmt), s.Close()
	}
	return s, nil
}

func (db *DB) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := db.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

func (db *DB) queryRow(ctx context.Context, query string, args ...any) row {
	s, err := db.stmt(ctx, query)
	if err != nil {
		return badRow{err}
	}
	return s.QueryRowContext(ctx, args...)
}

// Query runs a reading statement, prepared once. Use it for tables that are a service's own affair.
func Query(ctx context.Context, r Reader, query string, args ...any) (*sql.Rows, error) {
	return r.query(ctx, query, args...)
}

// QueryRow is Query for one row.
func QueryRow(ctx context.Context, r Reader, query string, args ...any) interface{ Scan(dest ...any) error } {
	return r.queryRow(ctx, query, args...)
}

// Each scans every row of a query with scan.
func Each(rows *sql.Rows, err error, scan func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what Close would
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func micros(t interface{ AsTime() time.Time }) int64 { return t.AsTime().UnixMicro() }

// placeholders returns "?,?,…", n times.
func placeholders(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }
