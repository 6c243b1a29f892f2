package clock_test

import (
	"slices"
	"testing"
	"time"

	"example.com/fairlead/clock"
)

func bothTimers(b *testing.B, f func(b *testing.B, timer clock.Timer)) {
	b.Run("system", func(b *testing.B) { f(b, clock.System().NewTimer(time.Hour)) })
	b.Run("plain", func(b *testing.B) { f(b, clock.Plain().NewTimer(time.Hour)) })
}

// BenchmarkTimerLateness measures how late a tick is received in an idle process.
func BenchmarkTimerLateness(b *testing.B) {
	for _, d := range []time.Duration{200 * time.Microsecond, 1300 * time.Microsecond, 3 * time.Millisecond, 5 * time.Millisecond} {
		b.Run(d.String(), func(b *testing.B) {
			bothTimers(b, func(b *testing.B, timer clock.Timer) {
				var late []time.Duration
				for b.Loop() {
					start := time.Now()
					timer.Reset(d)
					<-timer.C()
					late = append(late, time.Since(start)-d)
				}
				slices.Sort(late)
				b.ReportMetric(float64(late[len(late)/2].Nanoseconds())/1e3, "p50-µs-late")
				b.ReportMetric(float64(late[len(late)*99/100].Nanoseconds())/1e3, "p99-µs-late")
			})
		})
	}
}

func BenchmarkTimerReset(b *testing.B) {
	for _, bm := range []struct {
		name string
		do   func(clock.Timer)
	}{
		{"short", func(t clock.Timer) { t.Reset(5 * time.Millisecond) }},
		{"long", func(t clock.Timer) { t.Reset(time.Hour) }},
		{"short and stop", func(t clock.Timer) { t.Reset(5 * time.Millisecond); t.Stop() }},
		{"stop", func(t clock.Timer) { t.Stop() }},
	} {
		b.Run(bm.name, func(b *testing.B) {
			bothTimers(b, func(b *testing.B, timer clock.Timer) {
				b.ReportAllocs()
				for b.Loop() {
					bm.do(timer)
				}
			})
		})
	}
}
