// Package conformance is the contract of blog.v1 as a test: one black-box suite that both stacks must pass. It sees services
// only by address, makes its own authors and posts, and so runs on a system under load, beside itself, and twice. It does not
// know how a stack keeps its promises; Features says which ones it makes.
package conformance

import (
	"testing"
	"time"
)

// Target is the stack to test.
type Target struct {
	// Addresses holds host:port of the services, by name: posts, comments, moderation, subscriptions and query.
	Addresses map[string]string
	// Features are what the stack promises.
	Features Features
}

// Features are what a stack promises where the contract leaves a choice.
type Features struct {
	// ReadYourWrites: what is acknowledged shows everywhere at once. Otherwise it shows within Eventually.
	ReadYourWrites bool
	// Eventually is how long a change may take until it shows everywhere. Used only without ReadYourWrites.
	Eventually time.Duration
	// FinalStatusAtOnce: CreateComment answers APPROVED or REJECTED. Otherwise it answers PENDING.
	FinalStatusAtOnce bool
	// UnknownPostAtOnce: CreateComment on an unknown post is NOT_FOUND. Otherwise the comment is accepted, and REJECTED if the
	// post stays unknown for UnknownPostAfter.
	UnknownPostAtOnce bool
	// UnknownPostAfter is how long a comment waits for its post. Used only without UnknownPostAtOnce.
	UnknownPostAfter time.Duration
}

// SyncFeatures is what the sync stack promises.
func SyncFeatures() Features {
	return Features{ReadYourWrites: true, FinalStatusAtOnce: true, UnknownPostAtOnce: true}
}

// AsyncFeatures is what the async stack promises, if its comments service lets a comment wait for unknownPostAfter for its
// post. The bound of "eventually" is wide, so that a busy machine does not fail the suite; how long it takes is for the
// laboratory to measure.
func AsyncFeatures(unknownPostAfter time.Duration) Features {
	return Features{Eventually: 15 * time.Second, UnknownPostAfter: unknownPostAfter}
}

// check is one thing that must hold.
type check struct {
	name string
	run  func(t *testing.T)
}

// group is the checks of one RPC, or of one thing that all services offer.
type group struct {
	name   string
	checks []check
}

// Run tests the target, in subtests named RPC/what_must_hold. It returns once all of them have ended, so the caller may stop the
// stack afterwards.
func Run(t *testing.T, target Target) {
	s := connect(t, target)
	defer s.close()
	for _, g := range s.groups() {
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.checks {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.run(t)
				})
			}
		})
	}
}

// groups returns every check: for each RPC those that hold for all RPCs, then its own, and last those of the processes.
func (s *suite) groups() []group {
	own := s.ownChecks()
	var groups []group
	for _, r := range s.rpcs() {
		groups = append(groups, group{r.name(), append(s.commonChecks(r), own[r.name()]...)})
	}
	return append(groups, s.processGroup())
}

// ownChecks are the checks that only one RPC needs, by its name.
func (s *suite) ownChecks() map[string][]check {
	own := map[string][]check{}
	for _, of := range []func() map[string][]check{
		s.postChecks, s.commentChecks, s.moderationChecks, s.subscriptionChecks, s.queryChecks, s.pagingChecks,
	} {
		for name, checks := range of() {
			own[name] = append(own[name], checks...)
		}
	}
	return own
}

// commonChecks are what must hold for every RPC, and for every write.
func (s *suite) commonChecks(r rpc) []check {
	checks := []check{
		{"names_each_bad_field", func(t *testing.T) { s.namesEachBadField(t, r) }},
		{"takes_values_at_the_limit", func(t *testing.T) { s.takesLimits(t, r) }},
		{"refuses_more_than_64_KiB", func(t *testing.T) { s.refusesLargeRequest(t, r) }},
	}
	if !r.isWrite() {
		return checks
	}
	return append(checks,
		check{"stores_nothing_of_bad_input", func(t *testing.T) { s.storesNothingBad(t, r) }},
		check{"same_request_id_twice_is_one_write", func(t *testing.T) { s.sameIDTwice(t, r) }},
		check{"same_request_id_20_times_at_once_is_one_write", func(t *testing.T) { s.sameIDAtOnce(t, r) }},
		check{"request_id_of_another_RPC_is_refused", func(t *testing.T) { s.idOfAnotherRPC(t, r) }},
	)
}
