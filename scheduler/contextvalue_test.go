package scheduler_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/scheduler"
)

// asking is a context whose Value method calls the scheduler.
type asking struct {
	context.Context
	s *scheduler.Scheduler
}

func (c asking) Value(key any) any { c.s.Snapshot(); return c.Context.Value(key) }

func TestC5_ContextValueAsksTheScheduler(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		h, err := s.Submit(asking{ctx, s}, nothing)
		require.NoError(t, err)
		h.Cancel() // the owner ends the call and stops watching the context
		require.ErrorIs(t, settled(h), scheduler.ErrCanceled)
	})
}
