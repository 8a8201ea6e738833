// Package load is the work that both stacks get: the world before it, the schedule of operations, the open-loop generator
// that sends them and records what became of each, the watcher that hears when writes become visible, and the last look at
// everything that was touched. Everything random comes from a seed, so both stacks get the same work at the same times. It
// sees services only by address, and judges nothing.
package load

import (
	"fmt"
	"math/rand/v2"
	"time"

	"tandem/bench/history"
)

// The operations of a schedule, by the names of their RPCs.
const (
	CreatePost         = "CreatePost"
	GetPost            = "GetPost"
	UpdatePost         = "UpdatePost"
	DeletePost         = "DeletePost"
	ListPosts          = "ListPosts"
	CreateComment      = "CreateComment"
	GetComment         = "GetComment"
	ListComments       = "ListComments"
	GetVerdict         = "GetVerdict"
	Subscribe          = "Subscribe"
	Unsubscribe        = "Unsubscribe"
	GetSubscriberCount = "GetSubscriberCount"
	GetPostPage        = "GetPostPage"
	ListFeed           = "ListFeed"
	GetAuthorPage      = "GetAuthorPage"
)

// Page sizes of the load's reads, in entries: what a screen shows.
const (
	postsPerPage    = 10 // ListPosts, ListFeed, GetAuthorPage
	commentsPerPage = 20 // ListComments, GetPostPage
)

// Clock is the one monotonic clock of a run: all times of a history count from its start.
type Clock struct{ start time.Time }

// NewClock starts a clock now.
func NewClock() Clock { return Clock{start: time.Now()} }

// Now is the run time.
func (c Clock) Now() time.Duration { return time.Since(c.start) }

// Start is the wall clock at run time zero.
func (c Clock) Start() time.Time { return c.start.Round(0) }

// At is the moment of a run time, for deadlines and timers: it follows the monotonic clock.
func (c Clock) At(t time.Duration) time.Time { return c.start.Add(t) }

// FromWall is the run time of a wall-clock time told by another process of the same machine. A wall clock that is set during
// the run shifts these times; a clock that is slewed by NTP (at most 0.5 ms a second) hardly does.
func (c Clock) FromWall(t time.Time) time.Duration { return t.Sub(c.Start()) }

// The streams of random numbers. Each choice has its own, so that changing one leaves the others as they were.
const (
	streamTexts uint64 = iota + 1
	streamNames
	streamPosts
	streamComments
	streamSubscriptions
	streamPreloadIDs
	streamArrivals
	streamMix
	streamReserve
	streamTargets
	streamRequestIDs
	streamSample
	streamClients
	streamWitness
)

func newRand(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// requestID returns a UUID of version 4 (RFC 9562) that follows from the seed.
func requestID(r *rand.Rand) string {
	hi, lo := r.Uint64(), r.Uint64()
	hi = hi&^0xf000 | 0x4000
	lo = lo&^(3<<62) | 1<<63
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", hi>>32, hi>>16&0xffff, hi&0xffff, lo>>48, lo&0xffffffffffff)
}

// exactly returns n booleans of which a share, rounded down, is true, at places that r chooses.
func exactly(r *rand.Rand, n int, share float64) []bool {
	chosen := make([]bool, n)
	for _, i := range r.Perm(n)[:int(float64(n)*share)] {
		chosen[i] = true
	}
	return chosen
}

func isWrite(op string) bool { return history.IsWrite(op) }
