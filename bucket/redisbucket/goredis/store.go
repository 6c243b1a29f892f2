// Package goredis keeps a budget in Redis that several processes share, for programs that use the client go-redis.
//
//	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", MaxRetries: -1, DialerRetries: 1})
//	store, err := goredis.New(client, "openai")
//	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerMinute(500).Burst(10), Store: store})
//
// It does the same as package bucket/redisbucket. The documentation there says what Redis needs, and what happens when it
// loses data. A program with go-redis and one with rueidis can share a budget, since they run the same script.
//
// The two options show why Redis can't be reached. Without them go-redis tries for longer than an exchange may take,
// so the event StoreAway has only "context deadline exceeded", or no error yet. The scheduler tries again by itself.
// go-redis itself also logs each failure to connect: see redis.SetLogger.
package goredis

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/redisbucket/internal/wire"
)

// Store is a budget in Redis that several processes share. It is a [bucket.Store] and a [bucket.Hinter].
// Several goroutines may use it at a time. A program that has several budgets makes a Store for each, with
// the same client.
type Store struct {
	client redis.UniversalClient
	keys   []string
}

var (
	_ bucket.Store  = (*Store)(nil)
	_ bucket.Hinter = (*Store)(nil)

	exchange = redis.NewScript(wire.Exchange)
	create   = redis.NewScript(wire.Create)
)

// New returns the store of the budget with a name, which all processes that share it use. It does not call Redis.
// It returns an error if the client is nil, or if the name is empty or has braces. The caller closes the client, after
// the schedulers that use the store.
func New(client redis.UniversalClient, name string) (*Store, error) {
	keys, err := wire.Keys(name)
	if err != nil {
		return nil, err
	}
	if client == nil {
		return nil, errors.New("redisbucket: the client is nil: pass what redis.NewClient returns")
	}
	return &Store{client, keys}, nil
}

// Exchange implements [bucket.Store]. The scheduler calls it. It returns an error for an ask that is not valid, and
// errors of the client. That go-redis sends a script again by itself does no harm, since the store sells once.
func (s *Store) Exchange(ctx context.Context, a bucket.Ask) (bucket.Answer, error) {
	args, err := wire.Args(a)
	if err != nil {
		return bucket.Answer{}, err
	}
	reply, err := exchange.Run(ctx, s.client, s.keys, args).Text()
	if err != nil {
		return bucket.Answer{}, err
	}
	return wire.Answer(reply)
}

// Create makes a new budget that is full. A budget that a process begins is empty and sells nothing for
// [bucket.LearnTime], since Redis may have lost a budget of that name. Only an operator can know that no process
// has used the name within LearnTime. Create returns [bucket.ErrExists] if the budget exists.
func (s *Store) Create(ctx context.Context, limit bucket.Limit) error {
	args, err := wire.CreateArgs(limit)
	if err != nil {
		return err
	}
	made, err := create.Run(ctx, s.client, s.keys, args).Int()
	if err == nil && made == 0 {
		err = bucket.ErrExists
	}
	return err
}

// Hints implements [bucket.Hinter]. The scheduler calls it. It subscribes to the channel that has the name of the
// budget's key, and returns when ctx is done.
func (s *Store) Hints(ctx context.Context, hint func()) error {
	subscription := s.client.Subscribe(ctx, s.keys[0])
	defer subscription.Close()
	stop := context.AfterFunc(ctx, func() { subscription.Close() }) // Receive does not return when ctx is done
	defer stop()
	for ctx.Err() == nil {
		_, err := subscription.Receive(ctx) // a message, or that it has subscribed, also when it has connected again
		if err == nil {
			hint()
			continue
		}
		if err := wire.Pause(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}
