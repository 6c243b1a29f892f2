package adapters_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/adapters"
)

// plenty is a limit that never makes a call wait.
var plenty = bucket.Per(1_000_000_000, time.Second).Burst(1 << 50)

// BenchmarkWait measures Wait through an interface, as libraries call it, the Do that it makes, and
// Allow, which goes to the owner.
func BenchmarkWait(b *testing.B) {
	ctx, nothing := context.Background(), func(context.Context) error { return nil }
	s := open(b, scheduler.Config{Limit: plenty})
	var l interface {
		Wait(context.Context) error
		WaitN(context.Context, int) error
		Allow() bool
	} = adapters.Limiter{Scheduler: s}
	for name, f := range map[string]func(){
		"Do":    func() { _ = s.Do(ctx, nothing) },
		"Wait":  func() { _ = l.Wait(ctx) },
		"WaitN": func() { _ = l.WaitN(ctx, 2) },
		"Allow": func() { l.Allow() },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}

func TestWait_AllocatesNothing(t *testing.T) {
	s := open(t, scheduler.Config{Limit: plenty})
	var l interface{ Wait(context.Context) error } = adapters.Limiter{Scheduler: s}
	ctx := context.Background()
	require.NoError(t, l.Wait(ctx)) // the first opens the fast path
	require.Zero(t, testing.AllocsPerRun(1000, func() { _ = l.Wait(ctx) }))
}

func BenchmarkWorkqueue(b *testing.B) {
	var w adapters.Workqueue[int]
	b.ReportAllocs()
	for b.Loop() {
		w.When(1)
		w.Forget(1)
	}
}
