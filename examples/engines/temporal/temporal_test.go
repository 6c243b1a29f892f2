//go:build temporal && unix

package temporal

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/server/temporaltest"

	"example.com/fairlead/bucket/redisbucket"
	"example.com/fairlead/examples/engines/internal/quota"
	"example.com/fairlead/examples/engines/internal/server"
	"example.com/fairlead/scheduler"
)

// There is no goleak here, since Temporal's server leaves goroutines behind when it is stopped.

// slots is how many activities a worker runs at a time.
const slots = 12

// counted counts the runs of activities.
type counted struct {
	Activities
	api *quota.API
}

// Call implements the activity of a Job.
func (c *counted) Call(ctx context.Context, url string) error {
	c.api.Ran(url)
	return c.Activities.Call(ctx, url)
}

// run runs jobs on two workers, and returns the figures when all are done.
func run(t *testing.T, api *quota.API, jobs int) quota.Figures {
	ctx, redis := context.Background(), server.Redis(t)
	ts := temporaltest.NewServer(temporaltest.WithT(t), temporaltest.WithBaseClientOptions(client.Options{Logger: silent{}}))
	ts.NewWorker("jobs", func(r worker.Registry) { r.RegisterWorkflow(Job) })
	for i := range 2 {
		conn, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{redis}, DisableCache: true})
		require.NoError(t, err)
		t.Cleanup(conn.Close)
		store, err := redisbucket.New(conn, "api")
		require.NoError(t, err)
		if i == 0 {
			require.NoError(t, store.Create(ctx, quota.Limit))
		}
		s, err := scheduler.New(Config(quota.Limit, store))
		require.NoError(t, err)
		t.Cleanup(s.Close)
		c := &counted{Activities{s}, api}
		ts.NewWorkerWithOptions(Queue, func(r worker.Registry) {
			r.RegisterActivityWithOptions(c.Call, activity.RegisterOptions{Name: "Call"})
		}, worker.Options{MaxConcurrentActivityExecutionSize: slots})
	}
	runs := make([]client.WorkflowRun, jobs)
	for job := range runs {
		var err error
		runs[job], err = ts.GetDefaultClient().ExecuteWorkflow(ctx, client.StartWorkflowOptions{
			TaskQueue: "jobs", ID: fmt.Sprint("job-", job),
		}, Job, api.URL(job))
		require.NoError(t, err)
	}
	api.Wait(jobs, 2*time.Minute)
	for _, r := range runs {
		require.NoError(t, r.Get(ctx, nil))
	}
	f := api.Figures()
	t.Log(f)
	return f
}

// silent is a logger that drops all.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}

// TestQuota: two workers use the whole quota, and each activity runs once. Temporal keeps no order: a task queue has four
// partitions, and workflows that start together reach them in any order. So the places are not checked.
func TestQuota(t *testing.T) {
	run(t, quota.New(t), 200).Check(t, 200)
}

// TestHold: while the server refuses everything for three seconds, activities are handed back.
func TestHold(t *testing.T) {
	api := quota.New(t)
	api.Hold(40, 3*time.Second)
	f := run(t, api, 100)
	require.Greater(t, f.Runs, 120, "activities were handed back")
	require.LessOrEqual(t, f.MostRuns, 3)
	require.Zero(t, f.Twice)
	require.LessOrEqual(t, f.Refused, 5, "others learn of the hold")
	require.Less(t, f.Took, 12*time.Second, "7.75 s at best")
}
