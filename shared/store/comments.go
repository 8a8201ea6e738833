package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	blogv1 "tandem/proto/blog/v1"
	labv1 "tandem/proto/lab/v1"
	"tandem/shared/mutant"
	"tandem/shared/problem"
	"tandem/shared/rules"
)

// CommentsSchema holds comments, and for each post that has or had some: how many of each status, and whether the post is
// deleted. Deleting a post is one row here, however many comments it has; they are kept and not shown.
const CommentsSchema = commentTables + `
CREATE INDEX IF NOT EXISTS comments_of_post ON comments (post_id, create_us, id);
CREATE INDEX IF NOT EXISTS comments_of_post_by_status ON comments (post_id, status, create_us, id);`

// ShownCommentsSchema is CommentsSchema for a read model, whose pages list approved comments only: a comment is indexed once, when
// it is approved. (2 is COMMENT_STATUS_APPROVED.)
const ShownCommentsSchema = commentTables + `
CREATE INDEX IF NOT EXISTS comments_shown ON comments (post_id, create_us, id) WHERE status = 2;`

const commentTables = `
CREATE TABLE IF NOT EXISTS comments (
  id TEXT PRIMARY KEY,
  post_id TEXT NOT NULL,
  author TEXT NOT NULL,
  body TEXT NOT NULL,
  status INTEGER NOT NULL, -- a CommentStatus
  reason TEXT NOT NULL,
  create_us INTEGER NOT NULL, -- Unix time in microseconds
  update_us INTEGER NOT NULL,
  version INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS comment_counts (
  post_id TEXT PRIMARY KEY,
  closed INTEGER NOT NULL DEFAULT 0, -- 1 once the post is deleted
  pending INTEGER NOT NULL DEFAULT 0,
  approved INTEGER NOT NULL DEFAULT 0,
  rejected INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;`

const commentColumns = `id, post_id, author, body, status, reason, create_us, update_us, version`

func scanComment(r row) (*blogv1.Comment, error) {
	c := &blogv1.Comment{}
	var created, updated int64
	err := r.Scan(&c.Id, &c.PostId, &c.Author, &c.Body, &c.Status, &c.Reason, &created, &updated, &c.Version)
	c.CreateTime, c.UpdateTime = timestamp(created), timestamp(updated)
	return c, err
}

// countColumn is where comment_counts counts a status. A status that nothing has counts nowhere.
func countColumn(s blogv1.CommentStatus) string {
	switch s {
	case blogv1.CommentStatus_COMMENT_STATUS_PENDING:
		return "pending"
	case blogv1.CommentStatus_COMMENT_STATUS_APPROVED:
		return "approved"
	case blogv1.CommentStatus_COMMENT_STATUS_REJECTED:
		return "rejected"
	default:
		return "pending + approved + rejected"
	}
}

// InsertComment stores a new comment, or says NotFound if its post is deleted.
func InsertComment(tx *Tx, c *blogv1.Comment) error {
	closed, err := commentsClosed(context.Background(), tx, c.GetPostId())
	if err != nil {
		return err
	}
	if closed {
		return problem.NewNotFound("post", c.GetPostId())
	}
	if mutant.On(mutant.FallbackUnstored) && c.GetStatus() == blogv1.CommentStatus_COMMENT_STATUS_PENDING {
		return nil
	}
	if err := tx.exec(`INSERT INTO comments (`+commentColumns+`) VALUES (`+placeholders(9)+`)`,
		c.GetId(), c.GetPostId(), c.GetAuthor(), c.GetBody(), c.GetStatus(), c.GetReason(),
		micros(c.GetCreateTime()), micros(c.GetUpdateTime()), c.GetVersion()); err != nil {
		return err
	}
	noteDecided(tx, c)
	return CountComment(tx, c.GetPostId(), c.GetStatus(), 1)
}

// CountComment adds n to how many comments of a status a post has.
func CountComment(tx *Tx, postID string, status blogv1.CommentStatus, n int) error {
	column := countColumn(status)
	return tx.exec(`INSERT INTO comment_counts (post_id, `+column+`) VALUES (?, ?)
		ON CONFLICT (post_id) DO UPDATE SET `+column+` = `+column+` + excluded.`+column, postID, n)
}

// noteDecided notes the effect that readers wait for: that a comment's status is decided.
func noteDecided(tx *Tx, c *blogv1.Comment) {
	if c.GetStatus() != blogv1.CommentStatus_COMMENT_STATUS_PENDING {
		tx.Effect(labv1.Aggregate_AGGREGATE_COMMENT, c.GetId(), c.GetVersion())
	}
}

// DecideComment gives a PENDING comment its final status and returns the comment as it is now. A comment that is decided
// already stays as it is: then decided is false. It says NotFound of a comment that is not stored.
func DecideComment(tx *Tx, id string, approved bool, reason string) (c *blogv1.Comment, decided bool, err error) {
	if c, err = readComment(context.Background(), tx, id); err != nil {
		return nil, false, err
	}
	if c.GetStatus() != blogv1.CommentStatus_COMMENT_STATUS_PENDING {
		return c, false, nil
	}
	c.Status, c.Reason = Decision(approved), reason
	c.UpdateTime, c.Version = rules.Now(), c.GetVersion()+1
	if err := tx.exec(`UPDATE comments SET status = ?, reason = ?, update_us = ?, version = ? WHERE id = ?`,
		c.GetStatus(), reason, micros(c.GetUpdateTime()), c.GetVersion(), id); err != nil {
		return nil, false, err
	}
	if err := CountComment(tx, c.GetPostId(), blogv1.CommentStatus_COMMENT_STATUS_PENDING, -1); err != nil {
		return nil, false, err
	}
	noteDecided(tx, c)
	return c, true, CountComment(tx, c.GetPostId(), c.GetStatus(), 1)
}

// Decision is the final status that a verdict gives.
func Decision(approved bool) blogv1.CommentStatus {
	if approved {
		return blogv1.CommentStatus_COMMENT_STATUS_APPROVED
	}
	return blogv1.CommentStatus_COMMENT_STATUS_REJECTED
}

// CloseComments takes a post's comments off every page, and accepts no more. Closing again changes nothing.
func CloseComments(tx *Tx, postID string) error {
	return tx.exec(`INSERT INTO comment_counts (post_id, closed) VALUES (?, 1)
		ON CONFLICT (post_id) DO UPDATE SET closed = 1`, postID)
}

func commentsClosed(ctx context.Context, r Reader, postID string) (closed bool, err error) {
	err = r.queryRow(ctx, `SELECT closed FROM comment_counts WHERE post_id = ?`, postID).Scan(&closed)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return closed, err
}

func readComment(ctx context.Context, r Reader, id string) (*blogv1.Comment, error) {
	c, err := scanComment(r.queryRow(ctx, `SELECT `+commentColumns+` FROM comments WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, problem.NewNotFound("comment", id)
	}
	if err != nil {
		return nil, fmt.Errorf("read comment %s: %w", id, err)
	}
	return c, nil
}

// GetComment returns a comment, or NotFound; also if its post is deleted.
func GetComment(ctx context.Context, r Reader, id string) (*blogv1.Comment, error) {
	c, err := readComment(ctx, r, id)
	if err != nil {
		return nil, err
	}
	closed, err := commentsClosed(ctx, r, c.GetPostId())
	if err != nil {
		return nil, fmt.Errorf("read comment %s: %w", id, err)
	}
	if closed {
		return nil, problem.NewNotFound("comment", id)
	}
	return c, nil
}

// Comments is one page of a post's comments.
type Comments struct {
	Comments []*blogv1.Comment
	Next     string // the token of the next page
	Total    int64  // on all pages together
}

// ListComments returns one page of the comments of a post that have a status (UNSPECIFIED: any), newest first.
func ListComments(ctx context.Context, r Reader, postID string, status blogv1.CommentStatus, page Page) (Comments, error) {
	var list Comments
	var closed bool
	err := r.queryRow(ctx, `SELECT closed, `+countColumn(status)+` FROM comment_counts WHERE post_id = ?`, postID).
		Scan(&closed, &list.Total)
	if errors.Is(err, sql.ErrNoRows) || closed {
		return Comments{}, nil
	}
	if err != nil {
		return Comments{}, fmt.Errorf("count comments of post %s: %w", postID, err)
	}
	after, limit := page.after()
	query, args := `SELECT `+commentColumns+` FROM comments WHERE post_id = ? AND `, []any{postID}
	if status != blogv1.CommentStatus_COMMENT_STATUS_UNSPECIFIED {
		query += `status = ` + strconv.Itoa(int(status)) + ` AND ` // as a number: an index on one status serves no ?
	}
	query += `(create_us, id) < (?, ?) ORDER BY create_us DESC, id DESC LIMIT ?`
	rows, err := r.query(ctx, query, append(args, after.Micros, after.ID, limit)...)
	err = Each(rows, err, func(rows *sql.Rows) error {
		c, err := scanComment(rows)
		list.Comments = append(list.Comments, c)
		return err
	})
	if err != nil {
		return Comments{}, fmt.Errorf("list comments of post %s: %w", postID, err)
	}
	list.Comments, list.Next = cut(list.Comments, page, func(c *blogv1.Comment) rules.Cursor {
		return rules.Cursor{Micros: micros(c.GetCreateTime()), ID: c.GetId()}
	})
	return list, nil
}

// CountApproved returns how many approved comments a post has.
func CountApproved(ctx context.Context, r Reader, postID string) (n int64, err error) {
	err = r.queryRow(ctx, `SELECT approved FROM comment_counts WHERE post_id = ? AND closed = 0`, postID).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}
