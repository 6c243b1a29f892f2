//go:build unix

package pgbucket

import (
	"context"
	"flag"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(run{m}) }

// run runs the tests and the examples with a server.
type run struct{ *testing.M }

func (r run) Run() int {
	if program("postgres") == "" {
		require.NoError(r, flag.Set("test.skip", "^Example"))
		return r.M.Run()
	}
	require.NoError(r, flag.Set("test.parallel", "8")) // they wait, most of the time
	shared = &server{dir: folder(r)}
	shared.initdb(r)
	shared.start(r)
	require.NoError(r, os.Setenv("DATABASE_URL", shared.address()))
	pool, err := pgxpool.New(context.Background(), shared.address())
	require.NoError(r, err)
	s, err := New(pool, "any")
	require.NoError(r, err)
	require.NoError(r, s.Setup(context.Background()))
	pool.Close()
	code := r.M.Run()
	shared.stop(syscall.SIGQUIT)
	require.NoError(r, os.RemoveAll(shared.dir))
	return code
}

// Errorf and FailNow fail before or after the tests.
func (run) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (run) FailNow()                          { os.Exit(1) }
