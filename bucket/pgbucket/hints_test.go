//go:build unix

package pgbucket

import (
	"context"
	"sync"
	"testing"
	"time"

	"example.com/fairlead/bucket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestHints: a process hears that a hold has begun or that the limit has changed, and when it listens again
// after its connection broke. It does not hear of other budgets.
func TestHints(t *testing.T) {
	pool := sharedServer(t).pool(t, 3)
	s := newStore(t, pool, t.Name())
	hints := make(chan struct{}, 100)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var listening sync.WaitGroup
	listening.Go(func() { assert.ErrorIs(t, s.Hints(ctx, func() { hints <- struct{}{} }), context.Canceled) })
	<-hints // it listens

	seq := uint64(0)
	quiet := func(s *Store, change func(*bucket.Ask)) {
		seq++
		ask := bucket.Ask{Process: "a", Seq: seq, Limit: slow, Version: 1}
		change(&ask)
		_, err := s.Exchange(t.Context(), ask)
		require.NoError(t, err)
	}
	loud := func(change func(*bucket.Ask)) {
		quiet(s, change)
		<-hints
	}
	quiet(s, func(*bucket.Ask) {})
	quiet(newStore(t, pool, "another"), func(a *bucket.Ask) { a.Hold = time.Hour })
	loud(func(a *bucket.Ask) { a.Hold = time.Minute })
	quiet(s, func(a *bucket.Ask) { a.Hold = time.Hour }) // it goes on
	loud(func(a *bucket.Ask) { a.Limit, a.Version = bucket.PerSecond(10), 2 })
	require.Empty(t, hints)

	_, err := pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN fairlead'`)
	require.NoError(t, err)
	<-hints
	cancel()
	listening.Wait()
}
