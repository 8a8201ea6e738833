package store

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	blogv1 "tandem/proto/blog/v1"
)

// BenchmarkWrite is an accepted write: a row and its request. With one in flight each has a commit of its own; with 64 they share.
// The targets compare with what a service adds to it.
func BenchmarkWrite(b *testing.B) {
	for _, sync := range []string{"normal", "full"} {
		for _, inFlight := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d_in_flight", sync, inFlight), func(b *testing.B) {
				db := open(b, func(o *Options) { o.Sync = sync })
				b.ResetTimer()
				writeAll(b, db, inFlight)
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
			})
		}
	}
}

// writeAll does b.N writes, inFlight of them at a time.
func writeAll(b *testing.B, db *DB, inFlight int) {
	var writers sync.WaitGroup
	for writer := range inFlight {
		writers.Go(func() {
			for range (b.N + inFlight - 1 - writer) / inFlight {
				if err := createPost(db); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
}

func createPost(db *DB) error {
	_, err := Once(context.Background(), db, uuid.NewString(), func(tx *Tx) (*blogv1.CreatePostResponse, error) {
		p := newPost("a")
		return &blogv1.CreatePostResponse{Post: p}, InsertPost(tx, p)
	})
	return err
}

// BenchmarkListPosts is the feed's page of 20: it may not cost more at 100 times the posts.
func BenchmarkListPosts(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("%d_posts", n), func(b *testing.B) {
			db := open(b)
			fillPosts(b, db, n)
			for name, author := range map[string]string{"all": "", "of_author": "author-7"} {
				b.Run(name, func(b *testing.B) {
					for b.Loop() {
						posts, _, err := ListPosts(context.Background(), db, author, Page{})
						require.NoError(b, err)
						require.Len(b, posts, 20)
					}
				})
			}
		})
	}
}
