// Package history is what a run leaves behind for judgement: every operation that was asked for, what became of it, every
// effect that was seen, every fault, and what was there at the end. All measures and verdicts are computed from it alone, so a
// run can be judged again later.
package history

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// Phase is the part of a run that an operation belongs to.
type Phase string

// The phases. Only PhaseLoad is measured; both are checked.
const (
	PhasePreload Phase = "preload"
	PhaseLoad    Phase = "load"
)

// Outcome is what is known of an operation once its call has returned.
type Outcome string

// The outcomes.
const (
	// OK was acknowledged: a write has happened, a read has an answer.
	OK Outcome = "ok"
	// Fail certainly had no effect (INVALID_ARGUMENT, NOT_FOUND, or never sent). Every failed read is a Fail.
	Fail Outcome = "fail"
	// Unknown is a write that may have happened (UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED, INTERNAL, ...).
	Unknown Outcome = "unknown"
)

// Header is the first line of a history.
type Header struct {
	Schema   int    `json:"schema"`            // 1
	Stack    string `json:"stack"`             // "sync" or "async"
	Level    string `json:"level,omitempty"`   // the stack's protection level, for example "deadline"; empty: its own default
	Mistake  string `json:"mistake,omitempty"` // that the stack was made to make (shared/mutant); "none" or empty for none
	Seed     uint64 `json:"seed"`
	Schedule string `json:"schedule"` // SHA-256 of the operations and their intended times, in hex
	// Start is the wall clock at run time zero; every other time of a history counts from there, on one monotonic clock.
	Start       time.Time     `json:"start"`
	OfferedRate float64       `json:"offered_rate"` // operations per second
	Length      time.Duration `json:"length_ns"`    // of the load
	Deadline    time.Duration `json:"deadline_ns"`  // of each operation, from its intended send time
	Clients     int           `json:"clients"`      // sessions that the operations of the load are spread over
	// Waits: each client asks query for pages that show what it has written. Then async promises that too.
	Waits bool `json:"waits_for_position,omitempty"`
	// RequestReply: async answers CreateComment only when the verdict has come back through the broker.
	RequestReply bool `json:"request_reply,omitempty"`
}

// Operation is one call of the public API: what was asked for and what became of it.
type Operation struct {
	Index     int64         `json:"index"` // in the schedule of its phase, from 0
	Phase     Phase         `json:"phase"`
	Op        string        `json:"op"`                   // the RPC, for example "CreatePost"
	RequestID string        `json:"request_id,omitempty"` // of a write
	Ref       string        `json:"ref,omitempty"`        // of CreatePost and CreateComment: stands in the text, for finding it again
	Client    int           `json:"client"`               // whose operation it is: a session, from 0
	Intended  time.Duration `json:"intended_ns"`          // when the schedule says it is sent
	Woken     time.Duration `json:"woken_ns,omitempty"`   // when the generator woke up for it; the timer error is Woken − Intended
	Sent      time.Duration `json:"sent_ns"`              // when it was
	Completed time.Duration `json:"completed_ns"`         // when its answer was there; 0 if the run ended before
	Attempts  int           `json:"attempts"`
	Outcome   Outcome       `json:"outcome"`
	Code      string        `json:"code"` // the gRPC status code, for example "OK" or "UNAVAILABLE"
	// Degraded: the answer is OK and says itself that it is less than asked for: a page lacks parts, or a comment waits for
	// moderation that was not there.
	Degraded bool `json:"degraded,omitempty"`

	// What the operation is about. Aggregate and ID are what it changes or reads; for creations ID is known from the reply.
	Aggregate Aggregate `json:"aggregate,omitempty"`
	ID        string    `json:"id,omitempty"`
	Version   int64     `json:"version,omitempty"` // after a write, from the reply (DeletePost: 0); of a read of one post or comment: what it showed
	PostID    string    `json:"post_id,omitempty"` // of CreateComment
	Author    string    `json:"author,omitempty"`  // of CreatePost and the subscriptions: the author; of CreateComment: who wrote it
	Follower  string    `json:"follower,omitempty"`
	Status    string    `json:"status,omitempty"`  // of CreateComment and GetComment, from the reply: "PENDING", "APPROVED" or "REJECTED"
	Blocked   bool      `json:"blocked,omitempty"` // of CreateComment: the text holds a blocked word, so it must end REJECTED
	Text      string    `json:"text,omitempty"`    // of CreatePost, UpdatePost and CreateComment: TextDigest of what was sent
}

// IsWrite tells whether an operation changes anything.
func (o *Operation) IsWrite() bool { return IsWrite(o.Op) }

// IsWrite tells whether an RPC changes anything.
func IsWrite(op string) bool {
	switch op {
	case "CreatePost", "UpdatePost", "DeletePost", "CreateComment", "ReviewComment", "Subscribe", "Unsubscribe":
		return true
	}
	return false
}

// Aggregate is the kind of thing that an operation or an effect is about.
type Aggregate string

// The aggregates.
const (
	Post    Aggregate = "post"    // its ID is a UUID
	Comment Aggregate = "comment" // its ID is a UUID
	Author  Aggregate = "author"  // an author's subscribers; its ID is the author's name
)

// Effect is one change that became visible on query's pages.
type Effect struct {
	Aggregate Aggregate     `json:"aggregate"`
	ID        string        `json:"id"`
	Version   int64         `json:"version"`
	At        time.Duration `json:"at_ns"` // when the commit that made it visible returned
}

// Fault is one fault, with its four times. A time that was not reached is 0.
type Fault struct {
	Name   string `json:"name"`   // "kill"
	Victim string `json:"victim"` // "posts", ..., "broker"
	// Absent is true if the stack has no such part (sync has no broker): then the window passed with nothing hurt, as a control.
	Absent    bool          `json:"absent,omitempty"`
	Delay     time.Duration `json:"delay_ns,omitempty"` // of a slow link: what it was asked to add
	Asked     time.Duration `json:"asked_ns"`
	InEffect  time.Duration `json:"in_effect_ns"`      // a probe has seen the fault
	LiftAsked time.Duration `json:"lift_asked_ns"`     // the restart
	Lifted    time.Duration `json:"lifted_ns"`         // a probe has seen the victim SERVING again
	End       time.Duration `json:"end_ns"`            // where the slot of this fault ends and the next may begin
	Problem   string        `json:"problem,omitempty"` // why it was not confirmed or not lifted
}

// View is where a final observation looked.
type View string

// The views.
const (
	ViewStore View = "store" // the owner's own RPCs (posts, comments, subscriptions)
	ViewPage  View = "page"  // query's pages; in async: the read model
	// ViewReview is moderation, asked about a comment whose creation had no answer, and which is not in the store.
	ViewReview View = "review"
)

// Final is one thing as it was seen at the end of a run, after the drain.
type Final struct {
	View      View      `json:"view"`
	Aggregate Aggregate `json:"aggregate"`
	ID        string    `json:"id"`
	Present   bool      `json:"present"`           // false: the service said NOT_FOUND, or the list it must stand in lacks it
	Version   int64     `json:"version,omitempty"` // of a post
	Ref       string    `json:"ref,omitempty"`     // found in the text of a post or comment
	PostID    string    `json:"post_id,omitempty"` // of a comment
	Status    string    `json:"status,omitempty"`  // of a comment, in ViewStore
	Verdict   string    `json:"verdict,omitempty"` // of a comment, in ViewStore: what moderation says, as a status; empty for nothing
	Author    string    `json:"author,omitempty"`  // who wrote a post or a comment
	Text      string    `json:"text,omitempty"`    // of a post or a comment: TextDigest of what it says
	// Count is, of an author: the subscribers; of a post: the approved comments that the counter shows (in ViewStore the
	// total_size of ListComments, in ViewPage the comment_count of GetPostPage).
	Count int64 `json:"count,omitempty"`
	// Subscribers is, of a post in ViewPage: the subscribers of its author as GetPostPage shows them.
	Subscribers int64 `json:"subscribers,omitempty"`
	// InFeed is true of a post in ViewPage that was seen in the feed (its newest part is read); then FeedComments and
	// FeedSubscribers are the counts that stand beside it there.
	InFeed          bool  `json:"in_feed,omitempty"`
	FeedComments    int64 `json:"feed_comments,omitempty"`
	FeedSubscribers int64 `json:"feed_subscribers,omitempty"`
	// Posts is, of an author, how many posts the author's list holds (in ViewStore ListPosts, in ViewPage GetAuthorPage), and
	// List a TextDigest of their ids and versions, newest first.
	Posts int64  `json:"posts,omitempty"`
	List  string `json:"list,omitempty"`
}

// textDigestBytes is enough that no two texts of a run are taken for the same one.
const textDigestBytes = 8

// TextDigest stands for texts in a history, which would be long with them: the first 64 bits of their SHA-256 in hex. Where one
// text ends and the next begins counts too.
func TextDigest(texts ...string) string {
	h := sha256.New()
	for _, text := range texts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(text), text) // writing to a hash cannot fail
	}
	return hex.EncodeToString(h.Sum(nil)[:textDigestBytes])
}

// Look is one read of query's pages that was made to see whether one acknowledged write of the load shows yet: by the client
// that wrote, again and again from the acknowledgement on. A write is looked for until it shows or the looker gives up.
type Look struct {
	Write     int64         `json:"write"` // Index of the write in the load
	Sent      time.Duration `json:"sent_ns"`
	Completed time.Duration `json:"completed_ns"`
	Code      string        `json:"code"`  // the gRPC status code of the read; NOT_FOUND is an answer
	Shown     bool          `json:"shown"` // the page shows the write
	GaveUp    bool          `json:"gave_up,omitempty"`
}

// Record is one record in the log of the broker that came since the load began, in the order of partition and offset. A stack
// without a broker has none.
type Record struct {
	Topic     string    `json:"topic"`
	Partition int       `json:"partition"`
	Offset    int64     `json:"offset"`
	Key       string    `json:"key"`
	EventID   string    `json:"event_id"` // CloudEvents id; with the source it names the event
	Source    string    `json:"source"`
	EventType string    `json:"event_type"` // for example "event.v1.PostCreated"
	Aggregate Aggregate `json:"aggregate,omitempty"`
	ID        string    `json:"id,omitempty"`      // of the aggregate
	Version   int64     `json:"version,omitempty"` // of the aggregate after the change
	// Reason is why a consumer put the record aside, of one in the dead-letter topic; Problem why it could not be read.
	Reason  string `json:"reason,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// Generator is what the load generator itself used while it sent the load. Its process does all that the laboratory does.
type Generator struct {
	CPU   time.Duration `json:"cpu_ns"`
	Wall  time.Duration `json:"wall_ns"`
	Cores int           `json:"cores"` // of the machine
	// Stolen is how much CPU time other programs than the stack and the laboratory used on the machine in that time; 0 where the
	// system does not tell.
	Stolen time.Duration `json:"stolen_ns"`
}

// History is a whole run of one stack.
type History struct {
	Header     Header
	Operations []*Operation // by Phase (preload first), then Index
	Looks      []Look       // in the order of Sent
	Records    []Record     // by Topic, Partition, Offset
	Generator  *Generator   // nil if it was not noted
	Effects    []Effect     // in the order of At
	Faults     []Fault      // in the order of Asked
	Finals     []Final
	// Drained is when all acknowledged writes had their effect; 0 if the wait for that was given up.
	Drained time.Duration
	// Unsettled is true if Finals went on changing until the looks were given up: what was on its way may be missing in them.
	Unsettled bool
	// Complete is true if the file ends as a whole history ends. One that does not must not be judged valid.
	Complete bool
}
