package terminal

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
)

func submit(t *testing.T, s *scheduler.Scheduler, n int, opts ...scheduler.Option) {
	for range n {
		_, err := s.Submit(t.Context(), func(context.Context) error { return nil }, opts...)
		require.NoError(t, err)
	}
}

// TestKeys checks that the most loaded keys are shown with exact counts, also when events were lost, and only as many as
// are wanted.
func TestKeys(t *testing.T) {
	bubble(t, func(t *testing.T, s *scheduler.Scheduler, out *file) {
		view := Watch(s, Config{Out: out, Keys: 2})
		defer view.Stop()
		time.Sleep(550 * time.Millisecond) // so that nothing happens during an update
		submit(t, s, 3072, scheduler.Key("noisy"))
		submit(t, s, 3, scheduler.Key("acme"))
		submit(t, s, 1, scheduler.Key("third"))
		submit(t, s, 2)
		time.Sleep(1500 * time.Millisecond)
		line := out.String()
		require.Contains(t, line, "; noisy: 3066 queued, 0 running, longest wait 1.", "six are done")
		require.Contains(t, line, "; acme: 3 queued, 0 running, longest wait 1.")
		require.Contains(t, line, "; (others): 3 queued, 0 running\n")
		require.NotContains(t, line, "third")

		view.keys.sums.Add(events.Event{Missed: 1}) // so that the events do not say any more what waits
		time.Sleep(4 * time.Second)
		require.Regexp(t, `6s\|10 done.*; noisy: 306\d queued, 0 running; `, out.String(), "the scheduler says it")
	})
}

// TestNoKeys checks that without calls that have keys nothing more is shown.
func TestNoKeys(t *testing.T) {
	shown := func(keys int) (text string) {
		bubble(t, func(t *testing.T, s *scheduler.Scheduler, out *file) {
			view := Watch(s, Config{Out: out, Title: "crawl", Total: 20, Keys: keys})
			time.Sleep(550 * time.Millisecond)
			submit(t, s, 20)
			time.Sleep(10200 * time.Millisecond)
			view.Stop()
			text = out.String()
			if keys > 0 {
				select {
				case <-view.keys.done:
				default:
					t.Error("the view still reads events after Stop")
				}
			}
		})
		return text
	}
	require.Equal(t, shown(0), shown(5))
	require.Equal(t, 3, strings.Count(shown(5), "\n"))
}

// TestKeysAtTheEnd checks that a View of keys may be stopped after its scheduler was closed, and that keys without
// calls are not shown.
func TestKeysAtTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T, s *scheduler.Scheduler, out *file) {
		view := Watch(s, Config{Out: out, Keys: 5})
		submit(t, s, 3, scheduler.Key("acme"))
		require.NoError(t, s.WaitIdle(t.Context()))
		time.Sleep(3 * time.Second)
		s.Close()
		time.Sleep(time.Second)
		view.Stop()
		require.NotContains(t, out.String(), "acme")
		require.Contains(t, out.String(), "3 done")
	})
}
