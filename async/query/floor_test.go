package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/floor"
	"tandem/shared/rules"
	"tandem/shared/store"
)

// BenchmarkFloorFeed is a page of the feed, in turn the newest one and one from anywhere, at 1,000,000 posts. The floor is the same
// at 1,000 posts. The call is made in the process: the hop is a row of its own, and would make the two more alike.
func BenchmarkFloorFeed(b *testing.B) {
	few, many := newFeed(b, 1000), newFeed(b, 1_000_000)
	floor.Compare(b, func() float64 { return few.p99(b) }, func() float64 { return many.p99(b) })
}

// feed is a read model with so many posts, one a second, each with a comment count and by one of 1,000 authors.
type feed struct {
	query *server
	posts int
	rand  *rand.Rand
}

const fillFeed = `
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %d)
INSERT INTO posts SELECT lower(hex(randomblob(18))), 'author-' || (i %% 1000), 'A title', printf('%%.*c', 120, 'b'),
	i * 1000000, i * 1000000, 1 FROM n`

func newFeed(b *testing.B, posts int) *feed {
	db, err := store.Open(b.Context(), store.Options{
		Path: filepath.Join(b.TempDir(), "query.db"), Sync: "normal",
		Schema: []string{store.PostsSchema, store.ShownCommentsSchema, store.AuthorsSchema},
	})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	require.NoError(b, db.Write(b.Context(), func(tx *store.Tx) error {
		for _, fill := range []string{
			fmt.Sprintf(fillFeed, posts),
			`INSERT INTO comment_counts (post_id, approved) SELECT id, 2 FROM posts ORDER BY id`,
			`INSERT INTO authors SELECT DISTINCT author, 5, 5 FROM posts ORDER BY author`,
		} {
			if _, err := tx.Exec(fill); err != nil {
				return err
			}
		}
		return nil
	}))
	return &feed{query: &server{db: db}, posts: posts, rand: rand.New(rand.NewPCG(1, 1))}
}

// p99 reads 1,000 pages.
func (f *feed) p99(b *testing.B) float64 {
	newest := true
	return floor.Quantile(floor.Times(1000, func() {
		token := ""
		if newest = !newest; newest {
			at := (20 + f.rand.Int64N(int64(f.posts)-20)) * 1_000_000
			token = rules.Cursor{Micros: at, ID: "00000000-0000-4000-8000-000000000000"}.Token()
		}
		page, err := f.query.ListFeed(context.Background(), &blogv1.ListFeedRequest{PageSize: 20, PageToken: token})
		require.NoError(b, err)
		require.Len(b, page.GetEntries(), 20)
		require.Positive(b, page.GetEntries()[19].GetCommentCount())
	}), 0.99)
}
