//go:build unix

package pgbucket

import (
	"context"
	"fmt"
	"testing"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/storetest"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// TestDifferential: the database answers as bucket.Shared does.
func TestDifferential(t *testing.T) {
	t.Parallel()
	pool := timeless(t)
	for seed := range uint64(30) {
		s := newStore(t, pool, fmt.Sprint(seed))
		storetest.Differential(t, seed, 300, func(run string, now int64, a bucket.Ask) (bucket.Answer, error) {
			_, err := pool.Exec(context.Background(), `SELECT set_config('test.run', $1, false), set_config('test.now', $2, false)`, run, fmt.Sprint(now))
			require.NoError(t, err)
			return s.Exchange(context.Background(), a)
		})
	}
}

// timeless returns a pool of one connection to a database of its own, in which the test sets what the function
// takes for the clock and for the life of the server.
func timeless(t testing.TB) *pgxpool.Pool {
	pool := ownDatabase(t, "timeless", 1)
	require.NoError(t, newStore(t, pool, "any").Setup(t.Context()))
	_, err := pool.Exec(t.Context(), `
		CREATE OR REPLACE FUNCTION fairlead.now_v1() RETURNS bigint LANGUAGE sql AS 'SELECT current_setting(''test.now'')::bigint';
		CREATE OR REPLACE FUNCTION fairlead.run_v1() RETURNS text LANGUAGE sql AS 'SELECT current_setting(''test.run'')'`)
	require.NoError(t, err)
	return pool
}
