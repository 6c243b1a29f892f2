package core

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// emptied gives back an unusually large list and keeps a usual one.
func TestEmptied(t *testing.T) {
	few, many := make([]*Call, maxKept/2), make([]*Call, maxKept+1)
	few[0], few[1] = new(Call), new(Call)
	require.Empty(t, Emptied(few))
	require.Equal(t, cap(few), cap(Emptied(few)))
	require.Nil(t, few[1], "the calls are not kept alive")
	require.Nil(t, Emptied(many))
}
