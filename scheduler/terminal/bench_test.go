package terminal

import (
	"context"
	"io"
	"testing"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// BenchmarkDo measures a plain call on one goroutine and on many, with and without a View. A View
// costs no more than its ten updates a second.
func BenchmarkDo(b *testing.B) {
	nothing := func(context.Context) error { return nil }
	for _, watched := range []string{"unwatched", "watched"} {
		for _, goroutines := range []string{"one", "many"} {
			b.Run(watched+"/"+goroutines, func(b *testing.B) {
				s, err := scheduler.New(scheduler.Config{Limit: bucket.Per(1_000_000_000, time.Second).Burst(1 << 50)})
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				if watched == "watched" {
					defer Watch(s, Config{Out: io.Discard, Total: 1 << 50}).Stop()
				}
				ctx := context.Background()
				b.ReportAllocs()
				if goroutines == "one" {
					for b.Loop() {
						_ = s.Do(ctx, nothing)
					}
					return
				}
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						_ = s.Do(ctx, nothing)
					}
				})
			})
		}
	}
}

// BenchmarkPicture measures what is drawn ten times a second.
func BenchmarkPicture(b *testing.B) {
	snap := scheduler.Snapshot{At: epoch, Rate: 1, Budgets: []scheduler.Budget{
		{Name: "requests", Available: 12, Limit: bucket.PerMinute(60)}, {Name: "tokens", Available: 4120, Limit: bucket.PerMinute(9000)},
	}, Queued: 41, Running: 8}
	c := newHistory(snap)
	b.ReportAllocs()
	for b.Loop() {
		snap.At = snap.At.Add(updateInterval)
		c.add(snap)
		style{title: "crawl", total: 320}.picture(c, counts{120, 3}, false, 80)
	}
}
