package scheduler_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
)

// everything calls every method of a scheduler. A deadlock ends the test, since it runs in a
// bubble.
func everything(t *testing.T, s *scheduler.Scheduler) {
	ctx := context.Background()
	if err := s.Do(ctx, nothing); err != nil {
		t.Error(err)
	}
	h, err := s.Submit(ctx, nothing)
	if err != nil {
		t.Error(err)
		return
	}
	h.Cancel()
	<-h.Done()
	sub := s.Subscribe(events.Of(events.Succeeded))
	_, _ = scheduler.Value(ctx, s, func(context.Context) (int, error) { return 1, nil })
	sub.Close()
	_, _ = s.Sync()
	if s.Snapshot().Closed {
		t.Error("closed")
	}
}

// Any method may be called from inside a call, a callback, a classifier or a loop over events (C5,
// reentry).
func TestH25_ReentryFromEverywhere(t *testing.T) {
	for name, from := range map[string]func(t *testing.T, s *scheduler.Scheduler){
		"a call of Do": func(t *testing.T, s *scheduler.Scheduler) {
			require.NoError(t, s.Do(t.Context(), func(context.Context) error { everything(t, s); return nil }))
		},
		"submitted work": func(t *testing.T, s *scheduler.Scheduler) {
			require.NoError(t, settled(submit(t, s, func(context.Context) error { everything(t, s); return nil })))
		},
		"a progress function": func(t *testing.T, s *scheduler.Scheduler) {
			told := 0
			progress := scheduler.OnProgress(func(scheduler.Progress) { told++; everything(t, s) })
			require.NoError(t, s.Do(t.Context(), (&flaky{failures: 2}).run, progress))
			require.Equal(t, 2, told)
			require.NoError(t, settled(submit(t, s, (&flaky{failures: 2}).run, progress)))
			require.Equal(t, 4, told)
		},
		"a loop over events": func(t *testing.T, s *scheduler.Scheduler) {
			sub := s.Subscribe(events.Of(events.Succeeded))
			require.NoError(t, s.Do(t.Context(), nothing))
			for range sub.C {
				everything(t, s)
				sub.Close()
			}
		},
		"a stream": func(t *testing.T, s *scheduler.Scheduler) {
			inputs := func(yield func(int) bool) { everything(t, s); yield(1) }
			work := func(context.Context, int) (int, error) { everything(t, s); return 0, nil }
			for res := range scheduler.Stream(t.Context(), s, inputs, work) {
				everything(t, s)
				require.NoError(t, res.Err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { bubble(t, scheduler.Config{Retry: exact}, from) })
	}
}

// TestH26_FullInbox has many more callers than the inbox has room for. All wait for the owner from
// inside their calls and progress functions, while the owner has replies for callers that do not
// listen.
func TestH26_FullInbox(t *testing.T) {
	cfg := scheduler.Config{Limit: bucket.PerSecond(1000), Level: empty, Retry: exact}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		deaf := scheduler.OnProgress(func(scheduler.Progress) {
			time.Sleep(time.Minute) // in between the call is granted
			s.Snapshot()
		})
		var wg sync.WaitGroup
		for range 2000 {
			f := &flaky{failures: 1}
			wg.Go(func() {
				err := s.Do(context.Background(), func(ctx context.Context) error {
					if err := s.Do(ctx, nothing); err != nil {
						return err
					}
					return f.run(ctx)
				}, deaf)
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 6000, s.Snapshot().Totals.Succeeded)
	})
}

// A call that shuts down its scheduler waits for itself only until its context is done.
func TestShutdownFromInside(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		started := time.Now()
		err := s.Do(t.Context(), func(ctx context.Context) error {
			soon, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			left, err := s.Shutdown(soon)
			require.Len(t, left, 1)
			require.ErrorIs(t, err, scheduler.ErrClosed)
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, time.Second, time.Since(started))
		synctest.Wait()
	})
}
