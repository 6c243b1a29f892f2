package scheduler

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/scheduler/internal/core"
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
		require.Equal(t, core.Call{Work: c.Work, Cost: c.Cost, Deadline: c.Deadline}, c.Call, "nothing else")
		require.Nil(t, c.runner)
	}
	require.Zero(t, *with(Retry(s.retry)).Options(), "but the policy")
	require.Equal(t, core.NoWait, with(NoWait()).Options().MaxWait)
	require.Equal(t, core.NoWait, with(MaxWait(-time.Second)).Options().MaxWait)
	require.Equal(t, time.Second, with(MaxWait(time.Second)).Options().MaxWait)
	require.Equal(t, "name", with(Name("name")).Options().Name)
	require.Equal(t, 3, with(Priority(3)).Options().Priority)
	require.NotNil(t, with(Classify(s.classify)).runner.options.classify)
	require.NotNil(t, with(OnProgress(func(Progress) {})).runner.options.progress)
}
