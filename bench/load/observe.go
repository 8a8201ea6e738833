package load

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tandem/bench/history"
	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/rules"
)

// ObserveConcurrency is how many things Observe looks at side by side.
const ObserveConcurrency = 64

// Observe looks, after the drain, at everything that the writes of the load touched, at everything newer than the preload,
// and at a sample of the preload's posts, in both views. ops are all operations, preload and load. A service that does not
// answer for 10 s is an error: what was not looked at must not pass for absent.
//
// Each thing gets one Final per view, also if it is absent: a post that says NOT_FOUND, or, created by the load, stands in no
// list; a comment that was acknowledged, or shows in the other view, and stands not under its post. A comment whose creation had no
// answer, and that is in no store, gets one if moderation has reviewed it all the same.
func Observe(ctx context.Context, c *Client, ops []*history.Operation, sample int) ([]history.Final, error) {
	o := &observer{client: c, comments: map[string][]string{}, created: map[string]bool{}, authorOf: map[string]string{}}
	o.sortOps(ops)
	listed, err := o.walkNewest(ctx)
	if err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	o.listed = listed
	if err := o.lookAtAll(ctx, o.postsToSee(ops, sample), o.authorsToSee(ops)); err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	if err := o.lookForReviews(ctx, ops); err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	slices.SortFunc(o.finals, func(a, b history.Final) int {
		return cmp.Or(cmp.Compare(a.Aggregate, b.Aggregate), cmp.Compare(a.ID, b.ID), cmp.Compare(a.View, b.View))
	})
	return o.finals, nil
}

type observer struct {
	client   *Client
	preload  map[string]bool     // ids of the preload's posts
	created  map[string]bool     // ids of acknowledged posts of the load
	comments map[string][]string // ids of acknowledged comments, by their post
	authorOf map[string]string   // of all posts whose creation was acknowledged
	listed   listing
	feed     map[string]*blogv1.FeedEntry // the part of the feed that was read, by post

	mu     sync.Mutex
	finals []history.Final
}

// listing is which posts newer than the preload stand in each view's list.
type listing map[history.View]map[string]bool

func (o *observer) sortOps(ops []*history.Operation) {
	o.preload = map[string]bool{}
	for _, op := range ops {
		if op.Op == CreatePost && op.Outcome == history.OK {
			o.authorOf[op.ID] = op.Author
		}
		switch {
		case op.Outcome != history.OK:
		case op.Op == CreatePost && op.Phase == history.PhasePreload:
			o.preload[op.ID] = true
		case op.Op == CreatePost:
			o.created[op.ID] = true
		case op.Op == CreateComment:
			o.comments[op.PostID] = append(o.comments[op.PostID], op.ID)
		}
	}
}

// walkNewest reads the lists from the newest post down to a page that holds posts of the preload alone.
func (o *observer) walkNewest(ctx context.Context) (listing, error) {
	store, page := map[string]bool{}, map[string]bool{}
	note := func(found map[string]bool) func(*blogv1.Post) bool {
		return func(p *blogv1.Post) bool {
			if o.preload[p.GetId()] {
				return false
			}
			found[p.GetId()] = true
			return true
		}
	}
	if err := o.client.walkPosts(ctx, "", observation, note(store)); err != nil {
		return nil, err
	}
	o.feed = map[string]*blogv1.FeedEntry{}
	err := o.client.walkFeed(ctx, observation, func(entry *blogv1.FeedEntry) bool {
		o.feed[entry.GetPost().GetId()] = entry
		return note(page)(entry.GetPost())
	})
	return listing{history.ViewStore: store, history.ViewPage: page}, err
}

// postsToSee are the posts that the load touched or created, those that stand in a list and nobody knows, and a sample.
func (o *observer) postsToSee(ops []*history.Operation, sample int) map[string]bool {
	see := map[string]bool{}
	for _, op := range ops {
		if op.Phase != history.PhaseLoad || !op.IsWrite() {
			continue
		}
		if op.Aggregate == history.Post {
			see[op.ID] = true
		}
		see[op.PostID] = true
	}
	for _, found := range o.listed {
		for id := range found {
			see[id] = true
		}
	}
	ids := o.client.postIDs
	for _, i := range newRand(o.client.cfg.World.Seed, streamSample).Perm(len(ids))[:min(sample, len(ids))] {
		see[ids[i]] = true
	}
	delete(see, "") // a creation without an answer
	return see
}

// authorsToSee are those whose subscribers or posts the load touched.
func (o *observer) authorsToSee(ops []*history.Operation) map[string]bool {
	see := map[string]bool{}
	for _, op := range ops {
		switch {
		case op.Phase != history.PhaseLoad || !op.IsWrite():
		case op.Aggregate == history.Author:
			see[op.ID] = true
		case op.Op == CreatePost:
			see[op.Author] = true
		case op.Aggregate == history.Post:
			see[o.authorOf[op.ID]] = true
		}
	}
	delete(see, "") // of a post whose creation had no answer
	return see
}

func (o *observer) lookAtAll(ctx context.Context, posts, authors map[string]bool) error {
	lookers, ctx := errgroup.WithContext(ctx)
	lookers.SetLimit(ObserveConcurrency)
	for id := range posts {
		lookers.Go(func() error { return o.lookAtPost(ctx, id) })
	}
	for name := range authors {
		lookers.Go(func() error { return o.lookAtAuthor(ctx, name) })
	}
	return lookers.Wait()
}

func (o *observer) add(finals ...history.Final) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.finals = append(o.finals, finals...)
}

// lookAtPost looks at a post and all its comments, in both views.
func (o *observer) lookAtPost(ctx context.Context, id string) error {
	stored, err := o.storedPost(ctx, id)
	if err != nil {
		return err
	}
	inStore := map[string]history.Final{}
	if err := o.client.walkComments(ctx, id, observation, func(c *blogv1.Comment) bool {
		f := commentFinal(history.ViewStore, c)
		f.Status = statusName(c.GetStatus())
		inStore[c.GetId()] = f
		return true
	}); err != nil {
		return err
	}
	if err := o.addVerdicts(ctx, inStore); err != nil {
		return err
	}
	onPage := map[string]history.Final{}
	page, err := o.client.walkPostPage(ctx, id, observation, func(c *blogv1.Comment) bool {
		onPage[c.GetId()] = commentFinal(history.ViewPage, c)
		return true
	})
	if err != nil && status.Code(err) != codes.NotFound {
		return err
	}
	shown := o.postFinal(history.ViewPage, id, page.GetPost())
	shown.Count, shown.Subscribers = page.GetCommentCount(), page.GetSubscriberCount()
	if entry := o.feed[id]; entry != nil {
		shown.InFeed, shown.FeedComments, shown.FeedSubscribers = true, entry.GetCommentCount(), entry.GetSubscriberCount()
	}
	o.add(stored, shown)
	o.addComments(id, inStore, onPage)
	return nil
}

// addVerdicts asks moderation what it says of each comment: its database may lose things too.
func (o *observer) addVerdicts(ctx context.Context, comments map[string]history.Final) error {
	for id, f := range comments {
		reply, err := read(ctx, observation, o.client.getVerdict, &blogv1.GetVerdictRequest{CommentId: id})
		switch {
		case status.Code(err) == codes.NotFound:
		case err != nil:
			return fmt.Errorf("get the verdict on comment %s: %w", id, err)
		case reply.GetVerdict().GetApproved():
			f.Verdict = statusName(blogv1.CommentStatus_COMMENT_STATUS_APPROVED)
		default:
			f.Verdict = statusName(blogv1.CommentStatus_COMMENT_STATUS_REJECTED)
		}
		comments[id] = f
	}
	return nil
}

// lookForReviews finds the comments that moderation has reviewed and nobody stored: work that was done for a user who got no answer. A
// comment's id follows from its request.
func (o *observer) lookForReviews(ctx context.Context, ops []*history.Operation) error {
	stored := map[string]bool{}
	for _, f := range o.finals {
		stored[f.ID] = stored[f.ID] || f.View == history.ViewStore && f.Present
	}
	lookers, ctx := errgroup.WithContext(ctx)
	lookers.SetLimit(ObserveConcurrency)
	for _, op := range ops {
		id := rules.NewID("comment", op.RequestID)
		if op.Op == CreateComment && op.Outcome == history.Unknown && !stored[id] {
			lookers.Go(func() error { return o.lookForReview(ctx, op, id) })
		}
	}
	return lookers.Wait()
}

func (o *observer) lookForReview(ctx context.Context, op *history.Operation, id string) error {
	_, err := read(ctx, observation, o.client.getVerdict, &blogv1.GetVerdictRequest{CommentId: id})
	if status.Code(err) == codes.NotFound {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get the verdict on comment %s: %w", id, err)
	}
	o.add(history.Final{View: history.ViewReview, Aggregate: history.Comment, ID: id, Ref: op.Ref, PostID: op.PostID, Present: true})
	return nil
}

// storedPost is the post as its owner and the owner of its comments have it.
func (o *observer) storedPost(ctx context.Context, id string) (history.Final, error) {
	c := o.client
	reply, err := read(ctx, observation, c.getPost, &blogv1.GetPostRequest{Id: id})
	if err != nil && status.Code(err) != codes.NotFound {
		return history.Final{}, fmt.Errorf("get post %s: %w", id, err)
	}
	f := o.postFinal(history.ViewStore, id, reply.GetPost())
	approved, err := read(ctx, observation, c.listComments, &blogv1.ListCommentsRequest{
		PostId: id, Status: blogv1.CommentStatus_COMMENT_STATUS_APPROVED, PageSize: 1,
	})
	if err != nil {
		return history.Final{}, fmt.Errorf("count the comments of post %s: %w", id, err)
	}
	f.Count = approved.GetTotalSize()
	return f, nil
}

// postFinal is a post in a view; nil says that it is not there. What the load created must stand in the view's list too.
func (o *observer) postFinal(view history.View, id string, p *blogv1.Post) history.Final {
	f := history.Final{
		View: view, Aggregate: history.Post, ID: id, Present: p != nil && (!o.created[id] || o.listed[view][id]),
		Version: p.GetVersion(), Ref: RefIn(p.GetTitle()), Author: p.GetAuthor(),
	}
	if p != nil {
		f.Text = history.TextDigest(p.GetTitle(), p.GetBody())
	}
	return f
}

func commentFinal(view history.View, c *blogv1.Comment) history.Final {
	return history.Final{
		View: view, Aggregate: history.Comment, ID: c.GetId(), Present: true, Version: c.GetVersion(), Ref: RefIn(c.GetBody()),
		PostID: c.GetPostId(), Author: c.GetAuthor(), Text: history.TextDigest("", c.GetBody()),
	}
}

// addComments adds a final per view for each comment that must be or is in one of them.
func (o *observer) addComments(postID string, inStore, onPage map[string]history.Final) {
	ids := map[string]bool{}
	for _, id := range o.comments[postID] {
		ids[id] = true
	}
	for _, found := range []map[string]history.Final{inStore, onPage} {
		for id := range found {
			ids[id] = true
		}
	}
	for id := range ids {
		o.add(orAbsent(inStore, history.ViewStore, id, postID), orAbsent(onPage, history.ViewPage, id, postID))
	}
}

func orAbsent(found map[string]history.Final, view history.View, id, postID string) history.Final {
	if f, ok := found[id]; ok {
		return f
	}
	return history.Final{View: view, Aggregate: history.Comment, ID: id, PostID: postID}
}

// lookAtAuthor looks at an author's subscribers and posts, in both views.
func (o *observer) lookAtAuthor(ctx context.Context, name string) error {
	live, err := read(ctx, observation, o.client.getSubscriberCount, &blogv1.GetSubscriberCountRequest{Author: name})
	if err != nil {
		return fmt.Errorf("count the subscribers of %s: %w", name, err)
	}
	var stored, shown postList
	if err := o.client.walkPosts(ctx, name, observation, stored.add); err != nil {
		return err
	}
	page, err := o.client.walkAuthorPage(ctx, name, observation, shown.add)
	if err != nil {
		return err
	}
	o.add(authorFinal(history.ViewStore, name, live.GetSubscriberCount(), stored),
		authorFinal(history.ViewPage, name, page.GetSubscriberCount(), shown))
	return nil
}

// postList is the ids and versions of a list of posts, one after the other.
type postList []string

func (l *postList) add(p *blogv1.Post) bool {
	*l = append(*l, p.GetId()+"@"+strconv.FormatInt(p.GetVersion(), 10))
	return true
}

func authorFinal(view history.View, name string, subscribers int64, posts postList) history.Final {
	return history.Final{
		View: view, Aggregate: history.Author, ID: name, Present: true, Count: subscribers,
		Posts: int64(len(posts)), List: history.TextDigest(posts...),
	}
}
