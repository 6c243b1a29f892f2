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
			_, err := pool.Exec(context.Background(), `UPDATE fairlead.test SET run = $1, now = $2 WHERE id = 1`, run, now)
			require.NoError(t, err)
			return s.Exchange(context.Background(), a)
		})
	}
}

// timeless returns a pool to a database of its own, with a table in which the test sets what the function takes for the
// clock and for the life of the server. Settings of a session would not do, since a busy machine may need another connection.
func timeless(t testing.TB) *pgxpool.Pool {
	pool := ownDatabase(t, "timeless", 1)
	require.NoError(t, newStore(t, pool, "any").Setup(t.Context()))
	_, err := pool.Exec(t.Context(), `
		CREATE TABLE fairlead.test (id int PRIMARY KEY, run text, now bigint);
		INSERT INTO fairlead.test VALUES (1, '', 0);
		CREATE OR REPLACE FUNCTION fairlead.now_v1() RETURNS bigint LANGUAGE sql AS 'SELECT now FROM fairlead.test WHERE id = 1';
		CREATE OR REPLACE FUNCTION fairlead.run_v1() RETURNS text LANGUAGE sql AS 'SELECT run FROM fairlead.test WHERE id = 1'`)
	require.NoError(t, err)
	return pool
}
