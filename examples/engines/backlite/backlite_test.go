//go:build unix

package backlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/mikestefanello/backlite"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"example.com/fairlead/bucket"
	"example.com/fairlead/examples/engines/internal/quota"
	"example.com/fairlead/scheduler"
)

// TestMain looks for leaks. A client that is stopped while all of its slots are taken may leave a goroutine.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/mikestefanello/backlite.(*dispatcher).fetcher"))
}

// slots is how many tasks run at a time.
const slots = 32

// patience is how long a test waits for requests, on a machine that may be busy.
const patience = 5 * time.Minute

// releaseAfter is longer than any task takes.
const releaseAfter = time.Minute

// office is a process and its database.
type office struct {
	t         *testing.T
	api       *quota.API
	db        *sql.DB
	scheduler *scheduler.Scheduler
	runs      chan Call
	hang      bool // whether tasks of the next client run until it has died
}

func newOffice(t *testing.T, perCustomer bucket.Limit) *office {
	t.Parallel()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "calls.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)") // the machine does not fail
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	s, err := scheduler.New(Config(quota.Limit, perCustomer))
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return &office{t: t, api: quota.New(t), db: db, scheduler: s, runs: make(chan Call, 1000)}
}

// counted is a queue that counts the runs of tasks.
type counted struct {
	backlite.Queue
	office *office
	hang   bool // runs last until the process has died
}

func (c counted) Process(ctx context.Context, payload []byte) error {
	var t Call
	if err := json.Unmarshal(payload, &t); err != nil {
		return err
	}
	c.office.api.Ran(t.URL)
	c.office.runs <- t
	if c.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return c.Queue.Process(ctx, payload)
}

// client returns a client of the database.
func (o *office) client(releaseAfter time.Duration) *backlite.Client {
	c, err := New(o.db, counted{Queue(o.scheduler), o, o.hang}, slots, releaseAfter)
	require.NoError(o.t, err)
	return c
}

func (o *office) add(c *backlite.Client, from, n int, customer string) {
	calls := make([]Call, n)
	for i := range calls {
		job := from + i
		calls[i] = Call{"call-" + strconv.Itoa(job), o.api.URL(job), customer}
	}
	require.NoError(o.t, Add(c, time.Now(), calls...))
}

// stop stops a client and returns how many tasks are left, and how many have failed for good. Stop may not notice that
// those in the slots have ended. So stop waits until each task has made its request, is left, or has failed.
func (o *office) stop(c *backlite.Client, tasks int) (left, failed int) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*longest)
	defer cancel()
	c.Stop(ctx)
	for range 6000 {
		require.NoError(o.t, o.db.QueryRow("SELECT (SELECT count(*) FROM backlite_tasks), (SELECT count(*) FROM backlite_tasks_completed)").Scan(&left, &failed))
		if o.api.Figures().Accepted+left+failed == tasks {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return left, failed
}

// finish runs tasks until all have made their request.
func (o *office) finish(c *backlite.Client, tasks int) quota.Figures {
	c.Start(context.Background())
	o.api.Wait(tasks, patience)
	left, failed := o.stop(c, tasks)
	require.Equal(o.t, []int{0, 0}, []int{left, failed}, "tasks that are left, that have failed")
	figures := o.api.Figures()
	o.t.Log(figures)
	return figures
}

// TestQuota: tasks use the whole quota, and each runs once.
func TestQuota(t *testing.T) {
	o := newOffice(t, bucket.Unlimited)
	c := o.client(releaseAfter)
	o.add(c, 0, 200, "")
	o.finish(c, 200).Check(t, 2*slots)
}

// TestHold: while the server refuses everything for three seconds, tasks are handed back.
func TestHold(t *testing.T) {
	o := newOffice(t, bucket.Unlimited)
	o.api.Hold(40, 3*time.Second)
	c := o.client(releaseAfter)
	o.add(c, 0, 100, "")
	o.finish(c, 100).CheckHold(t, 20, 11*time.Second) // 5 s of the quota and the hold are 8 s
}

// TestSlowKey: tasks of a customer with a limit of its own are handed back, so that others have the slots.
func TestSlowKey(t *testing.T) {
	o := newOffice(t, bucket.Per(1, 5*time.Second).Burst(1)) // 60 take five minutes
	c := o.client(releaseAfter)
	o.add(c, 0, 60, "slow") // more than all slots
	o.add(c, 60, 60, "")
	begin := time.Now()
	c.Start(context.Background())
	for n := 60; o.api.Of(60, 60).Accepted < 60; n++ {
		o.api.Wait(n, patience)
	}
	took, slow := time.Since(begin), o.api.Of(0, 60).Accepted
	left, failed := o.stop(c, 120)
	all := o.api.Figures()
	t.Logf("others: done after %.1f s, %v", took.Seconds(), o.api.Of(60, 60))
	t.Logf("all: %v", all)
	require.Less(t, slow, 60-slots, "slow ones before, if they take all slots")
	if quota.Targets() {
		require.Less(t, took, 12*time.Second, "3 s of the quota")
	}
	require.Zero(t, all.Twice)
	require.Equal(t, []int{120, 0}, []int{all.Accepted + left, failed})
}

// TestDeath: tasks of a process that has died are run by the next one, but only if it looks for them.
func TestDeath(t *testing.T) {
	o := newOffice(t, bucket.Unlimited)
	o.hang = true
	first := o.client(releaseAfter)
	o.add(first, 0, 5, "")
	alive, die := context.WithCancel(context.Background())
	first.Start(alive)
	for range 5 {
		<-o.runs
	}
	die() // nothing reaches the database after it

	o.hang = false
	const released = 10 * time.Second
	second := o.client(released)
	second.Start(context.Background())
	<-time.After(released)
	require.Zero(t, o.api.Figures().Accepted)
	watching, stop := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() { Watch(watching, second, 100*time.Millisecond) })
	o.api.Wait(5, patience)
	stop()
	watch.Wait()
	left, failed := o.stop(second, 5)
	require.Equal(t, []int{0, 0}, []int{left, failed})
	require.Equal(t, 10, o.api.Figures().Runs)
}

// TestFailure: a call that fails is an attempt of backlite's, and is kept after the last.
func TestFailure(t *testing.T) {
	o := newOffice(t, bucket.Unlimited)
	api := httptest.NewServer(http.NotFoundHandler())
	defer api.Close()
	c := o.client(releaseAfter)
	require.NoError(t, Add(c, time.Now(), Call{"call-0", api.URL + "/jobs/0", ""}))
	attempts := Call{}.Config().MaxAttempts
	_, err := o.db.Exec("UPDATE backlite_tasks SET attempts = ?", attempts-2) // each takes 5 s
	require.NoError(t, err)
	c.Start(context.Background())
	<-o.runs
	<-o.runs
	left, failed := o.stop(c, 1)
	require.Equal(t, []int{0, 1}, []int{left, failed})
}
