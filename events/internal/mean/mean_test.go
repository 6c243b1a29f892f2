package mean

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestMeanForgetsNoPart sets every field, so that a part added later can't be missing.
func TestMeanForgetsNoPart(t *testing.T) {
	var one events.Times
	v := reflect.ValueOf(&one).Elem()
	for i := range v.NumField() {
		v.Field(i).SetInt(int64(i+1) * int64(time.Hour))
	}
	var s Sum
	require.Zero(t, s.Mean())
	const many = 10_000_000 // calls, whose sum is more than a Duration can be
	s.Add(one)
	for s.Calls < many {
		s = s.Plus(s)
	}
	require.Equal(t, one, s.Mean())
	s = Sum{}
	s.Add(one)
	s.Add(events.Times{})
	require.Equal(t, one.Over(2), s.Mean())
}

// TestPlausible checks that no time is negative, that the total is not too long, and that the turn is a part of the queue.
func TestPlausible(t *testing.T) {
	require.True(t, Plausible(events.Times{Queue: 2, Turn: 2, Run: maxTime - 2}))
	require.False(t, Plausible(events.Times{Queue: 3, Turn: 2, Run: maxTime - 2}))
	require.False(t, Plausible(events.Times{Queue: 2, Turn: 3}))
	require.False(t, Plausible(events.Times{Queue: 2, Turn: -1}))
	v := reflect.TypeFor[events.Times]()
	for i := range v.NumField() {
		for _, wrong := range []time.Duration{-1, maxTime + 1} {
			var one events.Times
			reflect.ValueOf(&one).Elem().Field(i).SetInt(int64(wrong))
			require.False(t, Plausible(one), v.Field(i).Name)
		}
	}
}
