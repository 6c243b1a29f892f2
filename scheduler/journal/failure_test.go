package journal

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// failAfter lets n more commits succeed, and the next one fail.
func (j *Journal) failAfter(n int32, err error) {
	left := atomic.Int32{}
	left.Store(n)
	commit := j.commits.commit
	j.commits.mu.Lock()
	defer j.commits.mu.Unlock()
	j.commits.commit = func(b batch) error {
		if left.Add(-1) < 0 {
			return err
		}
		return commit(b)
	}
}

// TestFailedCommit lets the disk fail at each commit of two calls. What was acknowledged is found when the file is opened
// again, and everything says that the disk has failed.
func TestFailedCommit(t *testing.T) {
	full := errors.New("no space left on device")
	for n := range int32(8) {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t, dir, scheduler.Config{Limit: bucket.PerSecond(1).Burst(1)})
			l.fails["a"] = 1
			l.j.failAfter(n, full)
			var accepted []string
			for _, id := range []string{"a", "b"} {
				_, err := l.j.Submit(t.Context(), Call{ID: id, Handler: "call"})
				if err == nil {
					accepted = append(accepted, id)
					continue
				}
				require.ErrorIs(t, err, ErrFailed)
				require.ErrorIs(t, err, full)
				if n == 0 {
					require.Equal(t, id == "a", errors.Is(err, ErrInDoubt), "of the commit that has failed, and no other")
				}
			}
			for _, id := range accepted {
				if _, err := l.j.Wait(t.Context(), id); err != nil {
					require.ErrorIs(t, err, ErrFailed)
				}
			}
			_, err := l.j.Submit(t.Context(), Call{Handler: "call"})
			if err == nil {
				require.Greater(t, n, int32(2), "a call takes three commits")
				l.end()
			} else {
				require.ErrorIs(t, err, ErrFailed)
				require.ErrorIs(t, l.j.Close(t.Context()), full)
			}
			l.begin()
			for _, id := range accepted {
				_, err := l.j.Wait(t.Context(), id)
				require.NoError(t, err)
			}
			l.end()
		})
	}
}

// TestInDoubt ends the context of a Submit while the disk is slow. The call is made, once, also if it is submitted again.
func TestInDoubt(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, dir, scheduler.Config{Limit: bucket.Unlimited})
		commit := l.j.commits.commit
		l.j.commits.commit = func(b batch) error {
			time.Sleep(time.Second)
			return commit(b)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		id, err := l.j.Submit(ctx, Call{Handler: "call"})
		require.ErrorIs(t, err, ErrInDoubt)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = l.j.Submit(t.Context(), Call{ID: id, Handler: "call"})
		require.NoError(t, err)
		_, err = l.j.Wait(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, []string{"2s " + id + " attempt 1"}, l.trace, "when its beginning is on disk")
		_, err = l.j.Submit(ctx, Call{Handler: "call"})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, ErrInDoubt, "ctx was done before")
		l.end()
	})
}
