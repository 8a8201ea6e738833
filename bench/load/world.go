package load

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// WorldSize is how much exists before the load.
type WorldSize struct {
	Posts         int `json:"posts"`
	Comments      int `json:"comments"`
	Authors       int `json:"authors"`
	Subscriptions int `json:"subscriptions"`
}

// DefaultWorldSize is the world of a blog that has been running for a while.
func DefaultWorldSize() WorldSize {
	return WorldSize{Posts: 10_000, Comments: 20_000, Authors: 400, Subscriptions: 10_000}
}

// ZipfExponent is how steep popularity is unless told otherwise; the world's always is.
const ZipfExponent = 1.1

// The shift of popularity flattens its head: of 10,000 posts the first gets 2 % of the readers, of 400 authors the first gets
// 5 % of the followers.
const (
	zipfShiftPosts   = 10
	zipfShiftAuthors = 5
)

// World is what exists before the load. It follows from its seed and size alone.
type World struct {
	Seed          uint64
	Size          WorldSize
	Authors       []string // most productive and most followed first
	Followers     []string // who follows, comments and reads
	Posts         []WorldPost
	Comments      []WorldComment
	Subscriptions []WorldSubscription // no pair twice

	byRank []int // the posts, most popular first
	texts  *texts
	names  *names
}

// WorldPost is one post of the world.
type WorldPost struct {
	Author, Title, Body string
	Ref                 string // ends the title
}

// WorldComment is one comment of the world.
type WorldComment struct {
	Post         int // index into World.Posts
	Author, Body string
	Ref          string // ends the body
	Blocked      bool   // the body holds BlockedWord
}

// WorldSubscription is one follower of one author.
type WorldSubscription struct{ Author, Follower string }

// NewWorld makes the world of a seed. A size that leaves nothing to write about is an error.
func NewWorld(seed uint64, size WorldSize) (*World, error) {
	if size.Posts < 1 || size.Authors < 1 || size.Comments < 0 || size.Subscriptions < 0 {
		return nil, fmt.Errorf("world of %+v: it needs at least 1 post and 1 author, and nothing below 0", size)
	}
	w := &World{Seed: seed, Size: size, texts: newTexts(seed), names: newNames(seed)}
	w.makeAuthors()
	w.makeSubscriptions() // makes the followers, who write the comments
	w.makePosts()
	w.makeComments()
	return w, nil
}

func (w *World) makeAuthors() {
	for i := range w.Size.Authors {
		w.Authors = append(w.Authors, w.names.name(w.Seed, uint64(i)))
	}
}

// makeSubscriptions gives each author as many followers as its popularity brings: a block of the followers from a random
// place on, so that no pair comes twice.
func (w *World) makeSubscriptions() {
	r := newRand(w.Seed, streamSubscriptions)
	perAuthor := make([]int, w.Size.Authors)
	zipf := newZipf(r, ZipfExponent, zipfShiftAuthors, w.Size.Authors)
	most := 0
	for range w.Size.Subscriptions {
		author := zipf.next()
		perAuthor[author]++
		most = max(most, perAuthor[author])
	}
	const leastFollowers, subscriptionsEach = 100, 4
	for i := range max(leastFollowers, w.Size.Subscriptions/subscriptionsEach, most) {
		w.Followers = append(w.Followers, w.names.name(w.Seed, uint64(w.Size.Authors+i)))
	}
	for author, n := range perAuthor {
		first := r.IntN(len(w.Followers))
		for i := range n {
			follower := w.Followers[(first+i)%len(w.Followers)]
			w.Subscriptions = append(w.Subscriptions, WorldSubscription{Author: w.Authors[author], Follower: follower})
		}
	}
	r.Shuffle(len(w.Subscriptions), func(i, j int) {
		w.Subscriptions[i], w.Subscriptions[j] = w.Subscriptions[j], w.Subscriptions[i]
	})
}

// freshFollower returns the n-th name that follows nobody in the world.
func (w *World) freshFollower(n int) string {
	return w.names.name(w.Seed, uint64(w.Size.Authors+len(w.Followers)+n))
}

func (w *World) makePosts() {
	r := newRand(w.Seed, streamPosts)
	zipf := newZipf(r, ZipfExponent, zipfShiftAuthors, w.Size.Authors)
	w.Posts = make([]WorldPost, w.Size.Posts)
	for i := range w.Posts {
		ref := newRef(w.Seed, uint64(i))
		w.Posts[i] = WorldPost{Author: w.Authors[zipf.next()], Title: w.texts.title(r, ref), Body: w.texts.post(r), Ref: ref}
	}
	w.byRank = r.Perm(w.Size.Posts)
}

func (w *World) makeComments() {
	r := newRand(w.Seed, streamComments)
	zipf := newZipf(r, ZipfExponent, zipfShiftPosts, w.Size.Posts)
	blocked := exactly(r, w.Size.Comments, BlockedShare)
	w.Comments = make([]WorldComment, w.Size.Comments)
	for i := range w.Comments {
		ref := newRef(w.Seed, uint64(w.Size.Posts+i))
		w.Comments[i] = WorldComment{
			Post: w.byRank[zipf.next()], Author: pick(r, w.Followers), Body: w.texts.comment(r, ref, blocked[i]),
			Ref: ref, Blocked: blocked[i],
		}
	}
}

// freshRef returns the n-th reference that stands in no text of the world.
func (w *World) freshRef(n int) string { return newRef(w.Seed, uint64(w.Size.Posts+w.Size.Comments+n)) }

// zipf draws by Zipf's law: of n, the k-th, from 0 on, comes in proportion to 1/(k+shift)^exponent. math/rand/v2 has one for
// exponents above 1 only, and 0.99 is what benchmarks of stores use (Cooper et al. 2010, YCSB).
type zipf struct {
	r      *rand.Rand
	bounds []float64 // where the share of each ends
}

// newZipf returns a zipf of n, 1 or more. With exponent 0 all are alike.
func newZipf(r *rand.Rand, exponent, shift float64, n int) *zipf {
	z := &zipf{r: r, bounds: make([]float64, n)}
	sum := 0.0
	for k := range z.bounds {
		sum += math.Pow(float64(k)+shift, -exponent)
		z.bounds[k] = sum
	}
	return z
}

func (z *zipf) next() int { return drawFrom(z.r, z.bounds) }

// drawFrom returns the index of a share, in proportion to its size. bounds are where shares end, ascending; the last is above 0.
func drawFrom(r *rand.Rand, bounds []float64) int {
	x := r.Float64() * bounds[len(bounds)-1]
	i, _ := slices.BinarySearchFunc(bounds, x, func(bound, x float64) int {
		if bound <= x { // a bound itself belongs to the next share
			return -1
		}
		return 1
	})
	return min(i, len(bounds)-1) // a product may be rounded up
}

// Hash is the SHA-256 of all that the world holds, in hex.
func (w *World) Hash() string {
	h := sha256.New()
	// Encoding plain structs into a hash cannot fail.
	_ = json.NewEncoder(h).Encode([]any{w.Authors, w.Posts, w.Comments, w.Subscriptions})
	return hex.EncodeToString(h.Sum(nil))
}
