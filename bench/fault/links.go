package fault

import (
	"tandem/bench/cluster"
	"tandem/bench/wire"
)

// Links are who opens connections to whom in a stack.
func Links(stack string) (links []wire.Link) {
	services := []string{"posts", "comments", "moderation", "subscriptions", "query"}
	for _, s := range services {
		links = append(links, wire.Link{From: wire.Users, To: s})
	}
	if stack == cluster.Async {
		for _, s := range services {
			links = append(links, wire.Link{From: s, To: cluster.Broker})
		}
		return links
	}
	return append(links,
		wire.Link{From: "comments", To: "posts"}, wire.Link{From: "comments", To: "moderation"},
		wire.Link{From: "posts", To: "comments"},
		wire.Link{From: "query", To: "posts"}, wire.Link{From: "query", To: "comments"}, wire.Link{From: "query", To: "subscriptions"},
	)
}

// Links are the links of a stack that the fault hurts: the one that it names, or all to the part that it names. None if the stack has
// no such link, or the fault is not one of the network.
func (s Spec) Links(stack string) (hurt []wire.Link) {
	if !s.HurtsLinks() {
		return nil
	}
	for _, link := range Links(stack) {
		if link.String() == s.Victim || link.To == s.Victim {
			hurt = append(hurt, link)
		}
	}
	return hurt
}
