package events_test

import (
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
)

func TestHubClose(t *testing.T) {
	var h events.Hub
	a, b := h.Subscribe(events.All, 0), h.Subscribe(events.All, 2)
	publish(&h, 3)
	h.Close()
	require.Zero(t, h.Wanted())
	publish(&h, 3)
	require.Equal(t, []uint64{1, 2, 3}, seqs(read(a)), "the events in the buffer can still be read")
	requireClosed(t, a)
	require.Equal(t, []uint64{2, 3}, seqs(read(b)))
	requireClosed(t, b)

	late := h.Subscribe(events.All, 0)
	requireClosed(t, late)
	require.Zero(t, h.Wanted())

	h.Close()
	a.Close()
	late.Close()
	publish(&h, 1)
}

// TestCloseRaces ends a subscription in all ways at once, while events are published.
func TestCloseRaces(t *testing.T) {
	for range 200 {
		var h events.Hub
		sub := h.Subscribe(events.All, 1)
		var wg sync.WaitGroup
		wg.Go(func() { publish(&h, 20) })
		wg.Go(h.Close)
		wg.Go(h.Close)
		wg.Go(sub.Close)
		wg.Go(func() { h.Subscribe(events.All, 1).Close() })
		for range sub.C { // until the channel is closed
		}
		wg.Wait()
		require.Zero(t, h.Wanted())
	}
}

func TestSubscribePanics(t *testing.T) {
	var h events.Hub
	for _, wrong := range []int{-1, events.MaxBuffer + 1, math.MaxInt} {
		require.PanicsWithValue(t, fmt.Sprintf("events: subscription buffer of %d: it must be from 1 to 1048576, or 0 for 1024", wrong),
			func() { h.Subscribe(events.All, wrong) })
	}
	for _, none := range []events.Kinds{0, events.Of(), 1, ^events.All} {
		require.PanicsWithValue(t, "events: subscription to no kind of event: name at least one, or use events.All",
			func() { h.Subscribe(none, 1) })
	}
	h.Subscribe(events.All, 1).Close() // the lock is free
}

func TestDefaultBuffer(t *testing.T) {
	var h events.Hub
	sub := h.Subscribe(events.All, 0)
	defer sub.Close()
	require.Equal(t, events.DefaultBuffer, cap(sub.C))
}

// TestNobodyListens (E3) checks that events of kinds without a subscriber cost nothing.
func TestNobodyListens(t *testing.T) {
	var h events.Hub
	ev := ping(events.Retrying)
	ev.Err = errUnavailable
	publishIfWanted := func() {
		if h.Wanted() != 0 {
			panic("events are wanted without a subscriber")
		}
		h.Publish(ev)
	}
	require.Zero(t, testing.AllocsPerRun(1000, publishIfWanted))
	h.Subscribe(events.All, 1).Close()
	require.Zero(t, testing.AllocsPerRun(1000, publishIfWanted))
}
