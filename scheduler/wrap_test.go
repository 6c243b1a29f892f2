package scheduler

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
)

// Calls are numbered on when the 20 bits of the fast path's count wrap (H56).
func TestH56_FastPathCountWraps(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		const before = 1<<20 - 5
		_, ok := ask(s, func(o *owner, now time.Duration) bool {
			require.False(t, o.lease.active, "a message ended the lease")
			s.fast.cells[0].word.Store(before * fastTaken)
			o.lease.cells[0].taken = before
			return true
		})
		require.True(t, ok)
		sub := s.Subscribe(events.Of(events.Failed))
		warm(t, s) // the owner has these three, with the numbers 4 to 6
		for range 10 {
			require.NoError(t, s.Do(context.Background(), succeed))
		}
		require.Less(t, taken(s.fast.cells[0].word.Load()), uint64(before), "the count wrapped within one lease")
		require.Equal(t, errFinal, s.Do(context.Background(), func(context.Context) error { return errFinal }))
		require.EqualValues(t, 17, (<-sub.C).Call)
		require.EqualValues(t, 17, s.Snapshot().Totals.Accepted)
	})
}

// Counters have 64 bits on every platform, so that none wraps (H56).
func TestH56_CountersHave64Bits(t *testing.T) {
	for _, name := range []string{"Seq", "Missed", "Call"} {
		f, _ := reflect.TypeFor[events.Event]().FieldByName(name)
		require.Equal(t, reflect.Uint64, f.Type.Kind(), name)
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Totals]()) {
		require.Equal(t, reflect.Uint64, f.Type.Kind(), f.Name)
	}
}
