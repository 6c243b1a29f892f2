//go:build unix

package asynq

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/redisbucket/goredis"
	"example.com/fairlead/examples/engines/internal/quota"
	"example.com/fairlead/examples/engines/internal/server"
	"example.com/fairlead/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// slots is how many tasks a worker runs at a time.
const slots = 16

// patience is how long a test waits for requests, on a machine that may be busy.
const patience = 5 * time.Minute

// fleet is two workers with one quota, and the tasks that wait for them.
type fleet struct {
	t       *testing.T
	api     *quota.API
	redis   *redis.Client
	servers []*asynq.Server
	ends    chan error // of runs
}

// newFleet starts Redis and makes a full budget in it.
func newFleet(t *testing.T) *fleet {
	t.Parallel()
	f := &fleet{t: t, redis: redis.NewClient(&redis.Options{Addr: server.Redis(t)}), api: quota.New(t), ends: make(chan error, 1000)}
	t.Cleanup(func() { f.redis.Close() })
	require.NoError(t, f.store().Create(context.Background(), quota.Limit))
	return f
}

func (f *fleet) store() *goredis.Store {
	store, err := goredis.New(f.redis, "api")
	require.NoError(f.t, err)
	return store
}

// enqueue adds tasks.
func (f *fleet) enqueue(from, n int, customer string, opts ...asynq.Option) {
	client := asynq.NewClientFromRedisClient(f.redis)
	for job := range n {
		_, err := client.Enqueue(Task(Args{f.api.URL(from + job), customer}), opts...)
		require.NoError(f.t, err)
	}
}

// start starts two workers, as two processes would.
func (f *fleet) start(perCustomer bucket.Limit, changes ...func(*scheduler.Scheduler, *asynq.Config)) {
	for range 2 {
		s, err := scheduler.New(Config(quota.Limit, f.store(), perCustomer))
		require.NoError(f.t, err)
		f.t.Cleanup(s.Close)
		h, cfg := &Handler{s}, Server(slots)
		cfg.LogLevel, cfg.ShutdownTimeout = asynq.FatalLevel, time.Minute // longer than any task takes
		for _, change := range changes {
			change(s, &cfg)
		}
		w := asynq.NewServerFromRedisClient(f.redis, cfg)
		require.NoError(f.t, w.Start(asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
			var args Args
			require.NoError(f.t, json.Unmarshal(t.Payload(), &args))
			f.api.Ran(args.URL)
			err := h.ProcessTask(ctx, t)
			f.ends <- err
			return err
		})))
		f.servers = append(f.servers, w)
		f.t.Cleanup(w.Shutdown)
	}
}

// finish waits until all tasks have made their request and checks that asynq has ended none of them otherwise.
func (f *fleet) finish(tasks int) quota.Figures {
	f.api.Wait(tasks, patience)
	q := f.shutdown()
	require.Equal(f.t, []int{0, 0, tasks}, []int{q.Size, q.FailedTotal, q.ProcessedTotal}, "tasks that are left or archived, that have failed, that are done")
	figures := f.api.Figures()
	f.t.Log(figures)
	return figures
}

// shutdown stops the workers once their tasks have ended, and returns what is left.
func (f *fleet) shutdown() *asynq.QueueInfo {
	for _, w := range f.servers {
		w.Shutdown()
	}
	q, err := asynq.NewInspectorFromRedisClient(f.redis).GetQueueInfo("default")
	require.NoError(f.t, err)
	return q
}

// TestQuota: two workers use the whole quota, and each task runs once.
func TestQuota(t *testing.T) {
	f := newFleet(t)
	f.enqueue(0, 200, "")
	f.start(bucket.Unlimited)
	f.finish(200).Check(t, 2*slots)
}

// TestHold: while the server refuses everything for six seconds, tasks are handed back.
func TestHold(t *testing.T) {
	f := newFleet(t)
	f.api.Hold(40, 6*time.Second)
	f.enqueue(0, 100, "")
	f.start(bucket.Unlimited)
	f.finish(100).CheckHold(t, 20, 14*time.Second) // 5 s of the quota and the hold are 11 s
}

// TestSlowKey: tasks of a customer with a limit of its own are handed back, so that others have the slots.
func TestSlowKey(t *testing.T) {
	f := newFleet(t)
	f.enqueue(0, 60, "slow") // more than all slots
	f.enqueue(60, 60, "")
	begin := time.Now()
	f.start(bucket.Per(1, 10*time.Second).Burst(1)) // in each worker, so 60 take five minutes
	for n := 60; f.api.Of(60, 60).Accepted < 60; n++ {
		f.api.Wait(n, patience)
	}
	took, slow := time.Since(begin), f.api.Of(0, 60).Accepted
	q, all, others := f.shutdown(), f.api.Figures(), f.api.Of(60, 60)
	t.Logf("others: done after %.1f s, %v", took.Seconds(), others)
	t.Logf("all: %v", all)
	require.Less(t, slow, 60-2*slots, "slow ones before, if they take all slots")
	if quota.Targets() {
		require.Less(t, took, 12*time.Second, "3 s of the quota")
	}
	require.Zero(t, all.Twice)
	require.Equal(t, []int{0, 0, 120}, []int{q.Archived, q.FailedTotal, q.ProcessedTotal + q.Size})
}

// TestMaxRetry: a task that waits long is archived if asynq counts its retries and none is left, although it has not
// failed.
func TestMaxRetry(t *testing.T) {
	f := newFleet(t)
	f.enqueue(0, 20, "")
	f.enqueue(20, 20, "", asynq.MaxRetry(0))
	f.start(bucket.Unlimited, func(s *scheduler.Scheduler, _ *asynq.Config) {
		require.NoError(t, s.PauseUntil(s.Now().Add(time.Hour)))
	})
	for range 40 {
		require.ErrorAs(t, <-f.ends, new(*later))
	}
	q := f.shutdown()
	require.Equal(t, []int{20, 20}, []int{q.Retry, q.Archived})
}

// TestFailure: a task whose call fails is archived after its retries.
func TestFailure(t *testing.T) {
	f := newFleet(t)
	_, err := asynq.NewClientFromRedisClient(f.redis).Enqueue(Task(Args{"http://127.0.0.1:0/jobs/0", ""}))
	require.NoError(t, err)
	f.start(bucket.Unlimited, func(_ *scheduler.Scheduler, c *asynq.Config) {
		c.RetryDelayFunc = func(int, error, *asynq.Task) time.Duration { return 0 } // hours otherwise
		c.DelayedTaskCheckInterval = 100 * time.Millisecond
	})
	for range 1 + retries {
		require.Error(t, <-f.ends)
	}
	require.Equal(t, 1, f.shutdown().Archived)
}
