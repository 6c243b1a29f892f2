package core

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

// TestTakeChangesInParts changes more calls than TakeChanges returns at once, and the first of them twice. It checks that each is
// returned once, and again after a further change (E6, changes).
func TestTakeChangesInParts(t *testing.T) {
	k, err := New(Config{Limits: bucket.Limits{"": {}}})
	require.NoError(t, err)
	var calls []*Call
	for range MaxChanges + 1 {
		c := &Call{Cost: 1, Deadline: bucket.Forever, Kind: Tracked}
		k.Submit(0, c)
		calls = append(calls, c)
	}
	k.SetPriority(0, calls[0], 1)
	require.Equal(t, calls[:MaxChanges], k.TakeChanges())
	require.Equal(t, calls[MaxChanges:], k.TakeChanges())
	require.False(t, k.HasChanges())
	k.SetPriority(0, calls[1], 1)
	require.Equal(t, calls[1:2], k.TakeChanges())
}
