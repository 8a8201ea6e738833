// Package mutant has small mistakes that a program can be made to make, each by name: the mistakes that systems of this kind
// are known for. They are there to prove that the laboratory finds them, and exist in programs built with the tag lab only: in
// all others On is a constant false, and the compiler leaves nothing of what it guards.
package mutant

// Name names a mistake.
type Name string

// Variable is the environment variable that holds the name of the mistake to make.
const Variable = "TANDEM_MUTANT"

// The mistakes.
const (
	// SentBeforePublish: the relay deletes a batch from the outbox before it publishes it.
	SentBeforePublish Name = "sent-before-publish"
	// NoInbox: an event that comes twice is applied twice, though the level says otherwise.
	NoInbox Name = "no-inbox"
	// OffsetFirst: the offset of an event is stored before the event is applied.
	OffsetFirst Name = "offset-first"
	// VersionIgnored: the read model takes an older text of a post for a newer one.
	VersionIgnored Name = "version-ignored"
	// PoisonSkipped: an event that can never be applied is passed over without a dead letter.
	PoisonSkipped Name = "poison-skipped"
	// CountersKept: the counters of the read model outlive its rebuild.
	CountersKept Name = "counters-kept"
	// StartAtEnd: a consumer without an offset starts at the end of the log, as with auto.offset.reset=latest.
	StartAtEnd Name = "start-at-end"
	// NewRequestID: a write that is sent again gets a request id of its own.
	NewRequestID Name = "new-request-id"
	// FallbackUnstored: a comment that is accepted in place of a decision is not stored.
	FallbackUnstored Name = "fallback-unstored"
)

// All returns all mistakes.
func All() []Name {
	return []Name{
		SentBeforePublish, NoInbox, OffsetFirst, VersionIgnored, PoisonSkipped, CountersKept, StartAtEnd, NewRequestID,
		FallbackUnstored,
	}
}
