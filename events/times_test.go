package events_test

import (
	"encoding/json"
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
		if v.Type().Field(i).Name == "Turn" {
			continue
		}
		var one events.Times
		reflect.ValueOf(&one).Elem().Field(i).SetInt(int64(time.Minute))
		require.Equal(t, time.Minute, one.Total())
		require.Contains(t, one.String(), "1m0s (")
		require.Equal(t, 2*time.Minute, one.Plus(one).Total())
		require.Equal(t, 20*time.Second, one.Over(3).Total())
	}
	require.Equal(t, time.Second<<v.NumField()-time.Second-all.Turn, all.Total())
	require.Equal(t, "4m13s (queue 1s (turn 2s), tokens 4s, slot 8s, hold 16s, backoff 32s, later 1m4s, run 2m8s)", all.String())
	require.Equal(t, "0s", events.Times{}.String())
}

// TestTurnIsAPartOfQueue checks that the time of the first of a key is in sums, means, text and JSON, and is not counted
// twice.
func TestTurnIsAPartOfQueue(t *testing.T) {
	one := events.Times{Queue: 2 * time.Second, Turn: 1500 * time.Millisecond, Run: 200 * time.Millisecond}
	require.Equal(t, 2200*time.Millisecond, one.Total())
	require.Equal(t, "2.2s (queue 2s (turn 1.5s), run 200ms)", one.String())
	three := one.Plus(one).Plus(events.Times{Turn: time.Second, Queue: time.Second})
	require.Equal(t, events.Times{Queue: 5 * time.Second, Turn: 4 * time.Second, Run: 400 * time.Millisecond}, three)
	require.Equal(t, 2*time.Second, three.Over(2).Turn)
	text, err := json.Marshal(one)
	require.NoError(t, err)
	require.Equal(t, `{"queue":2000000000,"turn":1500000000,"run":200000000}`, string(text))
}
