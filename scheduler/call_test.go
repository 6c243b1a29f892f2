package scheduler

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// A million calls may wait, so a submitted call keeps its options only if they are needed later.
func TestOptionsThatLast(t *testing.T) {
	s, err := New(Config{})
	require.NoError(t, err)
	defer s.Close()
	trailOf := func(opt Option) *callDetail {
		c := new(Handle).init()
		require.NoError(t, s.prepare(c, context.Background(), succeed, []Option{opt}))
		return c.callDetail
	}
	for _, opt := range []Option{Cost(2), NoWait(), WaitUntilDeadline(), Retry(s.retry)} {
		require.Nil(t, trailOf(opt))
	}
	require.Equal(t, "name", trailOf(Name("name")).name)
	require.Equal(t, 3, trailOf(Priority(3)).priority)
	require.NotNil(t, trailOf(Classify(s.classify)).classify)
	require.NotNil(t, trailOf(OnProgress(func(Progress) {})).progress)
	require.Zero(t, *noOptions, "noOptions is shared by all calls")
}
