package scheduler

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// emptied gives back an unusually large list and keeps a usual one.
func TestEmptied(t *testing.T) {
	few, many := make([]*coreCall, maxKept/2), make([]*coreCall, maxKept+1)
	few[0], few[1] = new(coreCall), new(coreCall)
	require.Empty(t, emptied(few))
	require.Equal(t, cap(few), cap(emptied(few)))
	require.Nil(t, few[1], "the calls are not kept alive")
	require.Nil(t, emptied(many))
}
