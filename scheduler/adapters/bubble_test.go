package adapters_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/adapters"
)

// oneEach is one token a second, with a burst of two.
var oneEach = bucket.PerSecond(1).Burst(2)

// bubble runs a test on a limiter in a synctest bubble, where time passes only when all goroutines wait.
func bubble(t *testing.T, cfg scheduler.Config, f func(t *testing.T, l adapters.Limiter)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, adapters.Limiter{Scheduler: open(t, cfg)}) })
}

func open(t testing.TB, cfg scheduler.Config) *scheduler.Scheduler {
	t.Helper()
	s, err := scheduler.New(cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

// took returns how long f takes.
func took(f func()) time.Duration {
	started := time.Now()
	f()
	return time.Since(started)
}

// waits checks that f waits for its token, after the two of the burst are taken.
func waits(t *testing.T, f func(context.Context) error) {
	t.Helper()
	ctx := t.Context()
	for _, want := range []time.Duration{0, 0, time.Second, time.Second} {
		require.Equal(t, want, took(func() { require.NoError(t, f(ctx)) }))
	}
}

// gone returns a context that is done.
func gone() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
