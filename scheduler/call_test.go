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
	with := func(opt Option) *call {
		c := new(Handle).init()
		require.NoError(t, s.prepare(c, context.Background(), succeed, []Option{opt}))
		return c
	}
	for _, opt := range []Option{Cost(2), WaitUntilDeadline()} {
		c := with(opt)
		require.Equal(t, coreCall{work: c.work, cost: c.cost, deadline: c.deadline}, c.coreCall, "nothing else")
		require.Nil(t, c.runner)
	}
	require.Zero(t, *with(Retry(s.retry)).options(), "but the policy")
	require.True(t, with(NoWait()).options().noWait)
	require.Equal(t, "name", with(Name("name")).options().name)
	require.Equal(t, 3, with(Priority(3)).options().priority)
	require.NotNil(t, with(Classify(s.classify)).runner.options.classify)
	require.NotNil(t, with(OnProgress(func(Progress) {})).runner.options.progress)
}
