package journal

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// evil is an error whose methods panic with itself.
type evil struct{}

func (evil) Error() string { panic(evil{}) }
func (evil) Is(error) bool { panic(evil{}) }

// TestHandlersThatDoNotReturn lets handlers panic with all kinds of errors, and call Goexit. Each call becomes a dead letter
// that says so, and the journal goes on.
func TestHandlersThatDoNotReturn(t *testing.T) {
	for name, h := range map[string]Handler{
		"panic in function: oops":                      func(context.Context, []byte) error { panic("oops") },
		"panic called with nil argument":               func(context.Context, []byte) error { panic(nil) },
		"panic in function: disk is full: scheduler: ": func(context.Context, []byte) error { panic(fmt.Errorf("disk is full: %w", scheduler.ErrNotStarted)) },
		"panic in function: journal is closed":         func(context.Context, []byte) error { panic(ErrClosed) },
		"panic in function: server is busy":            func(context.Context, []byte) error { panic(retry.Transient(errBusy)) },
		"a *scheduler.PanicError, whose":               func(context.Context, []byte) error { panic(evil{}) },
		"PanicError, whose Error method panicked":      func(context.Context, []byte) error { return evil{} },
		"called runtime.Goexit":                        func(context.Context, []byte) error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, dir, scheduler.Config{Limit: bucket.PerSecond(1), MaxInFlight: 1})
				l.cfg.Handlers["bad"] = h
				l.end()
				l.begin()
				for _, id := range []string{"first", "second"} {
					_, err := l.j.Submit(t.Context(), Call{ID: id, Handler: "bad"})
					require.NoError(t, err)
				}
				for range 2 {
					for _, id := range []string{"first", "second"} {
						dead := new(DeadError)
						require.ErrorAs(t, l.wait(id, time.Hour), &dead)
						require.Equal(t, events.Failed, dead.End)
						require.Equal(t, 1, dead.Attempts)
						require.Contains(t, dead.Reason, name)
					}
					l.die()
					l.begin()
				}
				l.finish(Call{Handler: "call"})
				l.end()
			})
		})
	}
}

// TestHandlersThatWouldWaitForThemselves checks that Close and Wait inside a handler are errors at once.
func TestHandlersThatWouldWaitForThemselves(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, dir, scheduler.Config{Limit: bucket.Unlimited})
		l.cfg.Handlers["inside"] = func(ctx context.Context, _ []byte) error {
			j := From(ctx)
			err := j.Close(ctx)
			_, waits := j.Wait(context.WithoutCancel(ctx), "x")
			return errors.Join(err, waits)
		}
		l.end()
		l.begin()
		_, err := l.j.Submit(t.Context(), Call{ID: "x", Handler: "inside"})
		require.NoError(t, err)
		dead := new(DeadError)
		require.ErrorAs(t, l.wait("x", time.Hour), &dead)
		require.Equal(t, `journal: Close inside a handler would wait for itself: let another goroutine close the journal, with another context
journal: the handler of call "x" would wait for itself: wait in another goroutine, with another context`, dead.Reason)
		l.finish(Call{Handler: "call"})
		l.end()
	})
}

// TestHandlerClosesTheScheduler lets a handler close or drain the scheduler of its journal. No call is lost.
func TestHandlerClosesTheScheduler(t *testing.T) {
	for name, stop := range map[string]func(*scheduler.Scheduler){
		"Close": (*scheduler.Scheduler).Close,
		"Shutdown": func(s *scheduler.Scheduler) {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			_, _ = s.Shutdown(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, dir, scheduler.Config{Limit: bucket.PerSecond(1).Burst(1)})
				l.cfg.Handlers["stop"] = func(ctx context.Context, _ []byte) error {
					time.Sleep(100 * time.Millisecond)
					stop(From(ctx).Scheduler())
					return nil
				}
				l.end()
				l.begin()
				_, err := l.j.Submit(t.Context(), Call{ID: "stop", Handler: "stop"})
				require.NoError(t, err)
				ids := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "later"}
				for _, id := range ids[:9] {
					l.submit(Call{ID: id})
				}
				l.submit(Call{ID: "later", NotBefore: time.Now().Add(time.Minute)})
				time.Sleep(10 * time.Second)
				for _, id := range []string{"stop", "i", "later"} {
					require.ErrorIs(t, l.wait(id, time.Hour), ErrClosed)
				}
				_, err = l.j.Submit(t.Context(), Call{Handler: "call"})
				require.ErrorIs(t, err, ErrClosed)
				l.end()
				l.begin()
				require.Zero(t, l.j.Report().Suspects)
				for _, id := range append(ids, "stop") {
					require.NoError(t, l.wait(id, time.Hour))
				}
				require.Len(t, l.trace, len(ids), "each is made once: %v", l.trace)
				l.end()
			})
		})
	}
}

// TestLongErrors checks that the file keeps the beginning of an error's text.
func TestLongErrors(t *testing.T) {
	long := errors.New(strings.Repeat("long", 1<<20))
	path := pathIn(t)
	j := openJournal(t, path, quick(Handlers{"x": func(context.Context, []byte) error { return retry.Transient(long) }}))
	_, err := j.Submit(t.Context(), Call{ID: "x", Handler: "x"})
	require.NoError(t, err)
	for range 2 { // in memory, and from the file
		_, err = j.Wait(t.Context(), "x")
		dead := new(DeadError)
		require.ErrorAs(t, err, &dead)
		require.Contains(t, dead.Reason, "3 attempts failed")
		require.Less(t, len(dead.Reason), 65<<10)
		require.True(t, strings.HasSuffix(dead.Reason, "…"))
	}
	r, err := j.find("x")
	require.NoError(t, err)
	require.Less(t, len(r.lastErr), 65<<10)
}
