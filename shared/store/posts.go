package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	blogv1 "tandem/proto/blog/v1"
	labv1 "tandem/proto/lab/v1"
	"tandem/shared/problem"
	"tandem/shared/rules"
)

// PostsSchema holds posts, with an index for each order in which they are listed.
const PostsSchema = `
CREATE TABLE IF NOT EXISTS posts (
  id TEXT PRIMARY KEY,
  author TEXT NOT NULL,
  title TEXT NOT NULL,
  body TEXT NOT NULL,
  create_us INTEGER NOT NULL, -- Unix time in microseconds
  update_us INTEGER NOT NULL,
  version INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS posts_newest ON posts (create_us, id);
CREATE INDEX IF NOT EXISTS posts_of_author ON posts (author, create_us, id);`

const postColumns = `id, author, title, body, create_us, update_us, version`

func scanPost(r row) (*blogv1.Post, error) {
	p := &blogv1.Post{}
	var created, updated int64
	err := r.Scan(&p.Id, &p.Author, &p.Title, &p.Body, &created, &updated, &p.Version)
	p.CreateTime, p.UpdateTime = timestamp(created), timestamp(updated)
	return p, err
}

func timestamp(micros int64) *timestamppb.Timestamp { return timestamppb.New(time.UnixMicro(micros)) }

// InsertPost stores a new post.
func InsertPost(tx *Tx, p *blogv1.Post) error {
	tx.Effect(labv1.Aggregate_AGGREGATE_POST, p.GetId(), p.GetVersion())
	return tx.exec(`INSERT INTO posts (`+postColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		p.GetId(), p.GetAuthor(), p.GetTitle(), p.GetBody(), micros(p.GetCreateTime()), micros(p.GetUpdateTime()), p.GetVersion())
}

// UpdatePost replaces the text of a post and returns the post as it is now, or NotFound.
func UpdatePost(tx *Tx, id, title, body string) (*blogv1.Post, error) {
	p, err := GetPost(context.Background(), tx, id)
	if err != nil {
		return nil, err
	}
	p.Title, p.Body, p.UpdateTime, p.Version = title, body, rules.Now(), p.GetVersion()+1
	tx.Effect(labv1.Aggregate_AGGREGATE_POST, id, p.GetVersion())
	return p, tx.exec(`UPDATE posts SET title = ?, body = ?, update_us = ?, version = ? WHERE id = ?`,
		title, body, micros(p.GetUpdateTime()), p.GetVersion(), id)
}

// DeletePost deletes a post and returns the version that its deletion is, or NotFound.
func DeletePost(tx *Tx, id string) (version int64, err error) {
	p, err := GetPost(context.Background(), tx, id)
	if err != nil {
		return 0, err
	}
	version = p.GetVersion() + 1
	tx.Effect(labv1.Aggregate_AGGREGATE_POST, id, version)
	return version, tx.exec(`DELETE FROM posts WHERE id = ?`, id)
}

// GetPost returns a post, or NotFound.
func GetPost(ctx context.Context, r Reader, id string) (*blogv1.Post, error) {
	p, err := scanPost(r.queryRow(ctx, `SELECT `+postColumns+` FROM posts WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, problem.NewNotFound("post", id)
	}
	if err != nil {
		return nil, fmt.Errorf("read post %s: %w", id, err)
	}
	return p, nil
}

// Page is one page of a list, in a checked request's words.
type Page struct {
	Size  int32
	Token string
}

// after returns where the page starts, and how many rows to read: one more than it shows, to know whether another follows.
func (p Page) after() (c rules.Cursor, limit int) {
	c, err := rules.ParseCursor(p.Token)
	if err != nil || c == (rules.Cursor{}) { // rules.Check… refused a bad token before
		c = rules.Cursor{Micros: math.MaxInt64}
	}
	return c, rules.PageSize(p.Size) + 1
}

// cut takes the row that only told that another page follows, and returns the token of that page.
func cut[T any](entries []T, page Page, cursor func(T) rules.Cursor) ([]T, string) {
	size := rules.PageSize(page.Size)
	if len(entries) <= size {
		return entries, ""
	}
	return entries[:size], cursor(entries[size-1]).Token()
}

// ListPosts returns one page of the posts of an author, or of all if author is empty, newest first, and the token of the next.
func ListPosts(ctx context.Context, r Reader, author string, page Page) (posts []*blogv1.Post, next string, err error) {
	after, limit := page.after()
	query, args := `SELECT `+postColumns+` FROM posts WHERE `, []any{}
	if author != "" {
		query, args = query+`author = ? AND `, append(args, author)
	}
	query += `(create_us, id) < (?, ?) ORDER BY create_us DESC, id DESC LIMIT ?`
	rows, err := r.query(ctx, query, append(args, after.Micros, after.ID, limit)...)
	err = Each(rows, err, func(rows *sql.Rows) error {
		p, err := scanPost(rows)
		posts = append(posts, p)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("list posts: %w", err)
	}
	posts, next = cut(posts, page, func(p *blogv1.Post) rules.Cursor {
		return rules.Cursor{Micros: micros(p.GetCreateTime()), ID: p.GetId()}
	})
	return posts, next, nil
}
