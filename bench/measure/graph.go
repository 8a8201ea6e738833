package measure

// graph is the dependency graph of a stack: which services must answer for an operation to succeed.
type graph map[string][]string

// graphs holds the stacks' dependency graphs as the design draws them. The broker is in none: async answers without it, from
// each service's own store.
func graphs() map[string]graph {
	return map[string]graph{
		"sync": {
			"CreatePost": {"posts"}, "GetPost": {"posts"}, "UpdatePost": {"posts"}, "ListPosts": {"posts"},
			"DeletePost":    {"posts", "comments"},
			"CreateComment": {"comments", "posts", "moderation"},
			"GetComment":    {"comments"}, "ListComments": {"comments"},
			"ReviewComment": {"moderation"}, "GetVerdict": {"moderation"},
			"Subscribe": {"subscriptions"}, "Unsubscribe": {"subscriptions"}, "GetSubscriberCount": {"subscriptions"},
			"GetPostPage":   {"query", "posts", "comments", "subscriptions"},
			"ListFeed":      {"query", "posts", "comments", "subscriptions"},
			"GetAuthorPage": {"query", "posts", "subscriptions"},
		},
		"async": {
			"CreatePost": {"posts"}, "GetPost": {"posts"}, "UpdatePost": {"posts"}, "ListPosts": {"posts"}, "DeletePost": {"posts"},
			"CreateComment": {"comments"}, "GetComment": {"comments"}, "ListComments": {"comments"},
			"ReviewComment": {"moderation"}, "GetVerdict": {"moderation"},
			"Subscribe": {"subscriptions"}, "Unsubscribe": {"subscriptions"}, "GetSubscriberCount": {"subscriptions"},
			"GetPostPage": {"query"}, "ListFeed": {"query"}, "GetAuthorPage": {"query"},
		},
	}
}

// atFallback is what sync's operations need at the level fallback, where that is less: the rest is left out of the answer, which
// says so.
func atFallback() graph {
	return graph{
		"CreateComment": {"comments", "posts"},
		"GetPostPage":   {"query", "posts"}, "ListFeed": {"query", "posts"}, "GetAuthorPage": {"query", "posts"},
	}
}

// Needs returns the services without which an operation of a stack ("sync" or "async") must fail at a protection level, and false
// if the graph does not know the stack or the operation.
func Needs(stack, level, op string) (services []string, known bool) {
	if stack == "sync" && level == "fallback" {
		if services, known = atFallback()[op]; known {
			return services, true
		}
	}
	services, known = graphs()[stack][op]
	return services, known
}

// needs is Needs for the stack and the level of this run.
func (s *subject) needs(op string) (services []string, known bool) {
	if s.h.Header.RequestReply && s.h.Header.Stack == "async" && op == "CreateComment" {
		return []string{"comments", "broker", "moderation"}, true // the answer goes the way of the events
	}
	return Needs(s.h.Header.Stack, s.h.Header.Level, op)
}
