package redisbucket

import (
	"context"
	"errors"

	"github.com/redis/rueidis"

	"example.com/fairlead/bucket/redisbucket/internal/wire"
)

// Hints implements [bucket.Hinter]. The scheduler calls it. It subscribes to the channel that has the name of the
// budget's key. It returns an error if the client is closed or Redis refuses the subscription, for example since the
// user has no permission for the channel.
func (s *Store) Hints(ctx context.Context, hint func()) error {
	subscribed := rueidis.WithOnSubscriptionHook(ctx, func(rueidis.PubSubSubscription) { hint() })
	for {
		subscribe := s.client.B().Subscribe().Channel(s.keys[0]).Build()
		err := s.client.Receive(subscribed, subscribe, func(rueidis.PubSubMessage) { hint() })
		if _, refused := rueidis.IsRedisErr(err); refused || errors.Is(err, rueidis.ErrClosing) {
			return err
		}
		if err := wire.Pause(ctx); err != nil { // the connection broke
			return err
		}
	}
}
