package redisbucket_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/redisbucket"
	"example.com/fairlead/bucket/redisbucket/internal/redistest"
)

var ctx = context.Background()

func newStore(t testing.TB, server *redistest.Server) *redisbucket.Store {
	store, err := redisbucket.New(redistest.Client(t, server.Addr), "test")
	require.NoError(t, err)
	return store
}

// ask returns the answer to an ask.
func ask(t testing.TB, store bucket.Store, a bucket.Ask) bucket.Answer {
	t.Helper()
	answer, err := store.Exchange(ctx, a)
	require.NoError(t, err)
	return answer
}

// TestCreate: a budget that an operator makes is full and sells at once, and a budget is never made twice.
func TestCreate(t *testing.T) {
	server := redistest.Start(t)
	store := newStore(t, server)
	limit := bucket.PerSecond(1).Burst(10)
	require.NoError(t, store.Create(ctx, limit))
	require.ErrorIs(t, store.Create(ctx, limit), bucket.ErrExists)
	a := ask(t, store, bucket.Ask{Process: "a", Seq: 1, Want: 8, Limit: limit})
	require.EqualValues(t, 8, a.Tokens)
	require.EqualValues(t, 10, a.Level)
	require.Zero(t, a.Learning)

	server.Do("SCRIPT", "FLUSH")
	require.Equal(t, a, ask(t, store, bucket.Ask{Process: "a", Seq: 1, Want: 8, Limit: limit}))
	b := ask(t, store, bucket.Ask{Process: "b", Seq: 1, Want: 8, Limit: bucket.PerSecond(5), Version: 2})
	require.EqualValues(t, 5, b.Capacity)
	require.ErrorIs(t, store.Create(ctx, limit), bucket.ErrExists, "also when its limit was changed")
}

// TestErrors: what is not valid does not reach Redis, and what Redis says comes back.
func TestErrors(t *testing.T) {
	server := redistest.Start(t)
	store := newStore(t, server)
	for text, a := range map[string]bucket.Ask{
		"Reset":                  {Process: "a", Seq: 1, Limit: bucket.Daily(5, "")},
		"a Process needs a name": {Seq: 1},
		"Seq 0":                  {Process: "a"},
	} {
		_, err := store.Exchange(ctx, a)
		require.ErrorContains(t, err, text)
	}
	require.ErrorContains(t, store.Create(ctx, bucket.Daily(5, "")), "Reset")
	require.Equal(t, "0", server.Do("DBSIZE"))
	server.Do("SET", "fairlead:{test}", "1")
	_, err := store.Exchange(ctx, bucket.Ask{Process: "a", Seq: 1})
	require.ErrorContains(t, err, "WRONGTYPE")
	for _, name := range []string{"", "}", "a{b"} {
		_, err = redisbucket.New(nil, name)
		require.ErrorContains(t, err, "name is")
	}
	_, err = redisbucket.New(nil, "a")
	require.EqualError(t, err, "redisbucket: the client is nil: pass what rueidis.NewClient returns")
}

// TestHints: each process is told when a hold begins, when the limit changes, and when it has connected again.
func TestHints(t *testing.T) {
	server := redistest.Start(t)
	store := newStore(t, server)
	ending, end := context.WithCancel(ctx)
	hints, ended := make(chan struct{}, 10), make(chan error)
	listener := newStore(t, server)
	go func() { ended <- listener.Hints(ending, func() { hints <- struct{}{} }) }()
	<-hints // subscribed

	for i, a := range []bucket.Ask{
		{Limit: bucket.PerSecond(1)},
		{Limit: bucket.PerSecond(1), Hold: time.Hour},
		{Limit: bucket.PerSecond(1), Hold: 2 * time.Hour}, // held already
		{Limit: bucket.PerSecond(2), Version: 2},
		{Limit: bucket.PerSecond(2), Version: 2},
	} {
		a.Process, a.Seq = "a", uint64(i+1)
		ask(t, store, a)
		if i == 1 || i == 3 {
			<-hints
		}
	}
	require.Empty(t, hints)

	server.Kill()
	server.Run()
	<-hints // subscribed again
	end()
	require.ErrorIs(t, <-ended, context.Canceled)
}

// TestHintsEnd: Hints returns when it can't go on.
func TestHintsEnd(t *testing.T) {
	server := redistest.Start(t)
	server.Do("ACL", "SETUSER", "default", "resetchannels")
	var refused *rueidis.RedisError
	require.ErrorAs(t, newStore(t, server).Hints(ctx, func() {}), &refused)
	require.Contains(t, refused.Error(), "NOPERM")

	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr}})
	require.NoError(t, err)
	store, err := redisbucket.New(client, "test")
	require.NoError(t, err)
	client.Close()
	require.ErrorIs(t, store.Hints(ctx, func() {}), rueidis.ErrClosing)
}

// TestPermissions: the permissions that the package's documentation lists are enough.
func TestPermissions(t *testing.T) {
	server := redistest.Start(t)
	server.Do("ACL", "SETUSER", "limiter", "on", ">secret", "~fairlead:{*", "&fairlead:{*",
		"+evalsha", "+eval", "+time", "+info", "+exists", "+del", "+hmget", "+hset", "+hdel", "+zcard", "+zcount", "+zrangebyscore", "+zremrangebyscore",
		"+zadd", "+publish", "+subscribe")
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{server.Addr}, Username: "limiter", Password: "secret", DisableCache: true, ForceSingleClient: true,
	})
	require.NoError(t, err)
	defer client.Close()
	store, err := redisbucket.New(client, "test")
	require.NoError(t, err)
	limit := bucket.PerSecond(1).Burst(10)
	require.NoError(t, store.Create(ctx, limit))
	ending, end := context.WithCancel(ctx)
	hints, ended := make(chan struct{}, 10), make(chan error)
	go func() { ended <- store.Hints(ending, func() { hints <- struct{}{} }) }()
	<-hints
	ask(t, store, bucket.Ask{Process: "a", Seq: 1, Want: 1, Limit: limit})
	ask(t, store, bucket.Ask{Process: "a", Seq: 2, Hold: time.Hour, Limit: limit})
	<-hints
	ask(t, store, bucket.Ask{Process: "a", Seq: 3, Leave: true, Limit: limit})
	end()
	require.ErrorIs(t, <-ended, context.Canceled)

	server.Do("ACL", "SETUSER", "limiter", "-info")
	_, err = store.Exchange(ctx, bucket.Ask{Process: "a", Seq: 4, Limit: limit})
	require.ErrorContains(t, err, "command")
}
