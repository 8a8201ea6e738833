package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/problem"
)

// VerdictsSchema holds one verdict for each comment that was reviewed.
const VerdictsSchema = `
CREATE TABLE IF NOT EXISTS verdicts (
  comment_id TEXT PRIMARY KEY,
  approved INTEGER NOT NULL,
  reason TEXT NOT NULL,
  create_us INTEGER NOT NULL -- Unix time in microseconds
) WITHOUT ROWID;`

// InsertVerdict stores the verdict on a comment unless there is one already, and returns the one that holds. isNew tells
// whether it is v.
func InsertVerdict(tx *Tx, v *blogv1.Verdict) (held *blogv1.Verdict, isNew bool, err error) {
	n, err := tx.Exec(`INSERT INTO verdicts (comment_id, approved, reason, create_us) VALUES (?, ?, ?, ?)
		ON CONFLICT (comment_id) DO NOTHING`, v.GetCommentId(), v.GetApproved(), v.GetReason(), micros(v.GetCreateTime()))
	if err != nil {
		return nil, false, err
	}
	if n == 1 {
		return v, true, nil
	}
	held, err = GetVerdict(context.Background(), tx, v.GetCommentId())
	return held, false, err
}

// GetVerdict returns the verdict on a comment, or NotFound.
func GetVerdict(ctx context.Context, r Reader, commentID string) (*blogv1.Verdict, error) {
	v := &blogv1.Verdict{CommentId: commentID}
	var created int64
	err := r.queryRow(ctx, `SELECT approved, reason, create_us FROM verdicts WHERE comment_id = ?`, commentID).
		Scan(&v.Approved, &v.Reason, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, problem.NewNotFound("verdict on comment", commentID)
	}
	if err != nil {
		return nil, fmt.Errorf("read verdict on comment %s: %w", commentID, err)
	}
	v.CreateTime = timestamp(created)
	return v, nil
}
