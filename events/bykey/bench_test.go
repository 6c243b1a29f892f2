package bykey_test

import (
	"strconv"
	"testing"

	"example.com/fairlead/events"
	"example.com/fairlead/events/bykey"
)

// BenchmarkAdd measures the three events of a call, with keys that have sums of their own and with more keys than that.
func BenchmarkAdd(b *testing.B) {
	for _, keys := range []int{1, 1000, 100_000} {
		names := make([]string, keys)
		for i := range names {
			names[i] = "user " + strconv.Itoa(i)
		}
		b.Run(strconv.Itoa(keys)+"keys", func(b *testing.B) {
			var s bykey.Sums
			b.ReportAllocs()
			for call := uint64(1); b.Loop(); call++ {
				key := names[call%uint64(keys)]
				s.Add(events.Event{At: noon, Kind: events.Queued, Call: call, Key: key, Cost: 1})
				s.Add(events.Event{At: noon, Kind: events.Granted, Call: call, Key: key, Cost: 1})
				s.Add(events.Event{At: noon, Kind: events.Succeeded, Call: call, Key: key, Cost: 1})
			}
		})
	}
}

// BenchmarkReport measures what a view asks for ten times a second, with a thousand keys.
func BenchmarkReport(b *testing.B) {
	var s bykey.Sums
	for i := range 1000 {
		s.Add(events.Event{At: noon, Kind: events.Queued, Call: uint64(i + 1), Key: "user " + strconv.Itoa(i)})
	}
	b.ReportAllocs()
	for b.Loop() {
		_ = s.Report(10)
	}
}
