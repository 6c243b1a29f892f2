package journal

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
)

// wait waits for the end of a call.
func (l *life) wait(id string, most time.Duration) error {
	ctx, cancel := context.WithTimeout(l.t.Context(), most)
	defer cancel()
	_, err := l.j.Wait(ctx, id)
	return err
}

// slowCommits lets each commit take a second from now on.
func (l *life) slowCommits() {
	synctest.Wait()
	l.j.commits.mu.Lock()
	defer l.j.commits.mu.Unlock()
	commit := l.j.commits.commit
	l.j.commits.commit = func(b batch) error {
		time.Sleep(time.Second)
		return commit(b)
	}
}

// TestHandlerCanNotSayThatItDidNotBegin lets a handler return ErrNotStarted. The call ends all the same.
func TestHandlerCanNotSayThatItDidNotBegin(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, dir, scheduler.Config{Limit: bucket.Unlimited})
		l.cfg.Handlers["not"] = func(context.Context, []byte) error { return fmt.Errorf("no: %w", scheduler.ErrNotStarted) }
		l.end()
		l.begin()
		_, err := l.j.Submit(t.Context(), Call{ID: "x", Handler: "not"})
		require.NoError(t, err)
		dead := new(DeadError)
		require.ErrorAs(t, l.wait("x", time.Hour), &dead)
		require.Equal(t, events.Failed, dead.End)
		require.Equal(t, "no: scheduler: the function could not begin", dead.Reason)
		l.end()
	})
}

// TestHandlersWait lets a handler submit another call and wait for it. When both are suspects, or only one is, they don't
// deadlock, although a suspect runs alone.
func TestHandlersWait(t *testing.T) {
	for name, waits := range map[string]int{"one goroutine": 1, "several goroutines": 3} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, dir, scheduler.Config{Limit: bucket.Unlimited})
				l.takes = time.Second
				l.cfg.Handlers["parent"] = func(ctx context.Context, _ []byte) error {
					j := From(ctx)
					if _, err := j.Submit(ctx, Call{ID: "child", Handler: "call"}); err != nil {
						return err
					}
					ended := make(chan error, waits)
					for range waits {
						go func() {
							_, err := j.Wait(ctx, "child")
							ended <- err
						}()
					}
					return <-ended // others may still be in Wait
				}
				l.end()
				l.begin()
				_, err := l.j.Submit(t.Context(), Call{ID: "parent", Handler: "parent"})
				require.NoError(t, err)
				time.Sleep(500 * time.Millisecond)
				l.die()
				l.begin()
				require.Equal(t, 2, l.j.Report().Suspects)
				require.NoError(t, l.wait("parent", time.Hour))
				require.Equal(t, []string{"0s child attempt 1", "500ms child attempt 1 repeated"}, l.trace)
				synctest.Wait()
				require.Zero(t, l.j.gate.running)
				require.Nil(t, From(t.Context()))
				l.end()
			})
		})
	}
}

// TestSizes checks that what no file can keep is refused, since a commit that can't be done would make the journal fail.
func TestSizes(t *testing.T) {
	require.NoError(t, checkSize("the result", 1<<30))
	require.EqualError(t, checkSize("the result", 1<<30+1), "journal: the result has 1073741825 bytes: it may have at most 1073741824: keep it elsewhere, and give its place instead")
}
