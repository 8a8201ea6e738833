package load

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tandem/bench/history"
)

// PreloadConcurrency is how many writes of Preload are under way at once unless told otherwise.
const PreloadConcurrency = 64

// How Preload sends one write: it has patience for a service that is slow to start, and none for one that refuses.
const (
	preloadAttempts = 20
	preloadDeadline = 2 * time.Second
	firstPause      = 20 * time.Millisecond // between attempts, doubled each time
	longestPause    = 500 * time.Millisecond
)

// PreloadConfig says how Preload goes about it.
type PreloadConfig struct {
	Concurrency int                   // writes under way at once; 0 for PreloadConcurrency
	Progress    func(done, total int) // nil for none; called from many goroutines
}

// Preload creates the client's world through the public RPCs: posts, then comments and subscriptions. Each write is sent
// again with the same request_id until it is acknowledged. It returns all operations in the order of their index, also those
// before an error. A write that is refused, or still unanswered after 20 attempts, is an error.
func Preload(ctx context.Context, c *Client, cfg PreloadConfig) ([]*history.Operation, error) {
	if cfg.Concurrency == 0 {
		cfg.Concurrency = PreloadConcurrency
	}
	posts, rest := c.cfg.World.plan()
	p := &preload{client: c, cfg: cfg, total: len(posts) + len(rest)}
	ops := make([]*history.Operation, p.total)
	err := p.store(ctx, posts, ops[:len(posts)])
	if err == nil {
		err = p.store(ctx, rest, ops[len(posts):])
	}
	return compact(ops), err
}

// compact leaves out what was never tried.
func compact(ops []*history.Operation) []*history.Operation {
	kept := ops[:0]
	for _, o := range ops {
		if o != nil {
			kept = append(kept, o)
		}
	}
	return kept
}

// plan returns the writes that make the world: the posts, and what needs them.
func (w *World) plan() (posts, rest []Planned) {
	r := newRand(w.Seed, streamPreloadIDs)
	index := int64(0)
	next := func(p Planned) Planned {
		p.Index, p.RequestID = index, requestID(r)
		index++
		return p
	}
	for i, post := range w.Posts {
		posts = append(posts, next(Planned{
			Op: CreatePost, Post: i, Comment: -1, Author: post.Author, Title: post.Title, Body: post.Body, Ref: post.Ref,
		}))
	}
	for i, c := range w.Comments {
		rest = append(rest, next(Planned{
			Op: CreateComment, Post: c.Post, Comment: i, Author: c.Author, Body: c.Body, Ref: c.Ref, Blocked: c.Blocked,
		}))
	}
	for _, s := range w.Subscriptions {
		rest = append(rest, next(Planned{Op: Subscribe, Post: -1, Comment: -1, Author: s.Author, Follower: s.Follower}))
	}
	return posts, rest
}

type preload struct {
	client *Client
	cfg    PreloadConfig
	total  int
	done   atomic.Int64
}

// store performs the plan with a fixed number of workers, who take the next write each.
func (p *preload) store(ctx context.Context, plan []Planned, ops []*history.Operation) error {
	workers, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range p.cfg.Concurrency {
		workers.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(plan) {
					return nil
				}
				var err error
				if ops[i], err = p.one(ctx, &plan[i]); err != nil {
					return err
				}
				p.tell()
			}
		})
	}
	return workers.Wait()
}

func (p *preload) tell() {
	done := p.done.Add(1)
	if p.cfg.Progress != nil {
		p.cfg.Progress(int(done), p.total)
	}
}

// one performs one write, as often as it takes, and learns the id of what it created.
func (p *preload) one(ctx context.Context, planned *Planned) (*history.Operation, error) {
	c := p.client
	o := c.describe(planned, history.PhasePreload, Due{Intended: c.cfg.Clock.Now()})
	o.Sent = o.Intended
	pause := firstPause
	for {
		err := p.attempt(ctx, planned, o)
		switch {
		case err == nil:
			c.learn(planned, o)
			return o, nil
		case o.Outcome == history.Fail:
			return o, fmt.Errorf("preload: %s %d was refused: %w", o.Op, o.Index, err)
		case ctx.Err() != nil:
			return o, fmt.Errorf("preload: %w", context.Cause(ctx))
		case o.Attempts == preloadAttempts:
			return o, fmt.Errorf("preload: %s %d was not answered in %d attempts; see the log of the service: %w",
				o.Op, o.Index, o.Attempts, err)
		}
		sleep(ctx, pause)
		pause = min(2*pause, longestPause)
	}
}

func (p *preload) attempt(ctx context.Context, planned *Planned, o *history.Operation) error {
	ctx, cancel := context.WithTimeout(ctx, preloadDeadline)
	defer cancel()
	return p.client.attempt(ctx, planned, o)
}

// learn keeps the id of what a write of the preload created. Each index has one writer, and nobody reads before all are done.
func (c *Client) learn(p *Planned, o *history.Operation) {
	switch p.Op {
	case CreatePost:
		c.postIDs[p.Post] = o.ID
	case CreateComment:
		c.commentIDs[p.Comment] = o.ID
	}
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
