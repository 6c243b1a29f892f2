//go:build unix

package pgbucket

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/fairlead/bucket"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var faultLimit = bucket.PerSecond(500).Burst(20)

// underFaults lets four members share a budget while faults happen, and four schedulers another one. It checks that
// they have spent no token too many, and that they go on in the end.
func underFaults(t *testing.T, s *server, faults func(seconds func(float64))) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	require.NoError(t, newStore(t, s.pool(t, 1), "budget").Setup(ctx))
	var members []*member
	var all sync.WaitGroup
	fleet := newFleet(t, s, faultLimit)
	for i := range 4 {
		m := &member{name: fmt.Sprint(i), store: newStore(t, s.pool(t, 4), "budget"), limit: faultLimit, begin: fleet.begin}
		members = append(members, m)
		all.Go(func() { m.run(ctx) })
	}
	seconds := func(n float64) { time.Sleep(time.Duration(n * float64(time.Second))) }
	goOn := func(tokens int64) { // returns when members and schedulers have each spent so many more
		for m, c := spent(members)+tokens, fleet.count()+tokens; spent(members) < m || fleet.count() < c; {
			seconds(0.02)
		}
	}
	goOn(200)
	faults(seconds)
	goOn(600) // some of them may have tokens that were sold before
	end := members[0].now()
	cancel()
	all.Wait()
	calls := fleet.close()

	lost := 0
	for _, m := range members {
		lost += m.lost
	}
	t.Logf("members: %d tokens in %v, %d exchanges failed; schedulers: %d calls, at most rate · window + %.0f, and %.0f in all",
		spent(members), end, lost, len(calls), excess(calls, faultLimit), inAll(calls, faultLimit))
	assert.Zero(t, over(members, faultLimit))
	assert.LessOrEqual(t, inAll(calls, faultLimit), 0.0)
}

func TestKilledServer(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	underFaults(t, s, func(seconds func(float64)) {
		s.stop(syscall.SIGKILL)
		s.start(t)
	})
}

// TestShutDownAtOnce: an immediate shutdown does not write what is in memory.
func TestShutDownAtOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	underFaults(t, s, func(seconds func(float64)) {
		s.stop(syscall.SIGQUIT)
		s.start(t)
	})
}

// TestKilledBackend: a backend that crashes takes all others with it, and the server starts again by itself.
func TestKilledBackend(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	underFaults(t, s, func(seconds func(float64)) {
		for _, pid := range s.backends(t) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // the server ends the others
		}
		seconds(0.5)
	})
}

// TestStoppedBackends: backends that stop, also in the middle of an exchange, are not waited for.
func TestStoppedBackends(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	underFaults(t, s, func(seconds func(float64)) {
		for _, stop := range []float64{0.5, 0.5, 2.5} {
			pids := slices.DeleteFunc(s.backends(t), func(pid int) bool {
				return syscall.Kill(pid, syscall.SIGSTOP) != nil // its client has closed the connection
			})
			require.NotEmpty(t, pids)
			seconds(stop)
			for _, pid := range pids {
				_ = syscall.Kill(pid, syscall.SIGCONT) // it may have been about to end before it was stopped
			}
			seconds(0.5)
		}
	})
}

// TestRestoredFolder: the folder of the server is replaced by an older copy, as by a backup that is restored.
func TestRestoredFolder(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	underFaults(t, s, func(seconds func(float64)) {
		s.stop(syscall.SIGINT) // so that the copy has all tables
		s.run(t, "cp", "-a", s.data(), s.dir+"/copy")
		s.start(t)
		seconds(2.25 + 1)
		s.stop(syscall.SIGKILL)
		require.NoError(t, os.RemoveAll(s.data()))
		require.NoError(t, os.Rename(s.dir+"/copy", s.data()))
		s.start(t)
	})
}

// TestBadNetwork: a network delays and loses answers, and breaks connections.
func TestBadNetwork(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	underFaults(t, s, func(seconds func(float64)) {
		s.bad.Store(true)
		seconds(4)
		s.bad.Store(false)
	})
}

// TestFailover: the server ends, and a replica takes its place.
func TestFailover(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	r := s.replica(t)
	underFaults(t, s, func(seconds func(float64)) {
		const has = `SELECT to_regproc('fairlead.exchange_v1') IS NOT NULL`
		for there, pool := false, r.pool(t, 1); !there; { // what is replicated later is lost
			require.NoError(t, pool.QueryRow(t.Context(), has).Scan(&there))
			seconds(0.02)
		}
		s.stop(syscall.SIGKILL)
		r.run(t, "pg_ctl", "promote", "-w", "-D", r.data())
		s.next.Store(r)
	})
}

// backends returns the processes of the server that members are connected to.
func (s *server) backends(t testing.TB) (pids []int) {
	rows, err := s.pool(t, 1).Query(t.Context(), `SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`)
	require.NoError(t, err)
	pids, err = pgx.CollectRows(rows, pgx.RowTo[int])
	require.NoError(t, err)
	require.NotEmpty(t, pids)
	return pids
}
