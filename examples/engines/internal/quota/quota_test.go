package quota

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/examples/engines/call"
	"example.com/fairlead/retry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFigures checks the figures of requests that were made by hand.
func TestFigures(t *testing.T) {
	a, ctx, began := New(t), context.Background(), time.Now()
	for _, job := range []int{0, 3, 1, 2, 2} {
		a.Ran(a.URL(job))
		require.NoError(t, call.Post(ctx, a.URL(job), "id"))
	}
	a.Wait(4, time.Minute)
	f := a.Figures()
	require.GreaterOrEqual(t, f.Took, 4*Answer)
	require.Less(t, f.Took, time.Since(began))
	f.Took, f.Share = 0, 0
	require.Equal(t, Figures{Accepted: 5, Runs: 5, MostRuns: 2, Twice: 1, Displaced: 2}, f)
}

// TestRefuses checks that the API refuses what is above its quota.
func TestRefuses(t *testing.T) {
	a, ctx, began := New(t), context.Background(), time.Now()
	const n = 60
	errs := make(chan error, n)
	for job := range n {
		go func() { errs <- call.Post(ctx, a.URL(job), "id") }()
	}
	refused := 0
	for range n {
		if err := <-errs; err != nil {
			require.Equal(t, retry.KindRateLimited, retry.Classify(err).Kind, "%v", err)
			refused++
		}
	}
	f := a.Figures()
	require.Equal(t, refused, f.Refused)
	require.Equal(t, n-refused, f.Accepted)
	most := float64(2*Limit.Capacity) + time.Since(began).Seconds()*float64(Limit.Refill)
	require.GreaterOrEqual(t, f.Accepted, 2*int(Limit.Capacity))
	require.LessOrEqual(t, f.Accepted, int(most))
}

// TestHold checks that the API refuses everything while it holds, and says how long.
func TestHold(t *testing.T) {
	a, ctx := New(t), context.Background()
	a.Hold(1, 3*time.Second)
	require.NoError(t, call.Post(ctx, a.URL(0), "id"))
	err := call.Post(ctx, a.URL(1), "id")
	require.Equal(t, 3*time.Second, retry.Classify(err).Wait, "%v", err)
	require.Equal(t, 1, a.Figures().Refused)
}
