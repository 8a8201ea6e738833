package store

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	blogv1 "tandem/proto/blog/v1"
	labv1 "tandem/proto/lab/v1"
	"tandem/shared/problem"
	"tandem/shared/rules"
)

const (
	unspecified = blogv1.CommentStatus_COMMENT_STATUS_UNSPECIFIED
	pending     = blogv1.CommentStatus_COMMENT_STATUS_PENDING
	approved    = blogv1.CommentStatus_COMMENT_STATUS_APPROVED
	rejected    = blogv1.CommentStatus_COMMENT_STATUS_REJECTED
)

// TestPagingWithEqualTimes: many posts of the same microsecond are all listed, once, in one order, however they are paged.
func TestPagingWithEqualTimes(t *testing.T) {
	db := open(t)
	random := rand.New(rand.NewPCG(1, 2))
	moment := time.Now().Truncate(time.Microsecond)
	var want []*blogv1.Post
	require.NoError(t, db.Write(testContext(t), func(tx *Tx) error {
		for range 97 {
			p := newPost("a")
			p.CreateTime = timestamppb.New(moment.Add(time.Duration(random.IntN(4)) * time.Microsecond))
			want = append(want, p)
			if err := InsertPost(tx, p); err != nil {
				return err
			}
		}
		return nil
	}))
	slices.SortFunc(want, func(a, b *blogv1.Post) int {
		if c := b.GetCreateTime().AsTime().Compare(a.GetCreateTime().AsTime()); c != 0 {
			return c
		}
		return strings.Compare(b.GetId(), a.GetId())
	})
	for _, author := range []string{"", "a"} {
		for _, size := range []int32{1, 7, 20, 97, 100} {
			got := walk(t, db, author, size)
			require.Len(t, got, len(want))
			for i := range want {
				require.True(t, proto.Equal(want[i], got[i]), "at %d: want %v, got %v", i, want[i], got[i])
			}
		}
	}
	require.Empty(t, walk(t, db, "b", 10))
}

func walk(t *testing.T, db *DB, author string, size int32) (all []*blogv1.Post) {
	t.Helper()
	token := ""
	for {
		posts, next, err := ListPosts(testContext(t), db, author, Page{Size: size, Token: token})
		require.NoError(t, err)
		require.LessOrEqual(t, len(posts), int(size))
		all = append(all, posts...)
		if token = next; token == "" {
			return all
		}
	}
}

// TestListsUseTheirIndexes: no list reads more rows than it shows, and none sorts. It looks at the very statements that the
// lists run, which are the ones that were prepared.
func TestListsUseTheirIndexes(t *testing.T) {
	db := open(t)
	fillPosts(t, db, 5_000)
	fillComments(t, db, 5_000)
	_, err := db.writer.conn.ExecContext(testContext(t), `ANALYZE`)
	require.NoError(t, err)
	for _, author := range []string{"", "author-1"} {
		_, _, err := ListPosts(testContext(t), db, author, Page{})
		require.NoError(t, err)
	}
	for status := range blogv1.CommentStatus_name {
		list, err := ListComments(testContext(t), db, postWithComments, blogv1.CommentStatus(status), Page{})
		require.NoError(t, err)
		require.Equal(t, status != int32(rejected), len(list.Comments) > 0, "status %d", status)
	}
	_, err = CountApproved(testContext(t), db, postWithComments)
	require.NoError(t, err)
	_, err = GetStanding(testContext(t), db, "author-1")
	require.NoError(t, err)
	var plans string
	db.stmts.Range(func(query, _ any) bool {
		plan := planOf(t, db, query.(string))
		require.NotContains(t, plan, "SCAN", query)
		require.NotContains(t, plan, "TEMP B-TREE", query)
		plans += plan + "\n"
		return true
	})
	for _, searched := range []string{ // an index that fits less would be searched too, and then read row by row
		"posts USING INDEX posts_newest ((create_us,id)<(?,?))",
		"posts USING INDEX posts_of_author (author=? AND (create_us,id)<(?,?))",
		"comments USING INDEX comments_of_post (post_id=? AND (create_us,id)<(?,?))",
		"comments USING INDEX comments_of_post_by_status (post_id=? AND status=? AND (create_us,id)<(?,?))",
		"comment_counts USING PRIMARY KEY (post_id=?)",
		"authors USING PRIMARY KEY (author=?)",
	} {
		require.Contains(t, plans, "SEARCH "+searched)
	}
	require.Contains(t, planOf(t, db, `SELECT * FROM posts ORDER BY title`), "SCAN", "the test can fail")
}

// TestReadModelHasAnIndexOfWhatIsShown: an index on one status is used only where the query names that status.
func TestReadModelHasAnIndexOfWhatIsShown(t *testing.T) {
	db := open(t, func(o *Options) { o.Schema = []string{ShownCommentsSchema} })
	fillComments(t, db, 500)
	approved := blogv1.CommentStatus_COMMENT_STATUS_APPROVED
	list, err := ListComments(testContext(t), db, postWithComments, approved, Page{})
	require.NoError(t, err)
	require.Len(t, list.Comments, 20)
	var plans string
	db.stmts.Range(func(query, _ any) bool {
		plans += planOf(t, db, query.(string)) + "\n"
		return true
	})
	require.Contains(t, plans, "SEARCH comments USING INDEX comments_shown (post_id=? AND (create_us,id)<(?,?))")
	require.NotContains(t, plans, "TEMP B-TREE")
}

func planOf(t *testing.T, db *DB, query string) string {
	t.Helper()
	args := make([]any, strings.Count(query, "?"))
	rows, err := db.readers.QueryContext(testContext(t), `EXPLAIN QUERY PLAN `+query, args...)
	var plan []string
	err = Each(rows, err, func(rows *sql.Rows) error {
		var id, parent, unused int
		var detail string
		err := rows.Scan(&id, &parent, &unused, &detail)
		plan = append(plan, detail)
		return err
	})
	require.NoError(t, err)
	return strings.Join(plan, "; ")
}

// fillPosts stores n posts of 50 authors, a millisecond apart, in a few transactions.
func fillPosts(tb testing.TB, db *DB, n int) {
	tb.Helper()
	start := time.Now().Add(-time.Duration(n) * time.Millisecond)
	fill(tb, db, n, func(tx *Tx, i int) error {
		p := newPost(fmt.Sprintf("author-%d", i%50))
		p.CreateTime = timestamppb.New(start.Add(time.Duration(i) * time.Millisecond))
		return InsertPost(tx, p)
	})
}

const postWithComments = "0b1c6a1e-5f0e-4c55-9d5e-3a7b6c8d9e0f"

// fillComments stores n comments on one post: each tenth PENDING, the others APPROVED.
func fillComments(tb testing.TB, db *DB, n int) {
	tb.Helper()
	fill(tb, db, n, func(tx *Tx, i int) error {
		c := newComment(postWithComments)
		if c.Status = approved; i%10 == 0 {
			c.Status = pending
		}
		return InsertComment(tx, c)
	})
}

func fill(tb testing.TB, db *DB, n int, add func(tx *Tx, i int) error) {
	tb.Helper()
	const perTransaction = 10_000
	for from := 0; from < n; from += perTransaction {
		require.NoError(tb, db.Write(context.Background(), func(tx *Tx) error {
			for i := from; i < min(from+perTransaction, n); i++ {
				if err := add(tx, i); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

func newComment(postID string) *blogv1.Comment {
	return rules.NewComment(&blogv1.CreateCommentRequest{RequestId: uuid.NewString(), PostId: postID, Author: "a", Body: "b"})
}

// world is what a random run of operations should have left: the plain truth, kept without any cleverness.
type world struct {
	random   *rand.Rand
	comments map[string][]*blogv1.Comment // by post
	closed   map[string]bool
	follows  map[[2]string]bool // author, follower
	changes  map[string]int64   // of an author's subscribers
}

// TestCountersAreTheCountedRows runs random operations, some of which fail half-way, and then counts the rows.
func TestCountersAreTheCountedRows(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprintf("seed_%d", seed), func(t *testing.T) {
			db := open(t)
			w := &world{
				random: rand.New(rand.NewPCG(seed, 0)), comments: map[string][]*blogv1.Comment{}, closed: map[string]bool{},
				follows: map[[2]string]bool{}, changes: map[string]int64{},
			}
			posts := []string{uuid.NewString(), uuid.NewString(), uuid.NewString(), uuid.NewString()}
			for range 1500 {
				w.step(t, db, posts[w.random.IntN(len(posts))])
			}
			for _, postID := range posts {
				w.requireComments(t, db, postID)
			}
			w.requireStandings(t, db)
		})
	}
}

// step does one random operation.
func (w *world) step(t *testing.T, db *DB, postID string) {
	t.Helper()
	switch n := w.random.IntN(100); {
	case n < 40:
		w.addComment(t, db, postID)
	case n < 60:
		w.decideComment(t, db, postID)
	case n < 61:
		require.NoError(t, db.Write(testContext(t), func(tx *Tx) error { return CloseComments(tx, postID) }))
		w.closed[postID] = true
	default:
		w.changeSubscription(t, db)
	}
}

// errUndone is the error of a transaction that the test ends after all its work was done: nothing of it may stay.
var errUndone = problem.New(problem.Canceled, "undone by the test", nil)

// write runs fn, and now and then undoes it.
func (w *world) write(t *testing.T, db *DB, fn func(*Tx) error) (kept bool) {
	t.Helper()
	fail := w.random.IntN(5) == 0
	err := db.Write(testContext(t), func(tx *Tx) error {
		if err := fn(tx); err != nil || !fail {
			return err
		}
		return errUndone
	})
	if fail {
		require.Error(t, err)
		return false
	}
	require.NoError(t, err)
	return true
}

func (w *world) addComment(t *testing.T, db *DB, postID string) {
	c := newComment(postID)
	c.Status = []blogv1.CommentStatus{pending, approved, rejected}[w.random.IntN(3)]
	if w.closed[postID] {
		err := db.Write(testContext(t), func(tx *Tx) error { return InsertComment(tx, c) })
		require.Equal(t, problem.NotFound, problem.KindOf(err))
		return
	}
	if w.write(t, db, func(tx *Tx) error { return InsertComment(tx, c) }) {
		w.comments[postID] = append(w.comments[postID], c)
	}
}

func (w *world) decideComment(t *testing.T, db *DB, postID string) {
	if len(w.comments[postID]) == 0 {
		return
	}
	c := w.comments[postID][w.random.IntN(len(w.comments[postID]))]
	was, verdict := c.GetStatus(), w.random.IntN(2) == 0
	var now *blogv1.Comment
	kept := w.write(t, db, func(tx *Tx) (err error) {
		var decided bool
		now, decided, err = DecideComment(tx, c.GetId(), verdict, "why")
		require.Equal(t, was == pending, decided)
		return err
	})
	if kept && was == pending {
		require.Equal(t, Decision(verdict), now.GetStatus())
		require.Equal(t, c.GetVersion()+1, now.GetVersion())
		c.Status, c.Version = now.GetStatus(), now.GetVersion()
	} else if kept {
		require.Equal(t, was, now.GetStatus(), "a decision is for ever")
	}
}

func (w *world) changeSubscription(t *testing.T, db *DB) {
	author, follower := fmt.Sprintf("author-%d", w.random.IntN(3)), fmt.Sprintf("follower-%d", w.random.IntN(10))
	pair, follow := [2]string{author, follower}, w.random.IntN(2) == 0
	kept := w.write(t, db, func(tx *Tx) (err error) {
		var changed bool
		if follow {
			_, changed, err = Subscribe(tx, author, follower)
		} else {
			_, changed, err = Unsubscribe(tx, author, follower)
		}
		require.Equal(t, w.follows[pair] != follow, changed)
		return err
	})
	if kept && w.follows[pair] != follow {
		w.follows[pair] = follow
		w.changes[author]++
	}
}

func (w *world) requireComments(t *testing.T, db *DB, postID string) {
	t.Helper()
	for number := range blogv1.CommentStatus_name {
		status, want := blogv1.CommentStatus(number), 0
		for _, c := range w.comments[postID] {
			if !w.closed[postID] && (status == unspecified || c.GetStatus() == status) {
				want++
			}
		}
		list, err := ListComments(testContext(t), db, postID, status, Page{Size: 100})
		require.NoError(t, err)
		require.EqualValues(t, want, list.Total, "%s", status)
		require.Len(t, list.Comments, min(want, 100))
		if status == approved {
			n, err := CountApproved(testContext(t), db, postID)
			require.NoError(t, err)
			require.EqualValues(t, want, n)
		}
	}
	for _, c := range w.comments[postID] {
		got, err := GetComment(testContext(t), db, c.GetId())
		if w.closed[postID] {
			require.Equal(t, problem.NotFound, problem.KindOf(err))
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.GetStatus(), got.GetStatus())
		require.Equal(t, c.GetVersion(), got.GetVersion())
	}
}

func (w *world) requireStandings(t *testing.T, db *DB) {
	t.Helper()
	for i := range 4 { // the fourth was never followed
		author := fmt.Sprintf("author-%d", i)
		var want, rows int64
		for pair, follows := range w.follows {
			if pair[0] == author && follows {
				want++
			}
		}
		s, err := GetStanding(testContext(t), db, author)
		require.NoError(t, err)
		require.Equal(t, Standing{Subscribers: want, Version: w.changes[author]}, s)
		require.NoError(t, QueryRow(testContext(t), db, `SELECT count(*) FROM subscriptions WHERE author = ?`, author).Scan(&rows))
		require.Equal(t, want, rows)
	}
}

func TestPostLife(t *testing.T) {
	var effects []*labv1.Effect
	db := open(t, func(o *Options) { o.OnCommit = func(e []*labv1.Effect) { effects = append(effects, e...) } })
	p := newPost("a")
	p.Title, p.Body = "a\x00b", "日本語"
	require.NoError(t, db.Write(testContext(t), insert(p)))
	got, err := GetPost(testContext(t), db, p.GetId())
	require.NoError(t, err)
	require.True(t, proto.Equal(p, got), "want %v, got %v", p, got)
	require.NoError(t, db.Write(testContext(t), func(tx *Tx) error {
		got, err = UpdatePost(tx, p.GetId(), "t2", "b2")
		return err
	}))
	require.EqualValues(t, 2, got.GetVersion())
	stored, err := GetPost(testContext(t), db, p.GetId())
	require.NoError(t, err)
	require.True(t, proto.Equal(got, stored))
	require.NoError(t, db.Write(testContext(t), func(tx *Tx) error {
		version, err := DeletePost(tx, p.GetId())
		require.EqualValues(t, 3, version)
		return err
	}))
	for _, gone := range []func(*Tx) error{
		func(tx *Tx) error { _, err := DeletePost(tx, p.GetId()); return err },
		func(tx *Tx) error { _, err := UpdatePost(tx, p.GetId(), "t", "b"); return err },
		func(tx *Tx) error { _, err := GetPost(context.Background(), tx, p.GetId()); return err },
	} {
		require.Equal(t, problem.NotFound, problem.KindOf(db.Write(testContext(t), gone)))
	}
	require.Len(t, effects, 3)
	for i, e := range effects {
		require.Equal(t, p.GetId(), e.GetId())
		require.EqualValues(t, i+1, e.GetVersion())
		require.NoError(t, e.GetEffectTime().CheckValid())
	}
}

func TestOneVerdictForEver(t *testing.T) {
	db := open(t)
	id := uuid.NewString()
	_, err := GetVerdict(testContext(t), db, id)
	require.Equal(t, problem.NotFound, problem.KindOf(err))
	first := rules.NewPolicy("orange").Review(id, "orange")
	for i, v := range []*blogv1.Verdict{first, rules.NewPolicy("").Review(id, "apple")} {
		require.NoError(t, db.Write(testContext(t), func(tx *Tx) error {
			held, isNew, err := InsertVerdict(tx, v)
			require.True(t, proto.Equal(first, held))
			require.Equal(t, i == 0, isNew)
			return err
		}))
	}
	got, err := GetVerdict(testContext(t), db, id)
	require.NoError(t, err)
	require.True(t, proto.Equal(first, got))
}

// TestEffectsOfComments: readers wait for the decision, so a PENDING comment is no effect and a repeated decision is none.
func TestEffectsOfComments(t *testing.T) {
	var effects []*labv1.Effect
	db := open(t, func(o *Options) { o.OnCommit = func(e []*labv1.Effect) { effects = append(effects, e...) } })
	c := newComment(uuid.NewString())
	require.NoError(t, db.Write(testContext(t), func(tx *Tx) error { return InsertComment(tx, c) }))
	require.Empty(t, effects)
	for range 2 {
		require.NoError(t, db.Write(testContext(t), func(tx *Tx) error {
			_, _, err := DecideComment(tx, c.GetId(), false, "why")
			return err
		}))
		require.Len(t, effects, 1)
		require.EqualValues(t, 2, effects[0].GetVersion())
	}
	err := db.Write(testContext(t), func(tx *Tx) error { _, _, err := DecideComment(tx, uuid.NewString(), true, ""); return err })
	require.Equal(t, problem.NotFound, problem.KindOf(err))
}
