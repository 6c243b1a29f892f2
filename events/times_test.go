package events_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
)

// TestTimesForgetNoPart sets every field, so that a part added later can't be missing in the
// sums or the text.
func TestTimesForgetNoPart(t *testing.T) {
	var all events.Times
	v := reflect.ValueOf(&all).Elem()
	for i := range v.NumField() {
		v.Field(i).SetInt(int64(time.Second) << i)
		var one events.Times
		reflect.ValueOf(&one).Elem().Field(i).SetInt(int64(time.Minute))
		require.Equal(t, time.Minute, one.Total())
		require.Contains(t, one.String(), "1m0s (")
		require.Equal(t, 2*time.Minute, one.Plus(one).Total())
		require.Equal(t, 20*time.Second, one.Over(3).Total())
	}
	require.Equal(t, time.Second<<v.NumField()-time.Second, all.Total())
	require.Equal(t, "2m7s (queue 1s, tokens 2s, slot 4s, hold 8s, backoff 16s, later 32s, run 1m4s)", all.String())
	require.Equal(t, "0s", events.Times{}.String())
}
