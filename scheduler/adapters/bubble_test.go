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

// oneEach is a token a second, and at most two at once.
var oneEach = bucket.PerSecond(1).Burst(2)

// bubble runs a test on a limiter inside a bubble, where time passes only when everybody
// waits for it.
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

// took is how long f takes.
func took(f func()) time.Duration {
	started := time.Now()
	f()
	return time.Since(started)
}

// waits checks that f gets its token only when the next one has come, where two are
// there at first.
func waits(t *testing.T, f func(context.Context) error) {
	t.Helper()
	ctx := t.Context()
	for _, want := range []time.Duration{0, 0, time.Second, time.Second} {
		require.Equal(t, want, took(func() { require.NoError(t, f(ctx)) }))
	}
}

// gone is a context that is done.
func gone() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
