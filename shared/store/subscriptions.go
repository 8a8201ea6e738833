package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	labv1 "tandem/proto/lab/v1"
)

// SubscriptionsSchema holds who follows whom, and each author's count, so that reading it does not count.
const SubscriptionsSchema = `
CREATE TABLE IF NOT EXISTS subscriptions (
  author TEXT NOT NULL,
  follower TEXT NOT NULL,
  PRIMARY KEY (author, follower)
) WITHOUT ROWID;` + AuthorsSchema

// AuthorsSchema holds each author's count alone: what a read model needs.
const AuthorsSchema = `
CREATE TABLE IF NOT EXISTS authors (
  author TEXT PRIMARY KEY,
  subscribers INTEGER NOT NULL,
  version INTEGER NOT NULL -- how often subscribers has changed
) WITHOUT ROWID;`

// Standing is how an author stands.
type Standing struct {
	Subscribers int64
	Version     int64 // how often Subscribers has changed
}

// Subscribe makes follower follow author. changed is false if that was so before.
func Subscribe(tx *Tx, author, follower string) (s Standing, changed bool, err error) {
	n, err := tx.Exec(`INSERT INTO subscriptions (author, follower) VALUES (?, ?) ON CONFLICT DO NOTHING`, author, follower)
	if err != nil {
		return Standing{}, false, err
	}
	s, err = count(tx, author, n)
	return s, n == 1, err
}

// Unsubscribe ends that follower follows author. changed is false if that was so before.
func Unsubscribe(tx *Tx, author, follower string) (s Standing, changed bool, err error) {
	n, err := tx.Exec(`DELETE FROM subscriptions WHERE author = ? AND follower = ?`, author, follower)
	if err != nil {
		return Standing{}, false, err
	}
	s, err = count(tx, author, -n)
	return s, n == 1, err
}

// count changes an author's count by what has changed, if anything has.
func count(tx *Tx, author string, n int64) (Standing, error) {
	if n == 0 {
		return GetStanding(context.Background(), tx, author)
	}
	s, err := CountSubscribers(tx, author, n)
	if err == nil {
		tx.Effect(labv1.Aggregate_AGGREGATE_AUTHOR, author, s.Version)
	}
	return s, err
}

// CountSubscribers adds n to an author's subscribers and returns how the author stands then.
func CountSubscribers(tx *Tx, author string, n int64) (Standing, error) {
	var s Standing
	err := tx.queryRow(context.Background(), `INSERT INTO authors (author, subscribers, version) VALUES (?, ?, 1)
		ON CONFLICT (author) DO UPDATE SET subscribers = subscribers + excluded.subscribers, version = version + 1
		RETURNING subscribers, version`, author, n).Scan(&s.Subscribers, &s.Version)
	return s, err
}

// GetStanding returns how an author stands; an author whom nobody ever followed stands at zero.
func GetStanding(ctx context.Context, r Reader, author string) (Standing, error) {
	var s Standing
	err := r.queryRow(ctx, `SELECT subscribers, version FROM authors WHERE author = ?`, author).Scan(&s.Subscribers, &s.Version)
	if errors.Is(err, sql.ErrNoRows) {
		return Standing{}, nil
	}
	if err != nil {
		return Standing{}, fmt.Errorf("read the subscribers of %s: %w", author, err)
	}
	return s, nil
}
