package goredis_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/redisbucket"
	"example.com/fairlead/bucket/redisbucket/goredis"
	"example.com/fairlead/bucket/redisbucket/internal/redistest"
)

var ctx = context.Background()

func newStore(t *testing.T, server *redistest.Server) *goredis.Store {
	client := redis.NewClient(&redis.Options{Addr: server.Addr})
	t.Cleanup(func() { client.Close() })
	store, err := goredis.New(client, "test")
	require.NoError(t, err)
	return store
}

// TestOneBudget: programs with go-redis and with rueidis share a budget.
func TestOneBudget(t *testing.T) {
	server := redistest.Start(t)
	mine := newStore(t, server)
	theirs, err := redisbucket.New(redistest.Client(t, server.Addr), "test")
	require.NoError(t, err)

	limit := bucket.Limit{Capacity: 10, Refill: 1, Per: 24 * time.Hour} // no token comes back during the test
	require.NoError(t, mine.Create(ctx, limit))
	require.ErrorIs(t, mine.Create(ctx, limit), bucket.ErrExists)
	a, err := mine.Exchange(ctx, bucket.Ask{Process: "a", Seq: 1, Want: 8, Limit: limit})
	require.NoError(t, err)
	require.EqualValues(t, 8, a.Tokens)
	b, err := theirs.Exchange(ctx, bucket.Ask{Process: "b", Seq: 1, Want: 2, Limit: limit})
	require.NoError(t, err)
	require.EqualValues(t, 1, b.Tokens, "half of what is left")
	require.EqualValues(t, 2, b.Level)
	require.Equal(t, a.Epoch, b.Epoch)

	server.Do("SCRIPT", "FLUSH")
	again, err := mine.Exchange(ctx, bucket.Ask{Process: "a", Seq: 1, Want: 8, Limit: limit})
	require.NoError(t, err)
	require.Equal(t, a, again)
}

// TestErrors: what is not valid does not reach Redis, and what Redis says comes back.
func TestErrors(t *testing.T) {
	server := redistest.Start(t)
	store := newStore(t, server)
	_, err := store.Exchange(ctx, bucket.Ask{Process: "a", Seq: 1, Limit: bucket.Daily(5, "")})
	require.ErrorContains(t, err, "Reset")
	require.ErrorContains(t, store.Create(ctx, bucket.Daily(5, "")), "Reset")
	server.Do("SET", "fairlead:{test}", "1")
	_, err = store.Exchange(ctx, bucket.Ask{Process: "a", Seq: 1})
	require.ErrorContains(t, err, "WRONGTYPE")
	_, err = goredis.New(nil, "{}")
	require.ErrorContains(t, err, "braces")
	_, err = goredis.New(nil, "a")
	require.EqualError(t, err, "redisbucket: the client is nil: pass what redis.NewClient returns")
}

// TestHints: a process is told of a hold, and again when it has connected again.
func TestHints(t *testing.T) {
	server := redistest.Start(t)
	store := newStore(t, server)
	ending, end := context.WithCancel(ctx)
	hints, ended := make(chan struct{}, 10), make(chan error)
	go func() { ended <- store.Hints(ending, func() { hints <- struct{}{} }) }()
	<-hints // subscribed

	_, err := store.Exchange(ctx, bucket.Ask{Process: "a", Seq: 1, Hold: time.Hour})
	require.NoError(t, err)
	<-hints

	server.Kill()
	server.Run()
	<-hints // subscribed again
	end()
	require.ErrorIs(t, <-ended, context.Canceled)
}
