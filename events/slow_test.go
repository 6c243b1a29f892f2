package events_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/fairlead/events"
)

// TestOldestLost (E2) checks that the newer half of a full buffer stays, and that its first event
// says how many were lost.
func TestOldestLost(t *testing.T) {
	for _, c := range []struct {
		buffer, published int
		seqs              []uint64
	}{
		{1, 1, []uint64{1}},
		{1, 2, []uint64{2}},
		{1, 9, []uint64{9}},
		{2, 3, []uint64{2, 3}},
		{2, 4, []uint64{3, 4}},
		{3, 3, []uint64{1, 2, 3}},
		{3, 4, []uint64{3, 4}},
		{3, 5, []uint64{3, 4, 5}},
		{3, 6, []uint64{5, 6}},
		{8, 8, []uint64{1, 2, 3, 4, 5, 6, 7, 8}},
		{8, 9, []uint64{5, 6, 7, 8, 9}},
		{8, 13, []uint64{9, 10, 11, 12, 13}},
	} {
		t.Run(fmt.Sprint(c.published, " into ", c.buffer), func(t *testing.T) {
			var h events.Hub
			sub := h.Subscribe(events.All, c.buffer)
			defer sub.Close()
			publish(&h, c.published)
			got := read(sub)
			require.Equal(t, c.seqs, seqs(got))
			require.Equal(t, c.seqs[0]-1, got[0].Missed)
			for _, ev := range got[1:] {
				require.Zero(t, ev.Missed, "reported once")
			}
			publish(&h, 1)
			require.Zero(t, (<-sub.C).Missed, "reported once")
		})
	}
}

// TestMissedCountsItsOwn checks that events of kinds to which there is no subscription don't
// count as missed.
func TestMissedCountsItsOwn(t *testing.T) {
	var h events.Hub
	sub := h.Subscribe(events.Of(events.Held), 2)
	defer sub.Close()
	for range 3 {
		publish(&h, 10)
		h.Publish(events.Event{Kind: events.Held})
	}
	got := read(sub)
	require.Equal(t, []uint64{22, 33}, seqs(got))
	require.Equal(t, uint64(1), got[0].Missed)
	require.Zero(t, got[1].Missed)
}

// TestDeadSubscriber (H21) has a subscriber that never reads. In a synctest bubble, a publisher
// that waited for it would be a deadlock, which fails the test.
func TestDeadSubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h events.Hub
		dead := h.Subscribe(events.All, 16)
		live := h.Subscribe(events.All, 1)
		for i := range 100_000 {
			publish(&h, 1)
			if ev := <-live.C; ev.Seq != uint64(i+1) || ev.Missed != 0 {
				t.Fatalf("event %d is %d, after %d missed", i+1, ev.Seq, ev.Missed)
			}
		}
		h.Close()
		var total uint64
		for ev := range dead.C {
			total += 1 + ev.Missed
		}
		require.Equal(t, uint64(100_000), total)
	})
}

// follower is a subscription together with a model of what must be in it.
type follower struct {
	sub    *events.Subscription
	kinds  events.Kinds
	buffer int
	held   []events.Event // Seq, Missed and Kind of the events in its buffer

	meant, seen, missed uint64
	closed              bool
}

func (f *follower) published(seq uint64, k events.Kind) {
	if f.closed || !f.kinds.Has(k) {
		return
	}
	f.meant++
	ev := events.Event{Seq: seq, Kind: k}
	if len(f.held) == f.buffer {
		gone := (f.buffer + 1) / 2
		lost := uint64(gone)
		for _, e := range f.held {
			lost += e.Missed
		}
		f.held = f.held[gone:]
		if len(f.held) == 0 {
			ev.Missed = lost
		} else {
			f.held[0].Missed = lost
		}
	}
	f.held = append(f.held, ev)
}

func (f *follower) read(t *rapid.T, n int) {
	for range min(n, len(f.held)) {
		got, want := <-f.sub.C, f.held[0]
		require.Equal(t, want.Seq, got.Seq)
		require.Equal(t, want.Missed, got.Missed)
		require.Equal(t, want.Kind, got.Kind)
		f.held = f.held[1:]
		f.seen++
		f.missed += got.Missed
	}
}

// TestInterleavings (E1, E2, E3) subscribes, publishes, reads and closes in any order. No event
// may be lost without being reported as missed.
func TestInterleavings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h events.Hub
		var seq uint64
		var all []*follower
		kind := rapid.SampledFrom(everyKind[:3])
		pick := func(t *rapid.T) *follower {
			if len(all) == 0 {
				t.Skip("no subscription")
			}
			return rapid.SampledFrom(all).Draw(t, "subscription")
		}
		t.Repeat(map[string]func(*rapid.T){
			"subscribe": func(t *rapid.T) {
				f := &follower{
					kinds:  events.Of(rapid.SliceOfNDistinct(kind, 1, 3, rapid.ID).Draw(t, "kinds")...),
					buffer: rapid.OneOf(rapid.IntRange(1, 3), rapid.IntRange(4, 20)).Draw(t, "buffer"),
				}
				f.sub = h.Subscribe(f.kinds, f.buffer)
				all = append(all, f)
			},
			"publish": func(t *rapid.T) {
				for _, k := range rapid.SliceOfN(kind, 1, 30).Draw(t, "kinds") {
					h.Publish(events.Event{Kind: k})
					seq++
					for _, f := range all {
						f.published(seq, k)
					}
				}
			},
			"read":  func(t *rapid.T) { pick(t).read(t, rapid.IntRange(1, 20).Draw(t, "n")) },
			"close": func(t *rapid.T) { f := pick(t); f.sub.Close(); f.closed = true },
			"": func(t *rapid.T) {
				var wanted events.Kinds
				for _, f := range all {
					require.Len(t, f.sub.C, len(f.held))
					if !f.closed {
						wanted |= f.kinds
					}
				}
				require.Equal(t, wanted, h.Wanted())
			},
		})
		h.Close()
		for _, f := range all {
			f.read(t, f.buffer)
			require.Equal(t, f.meant, f.seen+f.missed)
			_, open := <-f.sub.C
			require.False(t, open)
		}
	})
}

// TestRacingReader (E1, E2) has a reader take events while the publisher takes them out to make
// room. That happens often only on two processors.
func TestRacingReader(t *testing.T) {
	for _, buffer := range []int{1, 2, 3, 4, 7, 64, 512} {
		for _, pause := range []int{1, 2, 4} {
			t.Run(fmt.Sprint("buffer ", buffer, " pause ", pause), func(t *testing.T) { race(t, buffer, pause) })
		}
	}
}

func race(t *testing.T, buffer, pause int) {
	const total = 20_000
	var h events.Hub
	sub := h.Subscribe(events.Of(events.Started), buffer)
	go func() {
		defer h.Close()
		for range total {
			publish(&h, 1)
			if rand.IntN(buffer+pause) == 0 {
				runtime.Gosched()
			}
		}
	}()
	var last, sum uint64
	for ev := range sub.C {
		if ev.Seq <= last {
			require.Greater(t, ev.Seq, last)
		}
		sum += 1 + ev.Missed
		last = ev.Seq
		for range rand.IntN(pause) {
			runtime.Gosched()
		}
	}
	require.Equal(t, uint64(total), last, "the newest is never lost")
	require.Equal(t, uint64(total), sum)
}
