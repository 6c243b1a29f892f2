package compat

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/ratelimit"
	"golang.org/x/time/rate"

	"example.com/fairlead/scheduler/adapters"
)

// ratelike has the methods of a rate.Limiter that other code may call.
type ratelike interface {
	Allow() bool
	AllowN(t time.Time, n int) bool
	Wait(ctx context.Context) error
	WaitN(ctx context.Context, n int) error
}

var (
	_ ratelike = (*rate.Limiter)(nil)
	_ ratelike = adapters.Limiter{}

	_ ratelimit.Limiter = adapters.Limiter{}
)

// TestRate compares both limiters step by step, because golang.org/x/time/rate has no interface to
// plug one into.
func TestRate(t *testing.T) {
	type step struct {
		at      time.Duration
		allowed bool
	}
	steps := func(t *testing.T, l ratelike) (all []step) {
		ctx, started := t.Context(), time.Now()
		note := func(allowed bool) { all = append(all, step{time.Since(started), allowed}) }
		soon, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		defer cancel()
		note(l.Allow())
		note(l.Wait(ctx) == nil)
		note(l.Allow())
		note(l.Wait(soon) == nil)
		note(l.WaitN(ctx, 3) == nil)
		note(l.WaitN(ctx, 2) == nil)
		time.Sleep(3 * time.Second)
		note(l.AllowN(time.Now(), 3))
		note(l.AllowN(time.Now(), 2))
		note(l.WaitN(ctx, 1) == nil)
		return all
	}
	bubble(t, func(t *testing.T, l adapters.Limiter) {
		want := steps(t, rate.NewLimiter(1, 2))
		require.Equal(t, step{6 * time.Second, true}, want[len(want)-1])
		require.Equal(t, want, steps(t, l))
	})
}

// TestUber compares both limiters step by step.
func TestUber(t *testing.T) {
	takes := func(l ratelimit.Limiter) (all []time.Duration) {
		started := time.Now()
		for range 4 {
			all = append(all, l.Take().Sub(started))
		}
		return all
	}
	bubble(t, func(t *testing.T, l adapters.Limiter) {
		require.True(t, l.Allow()) // leaves one token, which is no slack
		want := takes(ratelimit.New(1, ratelimit.WithoutSlack))
		require.Equal(t, seconds(0, 1, 2, 3), want)
		require.True(t, l.Allow()) // leaves one token again
		require.Equal(t, want, takes(l))
	})
}
