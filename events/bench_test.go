package events_test

import (
	"testing"

	"example.com/fairlead/events"
)

func BenchmarkPublish(b *testing.B) {
	run := func(b *testing.B, h *events.Hub) {
		ev := ping(events.Retrying)
		ev.Err = errUnavailable
		b.ReportAllocs()
		for b.Loop() {
			h.Publish(ev)
		}
	}
	b.Run("no subscriber", func(b *testing.B) {
		var h events.Hub
		run(b, &h)
	})
	b.Run("reader", func(b *testing.B) {
		var h events.Hub
		sub := h.Subscribe(events.All, 0)
		done := make(chan struct{})
		var missed uint64
		go func() {
			defer close(done)
			for ev := range sub.C {
				missed += ev.Missed
			}
		}()
		run(b, &h)
		h.Close()
		<-done
		b.ReportMetric(float64(missed)/float64(b.N), "missed/op")
	})
	b.Run("slow", func(b *testing.B) {
		var h events.Hub
		sub := h.Subscribe(events.All, 0)
		defer sub.Close()
		run(b, &h)
	})
}
