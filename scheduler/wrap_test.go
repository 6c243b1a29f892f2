package scheduler

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
)

// TestH56_FastPathCountWraps: the till's count of tokens taken has 20 bits. Calls are numbered
// on across its end.
func TestH56_FastPathCountWraps(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		const before = 1<<20 - 5
		_, ok := ask(s, func(o *owner, now time.Duration) bool {
			require.False(t, o.lease.active, "a question has ended the loan")
			s.fast.cells[0].word.Store(before * fastTaken)
			o.lease.cells[0].taken = before
			return true
		})
		require.True(t, ok)
		sub := s.Subscribe(events.Failed)
		warm(t, s) // these three are the owner's, and have the numbers 4 to 6
		for range 10 {
			require.NoError(t, s.Do(context.Background(), succeed))
		}
		require.Less(t, taken(s.fast.cells[0].word.Load()), uint64(before), "it has wrapped, within one loan")
		require.Equal(t, errFinal, s.Do(context.Background(), func(context.Context) error { return errFinal }))
		require.EqualValues(t, 17, (<-sub.C).Call)
		require.EqualValues(t, 17, s.Snapshot().Totals.Accepted)
	})
}

// TestH56_CountersHave64Bits: on every platform, so that none wraps in a lifetime.
func TestH56_CountersHave64Bits(t *testing.T) {
	for _, name := range []string{"Seq", "Missed", "Call"} {
		f, _ := reflect.TypeFor[events.Event]().FieldByName(name)
		require.Equal(t, reflect.Uint64, f.Type.Kind(), name)
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Totals]()) {
		require.Equal(t, reflect.Uint64, f.Type.Kind(), f.Name)
	}
}
