//go:build unix

package pgbucket

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/fairlead/bucket"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// slow is a limit with tokens enough, of which none comes back during a test.
var slow = bucket.Limit{Capacity: 10_000, Refill: 1, Per: 24 * time.Hour}

// TestConcurrentExchanges: eight connections sell each token once, whatever the isolation of transactions is by default.
func TestConcurrentExchanges(t *testing.T) {
	for _, isolation := range []string{"read committed", "repeatable read", "serializable"} {
		t.Run(isolation, func(t *testing.T) {
			config, err := pgxpool.ParseConfig(sharedServer(t).address())
			require.NoError(t, err)
			config.MaxConns = 8
			config.ConnConfig.RuntimeParams["default_transaction_isolation"] = isolation
			pool, err := pgxpool.NewWithConfig(t.Context(), config)
			require.NoError(t, err)
			defer pool.Close()
			s := newStore(t, pool, t.Name())
			require.NoError(t, s.Create(t.Context(), slow))

			var mu sync.Mutex
			var answers []bucket.Answer
			var all sync.WaitGroup
			for process := range 8 {
				all.Go(func() {
					for seq := range uint64(100) {
						ask := bucket.Ask{Process: fmt.Sprint(process), Seq: seq + 1, Want: 1 + rand.Int64N(9), Limit: slow}
						a, err := s.Exchange(t.Context(), ask)
						for code(err) == "55P03" { // a busy machine was too slow for lock_timeout
							a, err = s.Exchange(t.Context(), ask)
						}
						if !assert.NoError(t, err) {
							return
						}
						mu.Lock()
						answers = append(answers, a)
						mu.Unlock()
					}
				})
			}
			all.Wait()
			soldOnce(t, answers)
		})
	}
}

// soldOnce checks that answers sell the tokens of a full budget in turn.
func soldOnce(t *testing.T, answers []bucket.Answer) {
	slices.SortFunc(answers, func(a, b bucket.Answer) int { return cmp.Compare(b.Level, a.Level) })
	level := slow.Capacity
	for _, a := range answers {
		require.Equal(t, level, a.Level)
		require.Positive(t, a.Tokens)
		level -= a.Tokens
	}
}

// TestLostAnswers: connections break after the database has answered and before the client gets it. The client sends
// the same ask again, so each token is sold once and none is lost.
func TestLostAnswers(t *testing.T) {
	server := sharedServer(t)
	pool := server.pool(t, 4)
	s := newStore(t, pool, t.Name())
	require.NoError(t, s.Create(t.Context(), slow))

	server.bad.Store(true)
	defer server.bad.Store(false)
	var answers []bucket.Answer
	lost := 0
	for seq := uint64(1); seq <= 30 || lost <= 5; {
		a, err := s.Exchange(t.Context(), bucket.Ask{Process: "a", Seq: seq, Want: 1, Limit: slow})
		if err != nil {
			lost++
			continue
		}
		answers = append(answers, a)
		seq++
	}
	t.Logf("%d answers were lost", lost)
	soldOnce(t, answers)
	for _, a := range answers {
		require.EqualValues(t, 1, a.Tokens)
	}
}

// TestPoolIsLent: calls that hold all connections of the pool while they wait for tokens do not keep the store from
// buying them.
func TestPoolIsLent(t *testing.T) {
	pool := sharedServer(t).pool(t, 1)
	s := newStore(t, pool, t.Name())
	c, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer c.Release()
	_, err = s.Exchange(t.Context(), bucket.Ask{Process: "a", Seq: 1, Limit: slow})
	require.NoError(t, err)
}

// TestStuckLock: an exchange does not wait for long for one that is stuck, even if its client is gone.
func TestStuckLock(t *testing.T) {
	pool := sharedServer(t).pool(t, 2)
	s := newStore(t, pool, t.Name())
	require.NoError(t, s.Create(t.Context(), slow))
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback(context.Background())) }()
	_, err = tx.Exec(t.Context(), `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, "fairlead."+s.name)
	require.NoError(t, err)
	patient, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = s.Exchange(patient, bucket.Ask{Process: "a", Seq: 1, Limit: slow})
	require.ErrorContains(t, err, "lock timeout")
}

// TestNoSchema: the error names the remedy.
func TestNoSchema(t *testing.T) {
	config, err := pgxpool.ParseConfig(sharedServer(t).address())
	require.NoError(t, err)
	config.ConnConfig.Database = "template1"
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	defer pool.Close()
	_, err = newStore(t, pool, "any").Exchange(t.Context(), bucket.Ask{Process: "a", Seq: 1, Limit: slow})
	require.ErrorContains(t, err, "which Setup makes")
}

// TestLongTransaction: a transaction that keeps all old versions of rows does not make exchanges read them.
func TestLongTransaction(t *testing.T) {
	pool := ownDatabase(t, "long", 2) // other tests' exchanges are not counted
	require.NoError(t, newStore(t, pool, "any").Setup(t.Context()))
	tx, err := pool.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback(context.Background())) }()
	_, err = tx.Exec(t.Context(), `SELECT FROM fairlead.budgets`)
	require.NoError(t, err)

	read := func() (n int) { // how many entries of indexes were read so far
		_, err := pool.Exec(t.Context(), `SELECT pg_stat_force_next_flush()`)
		require.NoError(t, err)
		const sum = `SELECT sum(idx_tup_read)::int FROM pg_stat_user_indexes WHERE schemaname = 'fairlead'`
		require.NoError(t, pool.QueryRow(t.Context(), sum).Scan(&n))
		return n
	}
	s, before := newStore(t, pool, t.Name()), read()
	for seq := range uint64(1000) {
		_, err := s.Exchange(t.Context(), bucket.Ask{Process: "a", Seq: seq + 1, Limit: slow})
		require.NoError(t, err)
	}
	entries := read() - before
	t.Logf("%d entries of indexes were read for 1000 exchanges", entries)
	require.Greater(t, entries, 1000)
	require.Less(t, entries, 10_000)
}
