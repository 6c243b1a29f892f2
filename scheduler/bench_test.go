package scheduler

import (
	"context"
	"testing"
	"time"

	"example.com/fairlead/bucket"
)

// plenty is a limit that is never felt.
var plenty = bucket.Per(1_000_000_000, time.Second).Burst(1 << 50)

func newPlenty(b *testing.B) *Scheduler {
	s, err := New(Config{Limit: plenty})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	return s
}

func succeed(context.Context) error { return nil }

// BenchmarkDo is a whole protected call: a plain one, through the till; one with an
// option, through the owner; and beside them the least that any goroutine could do for
// another, a request and a reply over channels.
func BenchmarkDo(b *testing.B) {
	ctx := context.Background()
	for _, path := range []struct {
		name string
		opts []Option
	}{{"till", nil}, {"owner", []Option{Priority(0)}}} {
		b.Run(path.name, func(b *testing.B) {
			s := newPlenty(b)
			b.ReportAllocs()
			for b.Loop() {
				_ = s.Do(ctx, succeed, path.opts...)
			}
		})
		b.Run(path.name+"/parallel", func(b *testing.B) {
			s := newPlenty(b)
			b.ReportAllocs()
			b.SetParallelism(128)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_ = s.Do(ctx, succeed, path.opts...)
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

// BenchmarkCore is a call's life in the pure core: submit, grant, finish.
func BenchmarkCore(b *testing.B) {
	cfg, _ := Config{Limit: plenty}.normal()
	k, _ := newCore(cfg, time.Time{})
	c := &call{cost: 1, policy: &cfg.Retry, deadline: bucket.Forever, trail: &trail{options: noOptions}}
	now := time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		now++
		c.state, c.attempt = arriving, 0
		k.submit(now, c)
		k.finish(now, c, nil, k.verdict(c))
		k.effects.clear()
	}
}
