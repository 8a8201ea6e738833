package main

import (
	"context"

	blogv1 "tandem/proto/blog/v1"
	eventv1 "tandem/proto/event/v1"
	"tandem/shared/rules"
	"tandem/shared/store"
)

func (s *server) postCreated(ctx context.Context, tx *store.Tx, p *blogv1.Post) error {
	return s.bus.Publish(ctx, tx, p.GetId(), &eventv1.PostCreated{
		PostId: p.GetId(), Author: p.GetAuthor(), Title: p.GetTitle(), Body: p.GetBody(),
		CreateTime: p.GetCreateTime(), Version: p.GetVersion(),
	})
}

func (s *server) postUpdated(ctx context.Context, tx *store.Tx, p *blogv1.Post) error {
	return s.bus.Publish(ctx, tx, p.GetId(), &eventv1.PostUpdated{
		PostId: p.GetId(), Title: p.GetTitle(), Body: p.GetBody(), UpdateTime: p.GetUpdateTime(), Version: p.GetVersion(),
	})
}

func (s *server) postDeleted(ctx context.Context, tx *store.Tx, id string, version int64) error {
	return s.bus.Publish(ctx, tx, id, &eventv1.PostDeleted{PostId: id, DeleteTime: rules.Now(), Version: version})
}
