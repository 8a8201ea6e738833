package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	blogv1 "tandem/proto/blog/v1"
	labv1 "tandem/proto/lab/v1"
	"tandem/shared/problem"
	"tandem/shared/store"
)

const (
	// keptBack is what is kept of the caller's deadline, so that it can still be told that the comment is stored.
	keptBack = 20 * time.Millisecond
	// longestWait is how long the verdict is waited for if the caller gave no deadline.
	longestWait = 2 * time.Second
)

// replies are the callers who are answered only when the verdict on their comment has come back through the broker: request and reply over
// events. The comment and its event are stored as ever; the answer alone waits. It is there to be measured: see --reply-after-verdict.
type replies struct {
	mu      sync.Mutex
	waiting map[string]map[chan struct{}]bool // by comment
}

func newReplies() *replies { return &replies{waiting: map[string]map[chan struct{}]bool{}} }

// wake has those look who wait for one of the comments that a commit has decided. It never waits.
func (r *replies) wake(decided []*labv1.Effect) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range decided {
		for caller := range r.waiting[e.GetId()] {
			select {
			case caller <- struct{}{}:
			default: // it is to look already
			}
		}
	}
}

// await returns what wake tells of a comment, until forget is called.
func (r *replies) await(id string) (woken <-chan struct{}, forget func()) {
	caller := make(chan struct{}, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting[id] == nil {
		r.waiting[id] = map[chan struct{}]bool{}
	}
	r.waiting[id][caller] = true
	return caller, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if delete(r.waiting[id], caller); len(r.waiting[id]) == 0 {
			delete(r.waiting, id)
		}
	}
}

// onceDecided answers with the comment as moderation left it. If no verdict comes in time the answer is DEADLINE_EXCEEDED, and the comment
// stays: its verdict will come, to whoever asks then.
func (s *server) onceDecided(ctx context.Context, accepted *blogv1.CreateCommentResponse) (*blogv1.CreateCommentResponse, error) {
	id := accepted.GetComment().GetId()
	woken, forget := s.replies.await(id) // before the first look, so that no verdict falls between the two
	defer forget()
	patience := time.NewTimer(patienceOf(ctx))
	defer patience.Stop()
	for {
		comment, err := store.GetComment(ctx, s.db, id)
		if problem.KindOf(err) == problem.NotFound {
			return accepted, nil // its post was deleted meanwhile, and the comment with it
		}
		if err != nil {
			return nil, err
		}
		if comment.GetStatus() != blogv1.CommentStatus_COMMENT_STATUS_PENDING {
			return &blogv1.CreateCommentResponse{Comment: comment}, nil
		}
		select {
		case <-woken:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-patience.C:
			return nil, problem.New(problem.DeadlineExceeded, fmt.Sprintf(
				"comment %s is stored, and no verdict on it came in time: do not send it again, ask GetComment", id), nil)
		}
	}
}

func patienceOf(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return longestWait
	}
	return time.Until(deadline) - keptBack
}
