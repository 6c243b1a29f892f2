package redisbucket

import (
	"context"
	"errors"

	"github.com/redis/rueidis"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/redisbucket/internal/wire"
)

// Store is a budget in Redis that several processes share. It is a [bucket.Store] and a [bucket.Hinter].
// Several goroutines may use it at a time. A program that has several budgets makes a Store for each, with
// the same client.
type Store struct {
	client rueidis.Client
	keys   []string
}

var (
	_ bucket.Store  = (*Store)(nil)
	_ bucket.Hinter = (*Store)(nil)

	exchange = rueidis.NewLuaScript(wire.Exchange)
	create   = rueidis.NewLuaScript(wire.Create)
)

// New returns the store of the budget with a name, which all processes that share it use. It does not call Redis.
// It returns an error if the client is nil, or if the name is empty or has braces. The caller closes the client, after
// the schedulers that use the store.
func New(client rueidis.Client, name string) (*Store, error) {
	keys, err := wire.Keys(name)
	if err != nil {
		return nil, err
	}
	if client == nil {
		return nil, errors.New("redisbucket: the client is nil: pass what rueidis.NewClient returns")
	}
	return &Store{client, keys}, nil
}

// Exchange implements [bucket.Store]. The scheduler calls it. It takes one round trip to Redis, and a second one
// when Redis does not have the script. It returns an error for an ask that is not valid, and errors of the client.
func (s *Store) Exchange(ctx context.Context, a bucket.Ask) (bucket.Answer, error) {
	args, err := wire.Args(a)
	if err != nil {
		return bucket.Answer{}, err
	}
	reply, err := exchange.Exec(ctx, s.client, s.keys, args).ToString()
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
	made, err := create.Exec(ctx, s.client, s.keys, args).AsInt64()
	if err == nil && made == 0 {
		err = bucket.ErrExists
	}
	return err
}
