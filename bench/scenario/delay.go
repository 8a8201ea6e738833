package scenario

import (
	"errors"

	"tandem/bench/load"
	"tandem/bench/wire"
)

// userLinks are the links on which the load reaches the services.
func userLinks() (links []wire.Link) {
	for _, service := range load.Services() {
		links = append(links, wire.Link{From: wire.Users, To: service})
	}
	return links
}

// delayUsers puts the plan's delay on the way of every request of a user. The stack is filled without it.
func (r *run) delayUsers() error {
	if r.Plan.Delay == 0 {
		return nil
	}
	var errs []error
	for _, link := range userLinks() {
		path, found := r.net.Path(link)
		if !found {
			errs = append(errs, errors.New("no proxy on the link "+link.String()))
			continue
		}
		errs = append(errs, path.Slow(wire.Requests, r.Plan.Delay, 0))
	}
	return errors.Join(errs...)
}
