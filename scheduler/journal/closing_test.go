package journal

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// TestCloseWhileAHandlerWaits closes the journal while a handler waits for a call that is queued, that backs off, or that
// runs and fails. Wait then fails, so Close does not hang, and the next life makes both calls.
func TestCloseWhileAHandlerWaits(t *testing.T) {
	for name, test := range map[string]struct {
		rate         int64
		fails, after int           // attempts that fail, and milliseconds until Close
		takes        time.Duration // an attempt
		backoff      time.Duration
	}{
		"queued":            {rate: 1, after: 500},
		"backs off":         {rate: 1000, fails: 1, after: 500, backoff: time.Hour},
		"runs and fails":    {rate: 1000, fails: 1, after: 500, takes: time.Second, backoff: time.Hour},
		"runs and succeeds": {rate: 1000, after: 500, takes: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				policy := retry.Policy{Initial: test.backoff, Max: test.backoff, Jitter: retry.None}
				l := newLife(t, dir, scheduler.Config{Limit: bucket.PerSecond(test.rate).Burst(1), Retry: policy})
				l.takes, l.fails["child"] = test.takes, test.fails
				var parents []error
				l.cfg.Handlers["parent"] = func(ctx context.Context, _ []byte) error {
					j := From(ctx)
					_, err := j.Submit(ctx, Call{ID: "child", Handler: "call"})
					if err == nil {
						_, err = j.Wait(ctx, "child")
					}
					parents = append(parents, err)
					return err
				}
				l.end()
				l.begin()
				_, err := l.j.Submit(t.Context(), Call{ID: "parent", Handler: "parent"})
				require.NoError(t, err)
				time.Sleep(time.Duration(test.after) * time.Millisecond)
				closing := time.Now()
				require.NoError(t, l.j.Close(t.Context()))
				require.LessOrEqual(t, time.Since(closing), time.Second)
				require.Len(t, parents, 1)
				if name == "runs and succeeds" {
					require.NoError(t, parents[0])
				} else {
					require.ErrorIs(t, parents[0], ErrClosed)
				}
				l.begin()
				require.NoError(t, l.wait("child", 2*time.Hour))
				require.NoError(t, l.wait("parent", 2*time.Hour), "it is no dead letter")
				for _, line := range l.trace {
					require.NotContains(t, line, "repeated", "the end of each attempt is in the file")
				}
				l.end()
			})
		})
	}
}

// TestCloseBeforeARetry closes the journal while an attempt runs. The attempt fails and its retry is granted during one
// commit. The retry does not begin, and the next life knows that the attempt has failed.
func TestCloseBeforeARetry(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		policy := retry.Policy{Initial: time.Millisecond, Jitter: retry.None}
		l := newLife(t, dir, scheduler.Config{Limit: bucket.Unlimited, Retry: policy})
		l.takes, l.fails["call"] = 10*time.Second, 1
		ready := make(chan struct{})
		l.cfg.Handlers["other"] = func(context.Context, []byte) error { <-ready; return nil }
		waited := make(chan error, 2)
		l.cfg.Handlers["parent"] = func(ctx context.Context, _ []byte) error {
			_, err := From(ctx).Wait(ctx, "call")
			waited <- err
			return err
		}
		l.end()
		l.begin()
		l.submit(Call{ID: "call"})
		for _, id := range []string{"other", "parent"} {
			_, err := l.j.Submit(t.Context(), Call{ID: id, Handler: id})
			require.NoError(t, err)
		}
		time.Sleep(9500 * time.Millisecond)
		l.slowCommits()
		close(ready) // now feed waits for a commit, for a second
		time.Sleep(100 * time.Millisecond)
		require.NoError(t, l.j.Close(t.Context()))
		require.ErrorIs(t, <-waited, ErrClosed)
		l.begin()
		require.NoError(t, l.wait("call", time.Minute))
		require.Len(t, l.trace, 2)
		require.Contains(t, l.trace[1], "call attempt 2")
		require.NotContains(t, l.trace[1], "repeated")
		require.NoError(t, l.wait("parent", time.Minute))
		l.end()
	})
}

// TestSubmitWhileTheJournalCloses lets a handler submit a call once Close has begun. The next life makes the handler's call
// again, and then the other call.
func TestSubmitWhileTheJournalCloses(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, dir, scheduler.Config{Limit: bucket.Unlimited})
		l.cfg.Handlers["parent"] = func(ctx context.Context, _ []byte) error {
			time.Sleep(time.Second)
			_, err := From(ctx).Submit(ctx, Call{ID: "child", Handler: "call"})
			return err
		}
		l.end()
		l.begin()
		_, err := l.j.Submit(t.Context(), Call{ID: "parent", Handler: "parent"})
		require.NoError(t, err)
		time.Sleep(time.Millisecond)
		require.NoError(t, l.j.Close(t.Context()))
		require.Equal(t, "1s", time.Since(l.start).String())
		l.begin()
		require.NoError(t, l.wait("parent", time.Minute))
		require.NoError(t, l.wait("child", time.Minute))
		l.end()
	})
}
