package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	blogv1 "tandem/proto/blog/v1"
	labv1 "tandem/proto/lab/v1"
	"tandem/shared/problem"
	"tandem/shared/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const bound = 20 * time.Second

// all is the schema of every service.
func all() []string {
	return []string{PostsSchema, CommentsSchema, VerdictsSchema, SubscriptionsSchema}
}

func open(tb testing.TB, change ...func(*Options)) *DB {
	tb.Helper()
	opts := Options{Path: filepath.Join(tb.TempDir(), "test.db"), Schema: all(), Sync: "normal"}
	for _, c := range change {
		c(&opts)
	}
	db, err := Open(context.Background(), opts)
	require.NoError(tb, err)
	tb.Cleanup(func() {
		if !isClosed(db) {
			require.NoError(tb, db.Close())
		}
	})
	return db
}

func isClosed(db *DB) bool {
	select {
	case <-db.closing:
		return true
	default:
		return false
	}
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	t.Cleanup(cancel)
	return ctx
}

func newPost(author string) *blogv1.Post {
	return rules.NewPost(&blogv1.CreatePostRequest{RequestId: uuid.NewString(), Author: author, Title: "t", Body: "b"})
}

func insert(p *blogv1.Post) func(*Tx) error { return func(tx *Tx) error { return InsertPost(tx, p) } }

func countPosts(t testing.TB, db *DB) (n int) {
	t.Helper()
	require.NoError(t, QueryRow(context.Background(), db, `SELECT count(*) FROM posts`).Scan(&n))
	return n
}

// hold makes the writer busy until the returned function is called, so that what is written meanwhile shares a commit.
func hold(t testing.TB, db *DB) (release func()) {
	t.Helper()
	held, done, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- db.Write(context.Background(), func(*Tx) error {
			close(held)
			<-done
			return nil
		})
	}()
	<-held
	return func() {
		close(done)
		require.NoError(t, <-ended)
	}
}

// waitQueued waits until n writes wait for their turn.
func waitQueued(t *testing.T, db *DB, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return len(db.queue) == n }, bound, time.Millisecond)
}

// inOneGroup runs writes that share one commit and returns what each got.
func inOneGroup(t *testing.T, db *DB, writes ...func(*Tx) error) []error {
	t.Helper()
	release := hold(t, db)
	errs := make([]error, len(writes))
	var wg sync.WaitGroup
	for i, w := range writes {
		wg.Go(func() { errs[i] = db.Write(context.Background(), w) })
		waitQueued(t, db, i+1) // one after the other, so that their order is known
	}
	release()
	wg.Wait()
	return errs
}

func TestManyWritersAtOnce(t *testing.T) {
	var commits, effects atomic.Int64
	db := open(t, func(o *Options) {
		o.OnCommit = func(e []*labv1.Effect) { commits.Add(1); effects.Add(int64(len(e))) }
	})
	const writers, each = 64, 20
	release := hold(t, db)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if err := db.Write(context.Background(), insert(newPost("a"))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	waitQueued(t, db, writers)
	release()
	wg.Wait()
	require.Equal(t, writers*each, countPosts(t, db))
	require.EqualValues(t, writers*each, effects.Load())
	require.Less(t, commits.Load(), int64(writers*each), "writes that wait at the same time share a commit")
}

// TestOneFailureHarmsNoOther: in a shared commit, what fails is undone alone, also what it did before it failed.
func TestOneFailureHarmsNoOther(t *testing.T) {
	var seen []string
	db := open(t, func(o *Options) {
		o.OnCommit = func(effects []*labv1.Effect) {
			for _, e := range effects {
				seen = append(seen, e.GetId())
			}
		}
	})
	first, second, third, taken := newPost("a"), newPost("a"), newPost("a"), newPost("a")
	own := errors.New("my own trouble")
	errs := inOneGroup(t, db,
		insert(first),
		func(tx *Tx) error { return errors.Join(insert(newPost("a"))(tx), own) },
		insert(second),
		func(tx *Tx) error { _ = insert(newPost("a"))(tx); panic("boo") },
		insert(taken),
		insert(taken), // the id is taken
		insert(third),
	)
	require.NoError(t, errors.Join(errs[0], errs[2], errs[4], errs[6]))
	require.ErrorIs(t, errs[1], own)
	require.ErrorContains(t, errs[3], "boo")
	require.Equal(t, problem.Internal, problem.KindOf(errs[3]))
	require.Error(t, errs[5])
	require.Equal(t, 4, countPosts(t, db))
	require.Equal(t, []string{first.GetId(), second.GetId(), taken.GetId(), third.GetId()}, seen, "effects of what was committed")
}

// TestALoneFailureIsUndone: alone in its commit, a write takes another path.
func TestALoneFailureIsUndone(t *testing.T) {
	var effects int
	db := open(t, func(o *Options) { o.OnCommit = func(e []*labv1.Effect) { effects += len(e) } })
	own := errors.New("my own trouble")
	err := db.Write(testContext(t), func(tx *Tx) error { return errors.Join(insert(newPost("a"))(tx), own) })
	require.ErrorIs(t, err, own)
	err = db.Write(testContext(t), func(tx *Tx) error { _ = insert(newPost("a"))(tx); panic("boo") })
	require.ErrorContains(t, err, "boo")
	require.Zero(t, countPosts(t, db))
	require.NoError(t, db.Write(testContext(t), insert(newPost("a"))))
	require.Equal(t, 1, countPosts(t, db))
	require.Equal(t, 1, effects)
}

// TestReadersSeeNoHalf: two rows of one write are seen together or not at all.
func TestReadersSeeNoHalf(t *testing.T) {
	db := open(t)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if n := countPosts(t, db); n%2 != 0 {
					t.Errorf("%d posts", n)
					return
				}
			}
		}
	})
	for range 300 {
		require.NoError(t, db.Write(testContext(t), func(tx *Tx) error {
			return errors.Join(insert(newPost("a"))(tx), insert(newPost("a"))(tx))
		}))
	}
	close(stop)
	wg.Wait()
}

func TestContextThatEndedBeforeItsTurn(t *testing.T) {
	db := open(t)
	release := hold(t, db)
	ctx, cancel := context.WithCancel(context.Background())
	ran := false
	errs := make(chan error, 1)
	go func() { errs <- db.Write(ctx, func(*Tx) error { ran = true; return nil }) }()
	waitQueued(t, db, 1)
	cancel()
	release()
	require.ErrorIs(t, <-errs, context.Canceled)
	require.False(t, ran)
	require.Equal(t, problem.Canceled, problem.KindOf(db.Write(ctx, insert(newPost("a")))))
	require.Zero(t, countPosts(t, db))
}

func TestCloseWhileWritesWait(t *testing.T) {
	db := open(t)
	release := hold(t, db)
	var wg sync.WaitGroup
	var stored atomic.Int64
	for range 50 {
		wg.Go(func() {
			err := db.Write(context.Background(), insert(newPost("a")))
			if err == nil {
				stored.Add(1)
			} else if problem.KindOf(err) != problem.Unavailable {
				t.Error(err)
			}
		})
	}
	waitQueued(t, db, 50)
	closed := make(chan error, 1)
	go func() { closed <- db.Close() }()
	<-db.closing
	release()
	wg.Wait()
	require.NoError(t, <-closed)
	require.Equal(t, problem.Unavailable, problem.KindOf(db.Write(context.Background(), insert(newPost("a")))))
	again := open(t, func(o *Options) { o.Path = db.opts.Path })
	require.EqualValues(t, stored.Load(), countPosts(t, again), "what was acknowledged is stored, and nothing else")
	require.EqualValues(t, 50, stored.Load(), "what waited before the close is written")
}

func TestOnceReplays(t *testing.T) {
	db := open(t)
	id := uuid.NewString()
	create := func(db *DB) (*blogv1.CreatePostResponse, error) {
		return Once(testContext(t), db, id, func(tx *Tx) (*blogv1.CreatePostResponse, error) {
			p := newPost("a")
			return &blogv1.CreatePostResponse{Post: p}, InsertPost(tx, p)
		})
	}
	none, err := Replay[blogv1.CreatePostResponse](testContext(t), db, id)
	require.NoError(t, err)
	require.Nil(t, none)
	first, err := create(db)
	require.NoError(t, err)
	second, err := create(db)
	require.NoError(t, err)
	require.Equal(t, first.GetPost().GetId(), second.GetPost().GetId())
	require.NoError(t, db.Close())

	again := open(t, func(o *Options) { o.Path = db.opts.Path })
	third, err := create(again)
	require.NoError(t, err)
	require.Equal(t, first.GetPost().GetId(), third.GetPost().GetId(), "requests are remembered as long as the data")
	fourth, err := Replay[blogv1.CreatePostResponse](testContext(t), again, id)
	require.NoError(t, err)
	require.Equal(t, first.GetPost().GetId(), fourth.GetPost().GetId())
	require.Equal(t, 1, countPosts(t, again))
}

func TestOnceOfAnEmptyReply(t *testing.T) {
	db := open(t)
	id, runs := uuid.NewString(), 0
	for range 3 {
		reply, err := Once(testContext(t), db, id, func(*Tx) (*blogv1.DeletePostResponse, error) {
			runs++
			return &blogv1.DeletePostResponse{}, nil
		})
		require.NoError(t, err)
		require.NotNil(t, reply)
	}
	require.Equal(t, 1, runs)
}

func TestOnceOfAnotherRPC(t *testing.T) {
	db := open(t)
	id := uuid.NewString()
	_, err := Once(testContext(t), db, id, func(*Tx) (*blogv1.SubscribeResponse, error) { return &blogv1.SubscribeResponse{}, nil })
	require.NoError(t, err)
	_, err = Once(testContext(t), db, id, func(*Tx) (*blogv1.UnsubscribeResponse, error) {
		t.Error("ran")
		return nil, nil
	})
	var e *problem.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, problem.Invalid, e.Kind)
	require.Equal(t, "request_id", e.Fields[0].Name)
}

func TestOnceForgetsFailures(t *testing.T) {
	db := open(t)
	id := uuid.NewString()
	_, err := Once(testContext(t), db, id, func(tx *Tx) (*blogv1.CreatePostResponse, error) {
		return &blogv1.CreatePostResponse{}, errors.Join(insert(newPost("a"))(tx), problem.NewNotFound("post", "x"))
	})
	require.Equal(t, problem.NotFound, problem.KindOf(err))
	_, err = Once(testContext(t), db, id, func(*Tx) (*blogv1.UpdatePostResponse, error) { return &blogv1.UpdatePostResponse{}, nil })
	require.NoError(t, err)
	require.Zero(t, countPosts(t, db))
}

// limitSize leaves a database room for a few pages more than it has now.
func limitSize(t *testing.T, db *DB, more int) {
	t.Helper()
	require.NoError(t, db.Write(testContext(t), func(tx *Tx) error {
		var pages int
		if err := tx.queryRow(context.Background(), `PRAGMA page_count`).Scan(&pages); err != nil {
			return err
		}
		return tx.queryRow(context.Background(), `PRAGMA max_page_count = `+strconv.Itoa(pages+more)).Scan(&pages)
	}))
}

func bigPost() *blogv1.Post {
	p := newPost("a")
	p.Body = string(make([]byte, 100_000))
	return p
}

// TestFullDisk: a write that finds no room says so, is undone, and does not keep the next ones from being tried.
func TestFullDisk(t *testing.T) {
	db := open(t)
	limitSize(t, db, 20)
	err := db.Write(testContext(t), insert(bigPost()))
	require.Equal(t, problem.Exhausted, problem.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "disk is full")
	require.NoError(t, db.Write(testContext(t), insert(newPost("a"))), "a small write has room")
	require.Equal(t, 1, countPosts(t, db))
	limitSize(t, db, 1000)
	require.NoError(t, db.Write(testContext(t), insert(bigPost())), "once there is room")
}

// TestFullDiskInAGroup: SQLite may undo the whole transaction when the disk is full. Then all of its writes failed, and say why.
func TestFullDiskInAGroup(t *testing.T) {
	var effects atomic.Int64
	db := open(t, func(o *Options) { o.OnCommit = func(e []*labv1.Effect) { effects.Add(int64(len(e))) } })
	limitSize(t, db, 20)
	errs := inOneGroup(t, db, insert(newPost("a")), insert(bigPost()), insert(newPost("a")))
	stored := 0
	for _, err := range errs {
		if err == nil {
			stored++
			continue
		}
		require.Equal(t, problem.Exhausted, problem.KindOf(err), "%v", err)
	}
	require.Error(t, errs[1])
	require.Equal(t, stored, countPosts(t, db), "what was acknowledged is stored, and nothing else")
	require.EqualValues(t, stored, effects.Load())
	require.NoError(t, db.Write(testContext(t), insert(newPost("a"))))
}

func TestOpenRefuses(t *testing.T) {
	folder := t.TempDir()
	damaged := filepath.Join(folder, "damaged.db")
	require.NoError(t, os.WriteFile(damaged, []byte("this is not a database, but it is long enough to look like one at first sight.........."), 0o600))
	for name, c := range map[string]struct {
		opts Options
		says []string
	}{
		"missing_folder": {Options{Path: filepath.Join(folder, "none", "x.db"), Sync: "normal"}, []string{"none/x.db", "check the folder"}},
		"damaged_file":   {Options{Path: damaged, Sync: "normal"}, []string{"damaged.db", "move it away or restore it"}},
		"a_folder":       {Options{Path: folder, Sync: "normal"}, []string{folder, "check the folder"}},
		"bad_sync":       {Options{Path: filepath.Join(folder, "x.db"), Sync: "off"}, []string{`"off"`, "normal or full"}},
		"bad_schema":     {Options{Path: filepath.Join(folder, "y.db"), Sync: "full", Schema: []string{"CREATE NONSENSE"}}, []string{"y.db", "syntax"}},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := Open(context.Background(), c.opts)
			require.Nil(t, db)
			for _, says := range c.says {
				require.ErrorContains(t, err, says)
			}
		})
	}
}

func TestOpenTakesAnyPath(t *testing.T) {
	for _, name := range []string{"with space.db", "per%20cent.db", "question?mark.db", "hash#.db", "a&b=c;d.db", "ü.db"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			db := open(t, func(o *Options) { o.Path = path })
			require.NoError(t, db.Write(testContext(t), insert(newPost("a"))))
			require.Equal(t, 1, countPosts(t, db))
			require.FileExists(t, path)
		})
	}
}

func TestOpenKeepsItsSettings(t *testing.T) {
	for sync, want := range map[string]int{"normal": 1, "full": 2} {
		db := open(t, func(o *Options) { o.Sync = sync })
		var mode string
		var level int
		require.NoError(t, db.Write(testContext(t), func(tx *Tx) error {
			return errors.Join(tx.queryRow(context.Background(), `PRAGMA journal_mode`).Scan(&mode),
				tx.queryRow(context.Background(), `PRAGMA synchronous`).Scan(&level))
		}))
		require.Equal(t, "wal", mode)
		require.Equal(t, want, level)
	}
}

// TestReadersCannotWrite: all writes go through the one writer.
func TestReadersCannotWrite(t *testing.T) {
	db := open(t)
	rows, err := Query(testContext(t), db, `DELETE FROM posts RETURNING id`)
	require.ErrorContains(t, Each(rows, err, nil), "readonly")
}

func TestReadWithEndedContext(t *testing.T) {
	db := open(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := GetPost(ctx, db, uuid.NewString())
	require.Equal(t, problem.Canceled, problem.KindOf(err), "%v", err)
	_, _, err = ListPosts(ctx, db, "", Page{})
	require.Equal(t, problem.Canceled, problem.KindOf(err), "%v", err)
}
