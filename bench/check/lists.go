package check

import (
	"fmt"

	"tandem/bench/history"
)

// judgeList compares the posts that an author's page lists with those that the store lists.
func (j *judge) judgeList(t *thing) {
	if t.store == nil || t.page == nil || t.store.List == t.page.List || t.store.List == "" || t.page.List == "" {
		return
	}
	if t.store.Posts != t.page.Posts {
		j.figures.WrongList.add(fmt.Sprintf("The page of %s lists %d posts, and the store %d.", t.id, t.page.Posts, t.store.Posts))
		return
	}
	j.figures.WrongList.add(fmt.Sprintf("The page of %s lists other posts than the store, other versions of them, or another order.", t.id))
}

// judgeFeed compares the counters beside a post in the feed, and its author's on the post's page, with those of the other pages.
func (j *judge) judgeFeed(t *thing) {
	f := t.page
	if !present(f) {
		return
	}
	if f.InFeed && f.FeedComments != f.Count {
		j.figures.CounterDrift.add(fmt.Sprintf("The feed counts %d approved comments of %s, and its page %d.", f.FeedComments, t, f.Count))
	}
	subscribers, page := f.Subscribers, "its page"
	if author := j.things[key{history.Author, f.Author}]; author != nil && author.page != nil {
		subscribers, page = author.page.Count, "the author's page"
		if f.Subscribers != subscribers {
			j.figures.CounterDrift.add(fmt.Sprintf("The page of %s counts %d subscribers of %s, and the author's page %d.",
				t, f.Subscribers, f.Author, subscribers))
		}
	}
	if f.InFeed && f.FeedSubscribers != subscribers {
		j.figures.CounterDrift.add(fmt.Sprintf("Beside %s the feed counts %d subscribers of its author, and %s %d.",
			t, f.FeedSubscribers, page, subscribers))
	}
}
