package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// keepCounters is the mistake mutant.CountersKept, and unreachable in programs that make none: the counters of a read model
// live on in a place that its rebuild does not know. Here that is a second name of the database file beside the folder, which is
// left when the folder is emptied.
func keepCounters(ctx context.Context, conn *sql.Conn, path string) error {
	if filepath.Base(path) != "query.db" {
		return nil
	}
	kept := filepath.Dir(path) + ".kept"
	if _, err := os.Stat(kept); err == nil {
		if err := takeOver(ctx, conn, kept); err != nil {
			return err
		}
	}
	for _, end := range []string{"", "-wal"} {
		err := os.Remove(kept + end)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Link(path+end, kept+end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// takeOver copies the counters that the new database does not have.
func takeOver(ctx context.Context, conn *sql.Conn, kept string) error {
	if _, err := conn.ExecContext(ctx, `ATTACH ? AS kept`, kept); err != nil {
		return err
	}
	for _, statement := range []string{
		`INSERT INTO authors SELECT * FROM kept.authors WHERE true ON CONFLICT DO NOTHING`,
		`INSERT INTO comment_counts SELECT * FROM kept.comment_counts WHERE true ON CONFLICT DO NOTHING`,
		`DETACH kept`,
	} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
