package scheduler_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// A call around another one, with retry.Any, is not retried for an error of the inner scheduler that a retry can't help.
func TestOwnErrorsArePermanent(t *testing.T) {
	run := func(context.Context) error { return nil }
	var noContext context.Context
	submitted := func(ctx context.Context, s *scheduler.Scheduler, fn func(context.Context) error) error {
		h, err := s.Submit(ctx, fn)
		if err != nil {
			return err
		}
		return settled(h)
	}
	tests := map[string]struct {
		attempts int
		call     func(ctx context.Context, inner *scheduler.Scheduler) error
	}{
		"closed": {1, func(ctx context.Context, s *scheduler.Scheduler) error { s.Close(); return s.Do(ctx, run) }},
		"panic with a marked error": {1, func(ctx context.Context, s *scheduler.Scheduler) error {
			return submitted(ctx, s, func(context.Context) error { panic(retry.After(errBusy, time.Second)) })
		}},
		"Goexit": {1, func(ctx context.Context, s *scheduler.Scheduler) error {
			return submitted(ctx, s, func(context.Context) error { runtime.Goexit(); return nil })
		}},
		"canceled": {1, func(ctx context.Context, s *scheduler.Scheduler) error {
			h, err := s.Submit(ctx, func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) })
			if err != nil {
				return err
			}
			h.Cancel()
			return settled(h)
		}},
		"exhausted": {1, func(ctx context.Context, s *scheduler.Scheduler) error {
			return s.Do(ctx, failing(retry.Transient(errBusy)).run)
		}},
		"cost": {1, func(ctx context.Context, s *scheduler.Scheduler) error { return s.Do(ctx, run, scheduler.Cost(11)) }},
		"no budget": {1, func(ctx context.Context, s *scheduler.Scheduler) error {
			return s.Do(ctx, run, scheduler.CostOf("x", 1))
		}},
		"nil function": {1, func(ctx context.Context, s *scheduler.Scheduler) error { return s.Do(ctx, nil) }},
		"nil context":  {1, func(_ context.Context, s *scheduler.Scheduler) error { return s.Do(noContext, run) }},
		"nil option":   {1, func(ctx context.Context, s *scheduler.Scheduler) error { return s.Do(ctx, run, nil) }},
		"bad policy": {1, func(ctx context.Context, s *scheduler.Scheduler) error {
			return s.Do(ctx, run, scheduler.Retry(retry.Policy{Initial: -1}))
		}},
		"nothing to settle": {1, func(ctx context.Context, s *scheduler.Scheduler) error { return scheduler.Settle(ctx, "", 1) }},

		"would wait": {2, func(ctx context.Context, s *scheduler.Scheduler) error {
			return s.Do(ctx, run, scheduler.Cost(10), scheduler.NoWait())
		}},
		"deadline": {2, func(ctx context.Context, s *scheduler.Scheduler) error {
			ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			return s.Do(ctx, run, scheduler.Cost(10))
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			once := retry.Policy{MaxRetries: 1}
			bubble(t, scheduler.Config{Classify: retry.Any, Retry: once}, func(t *testing.T, s *scheduler.Scheduler) {
				inner := open(t, scheduler.Config{Limit: bucket.Per(10, time.Hour), Retry: once})
				require.NoError(t, inner.Do(t.Context(), run))
				attempts := 0
				err := s.Do(t.Context(), func(ctx context.Context) error {
					attempts++
					return fmt.Errorf("inside: %w", tt.call(ctx, inner))
				})
				require.Error(t, err)
				require.Equal(t, tt.attempts, attempts, "%v", err)
			})
		})
	}
}
