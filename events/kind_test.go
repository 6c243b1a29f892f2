package events_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
)

var everyKind = []events.Kind{
	events.Queued, events.Granted, events.Started, events.Retrying,
	events.Succeeded, events.Failed, events.Exhausted, events.Canceled, events.Closed,
	events.Dropped, events.Refused, events.Held, events.Paused, events.Resumed, events.RateChanged, events.ShutDown, events.Later,
	events.StoreAway, events.StoreBack, events.StoreReset, events.LimitChanged,
}

func TestKindString(t *testing.T) {
	want := []string{
		"queued", "granted", "started", "retrying",
		"succeeded", "failed", "exhausted", "canceled", "closed",
		"dropped", "refused", "held", "paused", "resumed", "rate changed", "shut down", "later",
		"store away", "store back", "store reset", "limit changed",
	}
	for i, k := range everyKind {
		require.Equal(t, want[i], k.String())
	}
	require.Equal(t, "Kind(0)", events.Kind(0).String())
	require.Equal(t, "Kind(22)", (events.LimitChanged + 1).String())
	require.Equal(t, "Kind(255)", events.Kind(255).String())
}

// TestEveryKindHasAName asks the set All instead of the list above, so that a kind added later
// can't be forgotten.
func TestEveryKindHasAName(t *testing.T) {
	var found []events.Kind
	names := map[string]bool{}
	for k := events.Kind(0); k < 255; k++ {
		if events.All.Has(k) {
			found = append(found, k)
			names[k.String()] = true
		}
	}
	require.Equal(t, everyKind, found)
	require.Len(t, names, len(everyKind), "names differ")
	require.NotContains(t, names, "")
}

func TestKindEnds(t *testing.T) {
	var ends []events.Kind
	for k := range events.Kind(255) {
		if k.Ends() {
			ends = append(ends, k)
		}
	}
	require.Equal(t, []events.Kind{
		events.Succeeded, events.Failed, events.Exhausted, events.Canceled, events.Closed, events.Dropped, events.Refused,
	}, ends)
	require.Equal(t, events.Ends, events.Of(ends...))
}

func TestKinds(t *testing.T) {
	set := events.Of(events.Retrying, events.Held, events.Retrying)
	for _, k := range everyKind {
		require.Equal(t, k == events.Retrying || k == events.Held, set.Has(k), "%v", k)
		require.True(t, events.All.Has(k), "%v", k)
	}
	require.Equal(t, events.All, events.Of(everyKind...))
	require.Equal(t, set, events.Of(events.Retrying)|events.Of(events.Held))
	require.Zero(t, events.Of())
}

// TestKindsOfNothing checks that a value that is no kind is in no set, even above the number of bits.
func TestKindsOfNothing(t *testing.T) {
	for _, k := range []events.Kind{0, events.LimitChanged + 1, 31, 32, 33, 64, 255} {
		require.Zero(t, events.Of(k), "%v", k)
		require.False(t, events.All.Has(k), "%v", k)
	}
}
