// Package bench compares Fairlead with what people would otherwise put together.
// Each benchmark does the same work: a call that is limited, run, and would be
// retried. The limit is never felt, so that what is measured is the machinery.
package bench

import (
	"context"
	"testing"
	"time"

	"github.com/avast/retry-go/v5"
	"golang.org/x/time/rate"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

const perSecond = 1_000_000_000

func call(context.Context) error { return nil }

// BenchmarkCall is limit and retry around a function that succeeds, from one
// goroutine and from 128 on each processor.
func BenchmarkCall(b *testing.B) {
	for name, do := range map[string]func(*testing.B) func(context.Context) error{
		"fairlead": fairlead,
		"x-time-rate+avast-retry-go": func(*testing.B) func(context.Context) error {
			limiter := rate.NewLimiter(perSecond, perSecond)
			retrier := retry.New(retry.Attempts(6))
			return func(ctx context.Context) error {
				return retrier.Do(func() error {
					if err := limiter.Wait(ctx); err != nil {
						return err
					}
					return call(ctx)
				})
			}
		},
	} {
		b.Run(name+"/alone", func(b *testing.B) {
			ctx, do := context.Background(), do(b)
			b.ReportAllocs()
			for b.Loop() {
				if err := do(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/128", func(b *testing.B) {
			ctx, do := context.Background(), do(b)
			b.ReportAllocs()
			b.SetParallelism(128)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := do(ctx); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

func fairlead(b *testing.B) func(context.Context) error {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.Per(perSecond, time.Second)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	return func(ctx context.Context) error { return s.Do(ctx, call) }
}
