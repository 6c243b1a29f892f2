package events_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
)

// read takes all events that are in the channel now.
func read(sub *events.Subscription) []events.Event {
	var list []events.Event
	for {
		select {
		case ev, open := <-sub.C:
			if !open {
				return list
			}
			list = append(list, ev)
		default:
			return list
		}
	}
}

func seqs(list []events.Event) []uint64 {
	var all []uint64
	for _, ev := range list {
		all = append(all, ev.Seq)
	}
	return all
}

func publish(h *events.Hub, n int) {
	for range n {
		h.Publish(events.Event{Kind: events.Started})
	}
}

func requireClosed(t *testing.T, sub *events.Subscription) {
	t.Helper()
	select {
	case ev, open := <-sub.C:
		require.False(t, open, "still has %v", ev)
	default:
		require.Fail(t, "not closed")
	}
}

// TestOneOrder (E1) checks that all subscriptions see the same numbers, each for its own kinds.
func TestOneOrder(t *testing.T) {
	var h events.Hub
	all := h.Subscribe(events.All, 0)
	some := h.Subscribe(events.Of(events.Retrying, events.ShutDown), 0)
	for i, k := range everyKind {
		h.Publish(events.Event{Kind: k, Call: uint64(i), Err: errUnavailable, Seq: 99, Missed: 99})
	}

	var want, few []uint64
	got := read(all)
	require.Len(t, got, len(everyKind))
	for i, ev := range got {
		require.Equal(t, everyKind[i], ev.Kind)
		require.Equal(t, uint64(i), ev.Call)
		require.Equal(t, errUnavailable, ev.Err)
		require.Zero(t, ev.Missed, "a publisher's own number is overwritten")
		want = append(want, uint64(i+1))
		if ev.Kind == events.Retrying || ev.Kind == events.ShutDown {
			few = append(few, ev.Seq)
		}
	}
	require.Equal(t, want, seqs(got), "from 1, without gaps")
	require.Equal(t, few, seqs(read(some)))
}

// TestFromSubscribeToClose (E3) checks that a subscription has the events between its start and its end.
func TestFromSubscribeToClose(t *testing.T) {
	var h events.Hub
	publish(&h, 2)
	sub := h.Subscribe(events.All, 0)
	publish(&h, 3)
	sub.Close()
	publish(&h, 4)
	require.Equal(t, []uint64{3, 4, 5}, seqs(read(sub)))
	requireClosed(t, sub)

	sub = h.Subscribe(events.All, 0)
	defer sub.Close()
	publish(&h, 1)
	require.Equal(t, []uint64{10}, seqs(read(sub)), "events without a subscriber are numbered, too")
}

func TestWanted(t *testing.T) {
	var h events.Hub
	require.Zero(t, h.Wanted())
	a := h.Subscribe(events.Of(events.Queued, events.Held), 1)
	require.Equal(t, events.Of(events.Queued, events.Held), h.Wanted())
	b := h.Subscribe(events.Of(events.Held, events.Failed), 1)
	require.Equal(t, events.Of(events.Queued, events.Held, events.Failed), h.Wanted())
	a.Close()
	require.Equal(t, events.Of(events.Held, events.Failed), h.Wanted(), "held is still wanted by the other")
	c := h.Subscribe(^events.Kinds(0), 1)
	require.Equal(t, events.All, h.Wanted(), "bits that are no kind are ignored")
	c.Close()
	b.Close()
	require.Zero(t, h.Wanted())
}

// TestReaderWaits checks that an event wakes a waiting reader, and that either Close ends its loop.
func TestReaderWaits(t *testing.T) {
	for name, end := range map[string]func(*events.Hub, *events.Subscription){
		"subscription closed": func(_ *events.Hub, s *events.Subscription) { s.Close() },
		"hub closed":          func(h *events.Hub, _ *events.Subscription) { h.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var h events.Hub
				sub := h.Subscribe(events.All, 1)
				var seen int
				done := false
				go func() {
					for range sub.C {
						seen++
					}
					done = true
				}()
				for i := range 3 {
					publish(&h, 1)
					synctest.Wait()
					require.Equal(t, i+1, seen)
				}
				require.False(t, done)
				end(&h, sub)
				synctest.Wait()
				require.True(t, done)
			})
		})
	}
}

// TestH23_Unsubscribe closes a subscription twice, inside the loop that reads it.
func TestH23_Unsubscribe(t *testing.T) {
	var h events.Hub
	other := h.Subscribe(events.All, 0)
	defer other.Close()
	sub := h.Subscribe(events.All, 0)
	publish(&h, 5)
	var got []uint64
	for ev := range sub.C {
		got = append(got, ev.Seq)
		if ev.Seq == 2 {
			sub.Close()
			sub.Close()
			publish(&h, 1)
		}
	}
	require.Equal(t, []uint64{1, 2, 3, 4, 5}, got, "the events in the buffer, and no later one")
	require.Equal(t, []uint64{1, 2, 3, 4, 5, 6}, seqs(read(other)), "the others go on")
	h.Close()
	sub.Close()
}

// TestH23_UnsubscribeDuringPublish has subscribers come and go on several goroutines while one
// publishes. A subscriber that stays misses nothing.
func TestH23_UnsubscribeDuringPublish(t *testing.T) {
	const total = 5000
	var h events.Hub
	steady := h.Subscribe(events.All, total)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for buffer := range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				sub := h.Subscribe(events.All, buffer+1)
				var twice sync.WaitGroup
				twice.Go(sub.Close)
				twice.Go(sub.Close)
				for range sub.C { // until the channel is closed
				}
				twice.Wait()
			}
		})
	}
	publish(&h, total)
	close(stop)
	wg.Wait()
	h.Close()
	got := seqs(read(steady))
	require.Len(t, got, total)
	require.True(t, slices.IsSorted(got))
	require.Equal(t, uint64(total), got[total-1])
}
