package conformance

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/rules"
)

// entry is one thing in a list.
type entry struct {
	id string
	at time.Time // when it was created
}

// page is one page of a list.
type page struct {
	entries []entry
	next    string
	total   int64 // -1 if the list does not tell
}

// list is a list that is paged, with how to fill it. Two of the lists hold what others write too, so what is demanded of a walk
// is demanded of the entries in mine.
type list struct {
	get   func(size int32, token string) (page, error)
	add   func(t *testing.T) entry // adds an entry; get shows it eventually
	mine  []entry                  // in no order
	whole bool                     // the list holds nothing but mine
}

// filled is how many entries the lists are tested with: more than the largest page.
const filledWith = rules.MaxPage + 5

func (s *suite) pagingChecks() map[string][]check {
	checks := map[string][]check{}
	for name, open := range map[string]func(*testing.T) *list{
		"ListPosts": s.postsOfAuthor, "ListComments": s.commentsOfPost,
		"GetPostPage": s.commentsOnPage, "ListFeed": s.feed, "GetAuthorPage": s.postsOnAuthorPage,
	} {
		checks[name] = []check{
			{"pages", func(t *testing.T) { s.pages(t, open(t)) }},
			{"short_list_fits_its_page", func(t *testing.T) { s.exactFit(t, open(t)) }},
		}
	}
	checks["ListPosts"] = append(checks["ListPosts"],
		check{"pages_of_all_authors", func(t *testing.T) { s.pages(t, s.postsOfAll(t)) }},
		check{"pages_go_on_after_a_deletion", s.pagesAfterDeletion})
	return checks
}

// pages fills a list and looks at it page by page.
func (s *suite) pages(t *testing.T, l *list) {
	s.fill(t, l, filledWith)
	for size, want := range map[int32]int{0: rules.DefaultPage, 1: 1, 99: 99, 100: 100, 101: 100, math.MaxInt32: 100} {
		p := l.must(t, size, "")
		require.Len(t, p.entries, want, "page_size %d", size)
		require.NotEmpty(t, p.next, "page_size %d", size)
		if p.total >= 0 {
			require.EqualValues(t, filledWith, p.total)
		}
	}
	for _, size := range []int32{1, 7, 35, 100} { // 35 divides 105: the last page is full and has no next
		requireEachOnce(t, l, l.walk(t, size, ""))
	}
	refusesTokens(t, l)
	s.staysStable(t, l)
}

// fill adds n entries, some at the same time, and waits until the list shows them all.
func (s *suite) fill(t *testing.T, l *list, n int) {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range 5 {
		wg.Go(func() {
			for range n / 5 {
				e := l.add(t)
				mu.Lock()
				l.mine = append(l.mine, e)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	s.eventually(t, func(t require.TestingT) { requireEachOnce(t, l, l.walk(t, 100, "")) })
}

func (l *list) must(t require.TestingT, size int32, token string) page {
	p, err := l.get(size, token)
	require.NoError(t, err)
	require.LessOrEqual(t, len(p.entries), rules.MaxPage)
	return p
}

// walk reads on from a token to the end of the list, or past the oldest of mine.
func (l *list) walk(t require.TestingT, size int32, token string) (all []entry) {
	oldest := slices.MinFunc(l.mine, func(a, b entry) int { return a.at.Compare(b.at) }).at
	for {
		p := l.must(t, size, token)
		all = append(all, p.entries...)
		if len(p.next) > rules.MaxPageToken {
			require.FailNow(t, "a page token is longer than the contract allows", "%d bytes", len(p.next))
		}
		if token = p.next; token == "" || len(all) > 0 && all[len(all)-1].at.Before(oldest) {
			return all
		}
		require.NotEmpty(t, p.entries, "a page with a next_page_token has entries")
	}
}

// requireEachOnce demands that a walk has all of mine once, newest first, and nothing twice.
func requireEachOnce(t require.TestingT, l *list, walked []entry) {
	want := map[string]bool{}
	for _, e := range l.mine {
		want[e.id] = true
	}
	seen, missing := map[string]bool{}, len(want)
	for i, e := range walked {
		require.False(t, seen[e.id], "%s is listed twice", e.id)
		require.False(t, i > 0 && walked[i-1].at.Before(e.at), "%s stands below an older one", e.id)
		require.True(t, want[e.id] || !l.whole, "%s does not belong in this list", e.id)
		seen[e.id] = true
		if want[e.id] {
			missing--
		}
	}
	require.Zero(t, missing, "entries are missing")
}

// refusesTokens sends tokens that no page gave.
func refusesTokens(t *testing.T, l *list) {
	good := l.must(t, 1, "").next
	for _, bad := range []string{
		good + "A", good[1:], good[:len(good)-1], good + good, good + "=", good + "\n", " " + good, strings.ToUpper(good), "null",
	} {
		_, err := l.get(1, bad)
		requireInvalid(t, err, "page_token")
	}
	_, err := l.get(-1, "x")
	requireInvalid(t, err, "page_size", "page_token")
}

// staysStable adds entries between two pages: the walk goes on with the old entries as if nothing had come.
func (s *suite) staysStable(t *testing.T, l *list) {
	first := l.must(t, 50, "")
	added := make([]entry, 3)
	for i := range added {
		added[i] = l.add(t)
	}
	withNew := *l
	withNew.mine = append(slices.Clone(l.mine), added...)
	s.eventually(t, func(t require.TestingT) { requireEachOnce(t, &withNew, withNew.walk(t, 100, "")) })
	requireEachOnce(t, l, append(first.entries, l.walk(t, 50, first.next)...))
}

// exactFit: a list of ten has no second page of ten.
func (s *suite) exactFit(t *testing.T, l *list) {
	s.fill(t, l, 10)
	require.NotEmpty(t, l.must(t, 9, "").next)
	if !l.whole {
		return
	}
	for _, size := range []int32{0, 10, 11, 100} {
		require.Empty(t, l.must(t, size, "").next, "page_size %d", size)
	}
	second := l.must(t, 5, l.must(t, 5, "").next)
	require.Len(t, second.entries, 5)
	require.Empty(t, second.next)
}

// pagesAfterDeletion deletes the entry at which the next page starts to count.
func (s *suite) pagesAfterDeletion(t *testing.T) {
	l := s.postsOfAuthor(t)
	s.fill(t, l, 10)
	first := l.must(t, 5, "")
	s.deletePost(t, first.entries[4].id)
	rest := l.must(t, 100, first.next)
	require.Len(t, rest.entries, 5)
	requireEachOnce(t, l, append(first.entries, rest.entries...))
}

func pageOfPosts(posts []*blogv1.Post, next string) page {
	p := page{next: next, total: -1}
	for _, post := range posts {
		p.entries = append(p.entries, entryOfPost(post))
	}
	return p
}

func entryOfPost(p *blogv1.Post) entry { return entry{p.GetId(), p.GetCreateTime().AsTime()} }

func pageOfComments(comments []*blogv1.Comment, next string, total int64) page {
	p := page{next: next, total: total}
	for _, c := range comments {
		p.entries = append(p.entries, entry{c.GetId(), c.GetCreateTime().AsTime()})
	}
	return p
}

// adderOfPosts returns a function that adds a post of one author. It may run beside itself.
func (s *suite) adderOfPosts(author string) func(*testing.T) entry {
	return func(t *testing.T) entry {
		request := newPostRequest()
		request.Author = author
		reply, err := try(s.posts.CreatePost, request)
		if err != nil {
			t.Errorf("create post: %v", err)
		}
		return entryOfPost(reply.GetPost())
	}
}

func (s *suite) adderOfComments(postID string) func(*testing.T) entry {
	return func(t *testing.T) entry {
		reply, err := try(s.comments.CreateComment, newCommentRequest(postID, goodBody))
		if err != nil {
			t.Errorf("create comment: %v", err)
		}
		return entry{reply.GetComment().GetId(), reply.GetComment().GetCreateTime().AsTime()}
	}
}

func (s *suite) postsOfAuthor(*testing.T) *list {
	author := newName()
	return &list{add: s.adderOfPosts(author), whole: true, get: func(size int32, token string) (page, error) {
		reply, err := try(s.posts.ListPosts, &blogv1.ListPostsRequest{Author: author, PageSize: size, PageToken: token})
		return pageOfPosts(reply.GetPosts(), reply.GetNextPageToken()), err
	}}
}

func (s *suite) postsOfAll(*testing.T) *list {
	return &list{add: s.adderOfPosts(newName()), get: func(size int32, token string) (page, error) {
		reply, err := try(s.posts.ListPosts, &blogv1.ListPostsRequest{PageSize: size, PageToken: token})
		return pageOfPosts(reply.GetPosts(), reply.GetNextPageToken()), err
	}}
}

func (s *suite) postsOnAuthorPage(*testing.T) *list {
	author := newName()
	return &list{add: s.adderOfPosts(author), whole: true, get: func(size int32, token string) (page, error) {
		reply, err := try(s.query.GetAuthorPage, &blogv1.GetAuthorPageRequest{Author: author, PageSize: size, PageToken: token})
		return pageOfPosts(reply.GetPosts(), reply.GetNextPageToken()), err
	}}
}

func (s *suite) feed(*testing.T) *list {
	return &list{add: s.adderOfPosts(newName()), get: func(size int32, token string) (page, error) {
		reply, err := try(s.query.ListFeed, &blogv1.ListFeedRequest{PageSize: size, PageToken: token})
		p := page{next: reply.GetNextPageToken(), total: -1}
		for _, e := range reply.GetEntries() {
			p.entries = append(p.entries, entryOfPost(e.GetPost()))
		}
		return p, err
	}}
}

func (s *suite) commentsOfPost(t *testing.T) *list {
	postID := s.newPost(t).GetId()
	return &list{add: s.adderOfComments(postID), whole: true, get: func(size int32, token string) (page, error) {
		reply, err := try(s.comments.ListComments,
			&blogv1.ListCommentsRequest{PostId: postID, Status: approved, PageSize: size, PageToken: token})
		return pageOfComments(reply.GetComments(), reply.GetNextPageToken(), reply.GetTotalSize()), err
	}}
}

func (s *suite) commentsOnPage(t *testing.T) *list {
	postID := s.newPostOnPage(t).GetId()
	return &list{add: s.adderOfComments(postID), whole: true, get: func(size int32, token string) (page, error) {
		reply, err := try(s.query.GetPostPage, &blogv1.GetPostPageRequest{PostId: postID, PageSize: size, PageToken: token})
		if err == nil && reply.GetPost().GetId() != postID {
			err = fmt.Errorf("the page is that of post %q", reply.GetPost().GetId())
		}
		return pageOfComments(reply.GetComments(), reply.GetNextPageToken(), reply.GetCommentCount()), err
	}}
}
