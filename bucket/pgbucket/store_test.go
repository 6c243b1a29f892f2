//go:build unix

package pgbucket

import (
	"sync"
	"testing"
	"time"

	"example.com/fairlead/bucket"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newStore(t testing.TB, pool *pgxpool.Pool, name string) *Store {
	s, err := New(pool, name)
	require.NoError(t, err)
	return s
}

// TestExchange: a new budget learns, and then sells.
func TestExchange(t *testing.T) {
	t.Parallel()
	s := newStore(t, sharedServer(t).pool(t, 2), t.Name())
	ask := bucket.Ask{Process: "a", Seq: 1, Want: 5, Limit: bucket.PerSecond(10), Version: 1}
	first, err := s.Exchange(t.Context(), ask)
	require.NoError(t, err)
	assert.Zero(t, first.Tokens)
	assert.Equal(t, bucket.LearnTime, first.Learning)
	again, err := s.Exchange(t.Context(), ask)
	require.NoError(t, err)
	assert.Equal(t, first, again, "the same ask gets the same answer")

	time.Sleep(bucket.LearnTime)
	ask.Seq, ask.Epoch = 2, first.Epoch
	sold, err := s.Exchange(t.Context(), ask)
	require.NoError(t, err)
	assert.EqualValues(t, 5, sold.Tokens)
	assert.Equal(t, first.Epoch, sold.Epoch)
}

// TestRole: a role that does not own the schema needs no more than the documented rights.
func TestRole(t *testing.T) {
	s := sharedServer(t)
	_, err := s.pool(t, 1).Exec(t.Context(), `CREATE ROLE program LOGIN; GRANT USAGE ON SCHEMA fairlead TO program;
		GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA fairlead TO program`)
	require.NoError(t, err)
	config, err := pgxpool.ParseConfig(s.address())
	require.NoError(t, err)
	config.ConnConfig.User = "program"
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	defer pool.Close()
	store := newStore(t, pool, t.Name())
	require.NoError(t, store.Setup(t.Context()))
	require.NoError(t, store.Create(t.Context(), bucket.PerSecond(10)))
	sold, err := store.Exchange(t.Context(), bucket.Ask{Process: "a", Seq: 1, Want: 3, Hold: time.Second, Limit: bucket.PerSecond(10)})
	require.NoError(t, err)
	assert.EqualValues(t, 10, sold.Capacity)
}

// TestSetupTogether: processes that start at the same time may all make the schema.
func TestSetupTogether(t *testing.T) {
	pool := ownDatabase(t, "together", 8)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { assert.NoError(t, newStore(t, pool, "any").Setup(t.Context())) })
	}
	all.Wait()
}
