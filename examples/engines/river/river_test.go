//go:build unix

package river

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/pgbucket"
	"example.com/fairlead/examples/engines/call"
	"example.com/fairlead/examples/engines/internal/quota"
	"example.com/fairlead/examples/engines/internal/server"
	"example.com/fairlead/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for requests, on a machine that may be busy.
const patience = 5 * time.Minute

// fleet is two workers with one quota, and the jobs that wait for them.
type fleet struct {
	t        *testing.T
	api      *quota.API
	postgres string
	pool     *pgxpool.Pool
	clients  []*river.Client[pgx.Tx]
	closes   []func() // of their schedulers
}

// newFleet prepares a database and a full budget in it.
func newFleet(t *testing.T) *fleet {
	t.Parallel()
	f := &fleet{t: t, postgres: server.Postgres(t), api: quota.New(t)}
	f.pool = f.connect()
	migrator, err := rivermigrate.New(riverpgxv5.New(f.pool), nil)
	require.NoError(t, err)
	_, err = migrator.Migrate(context.Background(), rivermigrate.DirectionUp, nil)
	require.NoError(t, err)
	require.NoError(t, f.store(f.pool).Setup(context.Background()))
	require.NoError(t, f.store(f.pool).Create(context.Background(), quota.Limit))
	return f
}

func (f *fleet) connect() *pgxpool.Pool {
	pool, err := pgxpool.New(context.Background(), f.postgres)
	require.NoError(f.t, err)
	f.t.Cleanup(pool.Close)
	return pool
}

func (f *fleet) store(pool *pgxpool.Pool) *pgbucket.Store {
	store, err := pgbucket.New(pool, "api")
	require.NoError(f.t, err)
	return store
}

// insert inserts jobs, each with one attempt, so a job is lost if a wait counts as an attempt.
func (f *fleet) insert(from, n int, customer string) {
	jobs := make([]river.InsertManyParams, n)
	for i := range jobs {
		jobs[i] = river.InsertManyParams{Args: Args{f.api.URL(from + i), customer}, InsertOpts: &river.InsertOpts{MaxAttempts: 1}}
	}
	client, err := river.NewClient(riverpgxv5.New(f.pool), &river.Config{})
	require.NoError(f.t, err)
	_, err = client.InsertMany(context.Background(), jobs)
	require.NoError(f.t, err)
}

// work makes the call of a job.
type work func(context.Context, *river.Job[Args]) error

// waits returns the work of a Worker.
func waits(s *scheduler.Scheduler) work { return (&Worker{Scheduler: s}).Work }

// refuses returns the work of a worker that never waits, for comparison.
func refuses(s *scheduler.Scheduler) work {
	return func(ctx context.Context, job *river.Job[Args]) error {
		err := s.Do(ctx, func(ctx context.Context) error { return call.Post(ctx, job.Args.URL, "") }, scheduler.NoWait())
		if at, known := scheduler.RetryAt(err); known {
			return river.JobSnooze(max(0, at.Sub(s.Now())))
		}
		return err
	}
}

// shared returns the Configs of workers, with a limit for each customer.
func (f *fleet) shared(perCustomer bucket.Limit) func() scheduler.Config {
	return func() scheduler.Config { return Config(quota.Limit, f.store(f.connect()), perCustomer) }
}

// start starts two workers, as two processes would.
func (f *fleet) start(cfg func() scheduler.Config, with func(*scheduler.Scheduler) work) {
	for range 2 {
		pool := f.connect()
		s, err := scheduler.New(cfg())
		require.NoError(f.t, err)
		f.closes = append(f.closes, s.Close)
		do := with(s)
		client, err := Client(pool, river.WorkFunc(func(ctx context.Context, job *river.Job[Args]) error {
			f.api.Ran(job.Args.URL)
			return do(ctx, job)
		}))
		require.NoError(f.t, err)
		require.NoError(f.t, client.Start(context.Background()))
		f.clients = append(f.clients, client)
	}
}

// stop stops the workers, in one of two ways, and closes their schedulers.
func (f *fleet) stop(how func(*river.Client[pgx.Tx], context.Context) error) {
	var all sync.WaitGroup
	for _, c := range f.clients {
		all.Go(func() { require.NoError(f.t, how(c, context.Background())) })
	}
	all.Wait()
	for _, closes := range f.closes {
		closes()
	}
	f.clients, f.closes = nil, nil
}

// finish waits until all jobs have made their request and checks that River has ended none of them otherwise.
func (f *fleet) finish(jobs int) quota.Figures {
	f.api.Wait(jobs, patience)
	f.stop((*river.Client[pgx.Tx]).Stop)
	var completed, attempts, errors int
	f.query(`SELECT count(*) FILTER (WHERE state = 'completed'), max(attempt), count(errors) FROM river_job`, &completed, &attempts, &errors)
	figures := f.api.Figures()
	f.t.Logf("%v; %d snoozes", figures, f.snoozes())
	require.Equal(f.t, []int{jobs, 1, 0}, []int{completed, attempts, errors}, "jobs completed, their attempts, those with errors")
	return figures
}

// snoozes returns how often jobs were handed back.
func (f *fleet) snoozes() (n int) {
	f.query("SELECT coalesce(sum((metadata->>'snoozes')::int), 0) FROM river_job", &n)
	return n
}

// query queries one row.
func (f *fleet) query(sql string, to ...any) {
	require.NoError(f.t, f.pool.QueryRow(context.Background(), sql).Scan(to...))
}

// TestQuota: two workers use the whole quota, and each job runs once. A job waits in its slot for at most as long as
// 60 others take, and so its turn is displaced by no more.
func TestQuota(t *testing.T) {
	f := newFleet(t)
	f.insert(0, 200, "")
	f.start(f.shared(bucket.Unlimited), waits)
	f.finish(200).Check(t, int(longest.Seconds()*float64(quota.Limit.Refill)))
}

// TestHold: while the server refuses everything for four seconds, jobs are handed back, once each. Afterwards they use
// the quota again.
func TestHold(t *testing.T) {
	f := newFleet(t)
	f.api.Hold(40, 4*time.Second)
	f.insert(0, 100, "")
	f.start(f.shared(bucket.Unlimited), waits)
	f.finish(100).CheckHold(t, 5, 11*time.Second) // 8.75 s at best
}

// TestSlowKey: jobs of a customer with a limit of its own are handed back, so that others have the slots.
func TestSlowKey(t *testing.T) {
	f := newFleet(t)
	f.insert(0, 30, "slow")
	f.insert(30, 150, "")
	f.start(f.shared(bucket.PerSecond(2).Burst(1)), waits)
	f.finish(180)
	slow, others := f.api.Of(0, 30), f.api.Of(30, 150)
	t.Logf("slow: %v", slow)
	t.Logf("others: %v", others)
	require.Greater(t, slow.MostRuns, 1, "jobs were handed back")
	others.Check(t, 60)
}

// TestRestart: workers are stopped, and new ones go on. Jobs that wait keep their attempt, even if they are canceled.
func TestRestart(t *testing.T) {
	f := newFleet(t)
	f.insert(0, 120, "")
	f.start(f.shared(bucket.Unlimited), waits)
	f.api.Wait(40, patience)
	f.stop((*river.Client[pgx.Tx]).Stop)
	figures := f.api.Figures()
	require.Zero(t, figures.Twice)
	require.Equal(t, figures.Accepted, figures.Runs-f.snoozes(), "jobs that waited have finished")

	f.start(f.shared(bucket.Unlimited), waits)
	f.api.Wait(80, patience)
	f.stop((*river.Client[pgx.Tx]).StopAndCancel)

	f.start(f.shared(bucket.Unlimited), waits)
	figures = f.finish(120)
	require.LessOrEqual(t, figures.Twice, 2*slots, "requests that were under way")
	require.Greater(t, figures.Runs-f.snoozes(), figures.Accepted, "jobs that waited have ended, and ran again")
}

// TestNoWait measures workers that never wait, for comparison. Each has half of the quota for itself, since a shared
// budget has no token in stock for a call that does not wait.
func TestNoWait(t *testing.T) {
	f := newFleet(t)
	f.insert(0, 60, "")
	f.start(func() scheduler.Config { return Config(bucket.PerSecond(10).Burst(2), nil, bucket.Unlimited) }, refuses)
	require.Less(t, f.finish(60).Share, 0.8)
}

// TestFailure: a failed request is an attempt of River's, and made once.
func TestFailure(t *testing.T) {
	requests := 0
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer api.Close()
	s, err := scheduler.New(Config(quota.Limit, nil, bucket.Unlimited))
	require.NoError(t, err)
	defer s.Close()
	job := &river.Job[Args]{JobRow: &rivertype.JobRow{ID: 1}, Args: Args{URL: api.URL}}
	err = waits(s)(context.Background(), job)
	require.ErrorContains(t, err, "503")
	require.NotErrorAs(t, err, new(*river.JobSnoozeError))
	require.Equal(t, 1, requests)
}

// TestStoreAway: a job is handed back while PostgreSQL can't be asked for tokens.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(context.Background(), "host="+t.TempDir())
	require.NoError(t, err)
	defer pool.Close()
	store, err := pgbucket.New(pool, "api")
	require.NoError(t, err)
	s, err := scheduler.New(Config(quota.Limit, store, bucket.Unlimited))
	require.NoError(t, err)
	defer s.Close()
	err = waits(s)(context.Background(), &river.Job[Args]{JobRow: &rivertype.JobRow{ID: 1}})
	var snooze *river.JobSnoozeError
	require.ErrorAs(t, err, &snooze)
	require.Equal(t, longest, snooze.Duration)
}
