package scheduler

import (
	"context"
	"testing"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// plenty is a limit that no test reaches.
var plenty = bucket.Per(1_000_000_000, time.Second).Burst(1 << 50)

func newLimited(b *testing.B, l bucket.Limit) *Scheduler {
	s, err := New(Config{Limit: l})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	return s
}

func succeed(context.Context) error { return nil }

// scarce is a limit that no test reaches, but too small for a lease.
var scarce = bucket.Per(1_000_000_000, time.Second).Burst(minLease - 1)

// BenchmarkDo measures a call by the fast path and by the owner. The bare benchmarks send a request
// and its reply over channels, which is the least that two goroutines can do. Run it with -cpu to
// see how it scales.
func BenchmarkDo(b *testing.B) {
	for _, path := range []struct {
		name  string
		limit bucket.Limit
	}{{"fast", plenty}, {"owner", scarce}} {
		b.Run(path.name, func(b *testing.B) {
			benchmarkDo(b, path.limit)
		})
		b.Run(path.name+"/parallel", func(b *testing.B) {
			s := newLimited(b, path.limit)
			b.ReportAllocs()
			b.SetParallelism(128)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_ = s.Do(context.Background(), succeed)
				}
			})
		})
	}
	b.Run("bare", func(b *testing.B) {
		inbox := bareOwner(b)
		reply := make(chan struct{}, 1)
		for b.Loop() {
			inbox <- reply
			<-reply
		}
	})
	b.Run("bare/parallel", func(b *testing.B) {
		inbox := bareOwner(b)
		b.SetParallelism(128)
		b.RunParallel(func(pb *testing.PB) {
			reply := make(chan struct{}, 1)
			for pb.Next() {
				inbox <- reply
				<-reply
			}
		})
	})
}

func bareOwner(b *testing.B) chan<- chan struct{} {
	inbox := make(chan chan struct{}, inboxSize)
	b.Cleanup(func() { close(inbox) })
	go func() {
		for reply := range inbox {
			reply <- struct{}{}
		}
	}()
	return inbox
}

func benchmarkDo(b *testing.B, l bucket.Limit, opts ...Option) {
	s, ctx := newLimited(b, l), context.Background()
	b.ReportAllocs()
	for b.Loop() {
		_ = s.Do(ctx, succeed, opts...)
	}
}

// BenchmarkDoOptions measures calls with options. Compare it with BenchmarkDo/fast.
func BenchmarkDoOptions(b *testing.B) {
	for _, with := range []struct {
		name string
		opts []Option
	}{
		{"Name", []Option{Name("a")}},
		{"Priority", []Option{Priority(1)}},
		{"NoWait", []Option{NoWait()}},
		{"WaitUntilDeadline", []Option{WaitUntilDeadline()}},
		{"Classify", []Option{Classify(retry.Network)}},
		{"Retry", []Option{Retry(retry.Policy{MaxRetries: 2})}},
		{"OnProgress", []Option{OnProgress(func(Progress) {})}},
		{"Cost", []Option{Cost(2)}},
	} {
		b.Run(with.name, func(b *testing.B) { benchmarkDo(b, plenty, with.opts...) })
	}
}
