package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

var errBusy = errors.New("server is busy")

// quick is a configuration whose calls need not wait.
func quick(handlers Handlers) Config {
	return Config{Handlers: handlers, Scheduler: scheduler.Config{
		Limit: bucket.Unlimited, Retry: retry.Policy{Initial: time.Millisecond, MaxRetries: 2, Jitter: retry.None},
	}}
}

func openJournal(t *testing.T, path string, cfg Config) *Journal {
	t.Helper()
	j, err := Open(path, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = j.Close(t.Context()) })
	return j
}

func pathIn(t *testing.T) string { return filepath.Join(t.TempDir(), "calls.db") }

// TestSubmit makes a call and gets its result.
func TestSubmit(t *testing.T) {
	var made atomic.Int32
	j := openJournal(t, pathIn(t), quick(Handlers{"greet": func(ctx context.Context, payload []byte) error {
		info, ok := CallInfo(ctx)
		if !ok || made.Add(1) == 1 {
			return retry.Transient(errBusy)
		}
		return Result(ctx, fmt.Appendf(nil, "hello %s, attempt %d of %s", payload, info.Attempt, info.ID))
	}}))
	for range 3 {
		id, err := j.Submit(t.Context(), Call{ID: "order-17", Handler: "greet", Payload: []byte("you"), Key: "acme"})
		require.NoError(t, err)
		result, err := j.Wait(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, "hello you, attempt 2 of order-17", string(result))
	}
	require.EqualValues(t, 2, made.Load(), "one call")
	_, err := j.Submit(t.Context(), Call{ID: "order-17", Handler: "greet", Payload: []byte("me"), Key: "acme"})
	require.ErrorIs(t, err, ErrOtherCall)
	_, err = j.Wait(t.Context(), "order-18")
	require.ErrorIs(t, err, ErrUnknown)
}

// TestNumbersGoOn checks that a call does not get the number of one that has ended, and that the jitter stays the same.
func TestNumbersGoOn(t *testing.T) {
	path := pathIn(t)
	cfg := quick(Handlers{"echo": func(ctx context.Context, payload []byte) error { return Result(ctx, payload) }})
	seeds := map[uint64]bool{}
	for i := range 3 {
		j := openJournal(t, path, cfg)
		seeds[j.Scheduler().Snapshot().Seed] = true
		_, err := j.Submit(t.Context(), Call{ID: fmt.Sprint(i), Handler: "echo", Payload: fmt.Append(nil, i)})
		require.NoError(t, err)
		for k := range i + 1 {
			result, err := j.Wait(t.Context(), fmt.Sprint(k))
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(k), string(result))
		}
		require.NoError(t, j.Close(t.Context()))
	}
	require.Len(t, seeds, 1)
}

// TestDead makes calls that fail, and tries one of them again.
func TestDead(t *testing.T) {
	var works atomic.Bool
	path := pathIn(t)
	cfg := quick(Handlers{"fail": func(ctx context.Context, payload []byte) error {
		if works.Load() {
			return Result(ctx, []byte("at last"))
		}
		if string(payload) == "busy" {
			return retry.Transient(errBusy)
		}
		return errors.New("no such customer")
	}})
	j := openJournal(t, path, cfg)
	for _, id := range []string{"busy", "wrong"} {
		_, err := j.Submit(t.Context(), Call{ID: id, Handler: "fail", Payload: []byte(id)})
		require.NoError(t, err)
		_, err = j.Wait(t.Context(), id)
		dead := new(DeadError)
		require.ErrorAs(t, err, &dead)
		require.Equal(t, id, dead.ID)
		require.Nil(t, dead.Payload)
		_, err = j.Submit(t.Context(), Call{ID: id, Handler: "fail", Payload: []byte(id)})
		require.ErrorAs(t, err, &dead)
	}
	require.NoError(t, j.Close(t.Context()))
	j = openJournal(t, path, cfg)
	require.Equal(t, 2, j.Report().Dead)
	text := ""
	for l, err := range j.Dead() {
		require.NoError(t, err)
		require.Equal(t, l.ID, string(l.Payload))
		text += fmt.Sprintf("%s after %d: %v: %s\n", l.ID, l.Attempts, l.End, l.Reason)
	}
	require.Equal(t, `busy after 3: exhausted: retry: retries exhausted: 3 attempts failed, 3ms waited in between, the last with: server is busy
wrong after 1: failed: no such customer
`, text)
	works.Store(true)
	require.NoError(t, j.Again(t.Context(), "busy"))
	result, err := j.Wait(t.Context(), "busy")
	require.NoError(t, err)
	require.Equal(t, "at last", string(result))
	require.NoError(t, j.Forget("wrong"))
	require.ErrorIs(t, j.Forget("wrong"), ErrUnknown)
	require.ErrorIs(t, j.Again(t.Context(), "busy"), ErrNotDead)
	for range j.Dead() {
		t.Error("no letter is left")
	}
}

// TestMissingHandler keeps a call whose handler is missing until it is there again.
func TestMissingHandler(t *testing.T) {
	path := pathIn(t)
	hold := make(chan struct{})
	handlers := Handlers{
		"old": func(ctx context.Context, _ []byte) error {
			select {
			case <-hold:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		},
		"new": func(context.Context, []byte) error { return nil },
	}
	j := openJournal(t, path, quick(handlers))
	_, err := j.Submit(t.Context(), Call{ID: "x", Handler: "old"})
	require.NoError(t, err)
	now, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, j.Close(now))

	var log bytes.Buffer
	cfg := quick(Handlers{"new": handlers["new"]})
	cfg.Scheduler.Logger = slog.New(slog.NewTextHandler(&log, nil))
	j = openJournal(t, path, cfg)
	require.Contains(t, log.String(), `msg="journal: calls wait for a handler that is missing" handler=old calls=1 file=`)
	require.Equal(t, Report{Missing: map[string]int{"old": 1}}, j.Report())
	_, err = j.Wait(t.Context(), "x")
	require.ErrorIs(t, err, ErrNoHandler)
	require.ErrorContains(t, err, `"old"`)
	_, err = j.Submit(t.Context(), Call{ID: "x", Handler: "old"})
	require.ErrorContains(t, err, `there is no handler "old" in Config.Handlers, only ["new"]`)
	id, err := j.Submit(t.Context(), Call{Handler: "new"})
	require.NoError(t, err)
	_, err = j.Wait(t.Context(), id)
	require.NoError(t, err)
	require.NoError(t, j.Close(t.Context()))

	close(hold)
	j = openJournal(t, path, quick(handlers))
	_, err = j.Wait(t.Context(), "x")
	require.NoError(t, err)
}

// panics is a log handler that panics.
type panics struct{ slog.Handler }

func (panics) Enabled(context.Context, slog.Level) bool { panic("log") }

// TestLoggerPanics lets the log handler panic. The journal is open all the same.
func TestLoggerPanics(t *testing.T) {
	path := pathIn(t)
	j := openJournal(t, path, quick(Handlers{"x": func(ctx context.Context, _ []byte) error { <-ctx.Done(); return context.Cause(ctx) }}))
	_, err := j.Submit(t.Context(), Call{ID: "x", Handler: "x"})
	require.NoError(t, err)
	now, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, j.Close(now))
	cfg := quick(nil)
	cfg.Scheduler.Logger = slog.New(panics{})
	j = openJournal(t, path, cfg)
	require.Equal(t, map[string]int{"x": 1}, j.Report().Missing)
	require.NoError(t, j.Close(t.Context()))
}

// TestOneCall lets many goroutines submit a call with one ID.
func TestOneCall(t *testing.T) {
	var made atomic.Int32
	j := openJournal(t, pathIn(t), quick(Handlers{"count": func(context.Context, []byte) error { made.Add(1); return nil }}))
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			id, err := j.Submit(t.Context(), Call{ID: "one", Handler: "count"})
			require.NoError(t, err)
			_, err = j.Wait(t.Context(), id)
			require.NoError(t, err)
		})
	}
	all.Wait()
	require.EqualValues(t, 1, made.Load())
}

// TestRefused checks that a call that the scheduler refuses is not accepted.
func TestRefused(t *testing.T) {
	cfg := quick(Handlers{"x": func(ctx context.Context, _ []byte) error { <-ctx.Done(); return context.Cause(ctx) }})
	cfg.Scheduler.Limit, cfg.Scheduler.MaxInFlight = bucket.PerSecond(10), 1
	cfg.Scheduler.MaxQueued, cfg.Scheduler.Overflow = 1, scheduler.RefuseNew
	path := pathIn(t)
	j := openJournal(t, path, cfg)
	_, err := j.Submit(t.Context(), Call{ID: "dear", Handler: "x", Cost: 11})
	cost := new(bucket.CostError)
	require.ErrorAs(t, err, &cost)
	_, err = j.Submit(t.Context(), Call{ID: "budget", Handler: "x", Costs: map[string]int64{"none": 1}})
	require.ErrorIs(t, err, scheduler.ErrNoBudget)
	for _, id := range []string{"a", "b"} {
		_, err = j.Submit(t.Context(), Call{ID: id, Handler: "x"})
		require.NoError(t, err)
	}
	_, err = j.Submit(t.Context(), Call{ID: "c", Handler: "x"})
	require.ErrorIs(t, err, scheduler.ErrQueueFull)
	for _, id := range []string{"dear", "budget", "c"} {
		_, err = j.Wait(t.Context(), id)
		require.ErrorIs(t, err, ErrUnknown)
	}
	now, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, j.Close(now))
	cfg.Scheduler.Limit = bucket.PerSecond(10)
	j = openJournal(t, path, cfg)
	require.Equal(t, 2, j.Report().Calls)
	require.NoError(t, j.Close(now))
}

// TestRefusedByKey checks a refusal that the scheduler can tell only in its turn, at a Submit and when the file is opened again.
func TestRefusedByKey(t *testing.T) {
	cfg := quick(Handlers{"x": func(ctx context.Context, _ []byte) error { <-ctx.Done(); return context.Cause(ctx) }})
	path := pathIn(t)
	now, cancel := context.WithCancel(t.Context())
	cancel()
	j := openJournal(t, path, cfg)
	for _, id := range []string{"a", "b", "c"} {
		_, err := j.Submit(t.Context(), Call{ID: id, Handler: "x", Key: id})
		require.NoError(t, err)
	}
	require.NoError(t, j.Close(now))
	cfg.Scheduler.PerKey.MaxKeys = 2
	j = openJournal(t, path, cfg)
	_, err := j.Submit(t.Context(), Call{ID: "d", Handler: "x", Key: "d"})
	require.ErrorIs(t, err, scheduler.ErrTooManyKeys)
	_, err = j.Wait(t.Context(), "d")
	require.ErrorIs(t, err, ErrUnknown)
	_, err = j.Wait(t.Context(), "c")
	dead := new(DeadError)
	require.ErrorAs(t, err, &dead)
	require.Equal(t, events.Refused, dead.End)
	require.Contains(t, dead.Reason, "too many keys")
	require.NoError(t, j.Close(now))
	cfg.Scheduler.PerKey.MaxKeys = 0
	j = openJournal(t, path, cfg)
	require.Equal(t, 2, j.Report().Calls)
	require.NoError(t, j.Again(t.Context(), "c"))
	require.NoError(t, j.Close(now))
}

// TestSetMaxQueued bounds the queue of a journal whose Config has no bound. A Submit is refused, and does not wait for room.
func TestSetMaxQueued(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, dir, scheduler.Config{Limit: bucket.PerMinute(1).Burst(1)})
		for _, id := range []string{"a", "b", "c"} {
			l.submit(Call{ID: id})
		}
		synctest.Wait()
		require.NoError(t, l.j.Scheduler().SetMaxQueued(1))
		full := new(scheduler.QueueFullError)
		_, err := l.j.Submit(t.Context(), Call{Handler: "call"})
		require.ErrorAs(t, err, &full)
		for _, id := range []string{"a", "b", "c"} {
			require.NoError(t, l.wait(id, time.Hour))
		}
		l.end()
	})
}

// TestLaterCallsFindRoom lets calls with NotBefore arrive while the queue is full, with a bound that was set after they were
// accepted, in the same life and in the next. They were accepted, so they are made.
func TestLaterCallsFindRoom(t *testing.T) {
	for name, bound := range map[string]func(*life){
		"set":        func(l *life) { require.NoError(l.t, l.j.Scheduler().SetMaxQueued(1)) },
		"configured": func(l *life) { l.cfg.Scheduler.MaxQueued = 1 },
		"of a key":   func(l *life) { l.cfg.Scheduler.PerKey.MaxQueued = 1 },
	} {
		for kind, restart := range map[string]func(*life){"closed": (*life).end, "killed": (*life).die} {
			t.Run(name+", "+kind, func(t *testing.T) {
				dir := t.TempDir()
				synctest.Test(t, func(t *testing.T) {
					l := newLife(t, dir, scheduler.Config{Limit: bucket.PerMinute(1).Burst(1), Overflow: scheduler.RefuseNew})
					for _, id := range []string{"a", "b", "c"} {
						l.submit(Call{ID: id, Key: "k"})
						l.submit(Call{ID: "later " + id, Key: "k", NotBefore: time.Now().Add(time.Second)})
					}
					bound(l)
					restart(l)
					l.begin()
					bound(l)
					l.submit(Call{ID: "later still", NotBefore: time.Now().Add(time.Second)})
					time.Sleep(2 * time.Second)
					full := new(scheduler.QueueFullError)
					_, err := l.j.Submit(t.Context(), Call{Handler: "call", Key: "k"})
					require.ErrorAs(t, err, &full)
					for _, id := range []string{"a", "b", "c", "later a", "later b", "later c", "later still"} {
						require.NoError(t, l.wait(id, time.Hour))
					}
					l.end()
				})
			})
		}
	}
}

// TestConfig checks the errors of configurations.
func TestConfig(t *testing.T) {
	_, err := Open(pathIn(t), Config{
		Handlers: Handlers{"x": nil}, MaxCrashes: -1, KeepEnded: -2, KeepFor: -time.Second,
		Scheduler: scheduler.Config{MaxQueued: 5, MaxInFlight: -3},
	})
	require.EqualError(t, err, `journal: Config.Handlers["x"] is nil
journal: Config.Scheduler.Overflow is WaitForRoom: with MaxQueued it must be RefuseNew, since a call that is accepted is not dropped, and one that waits for room is not accepted
journal: Config.MaxCrashes is -1: it must be positive, or 0 for 20
journal: Config.KeepEnded is -2: it must be positive, or 0 for 100,000
journal: Config.KeepFor is -1s: it must be positive, or 0 for an hour
journal: Config.Scheduler: scheduler: Config.MaxInFlight is -3: it must be positive, or 0 for no cap`)
}

// TestAfterClose checks that a closed journal says so.
func TestAfterClose(t *testing.T) {
	j := openJournal(t, pathIn(t), quick(Handlers{"x": func(context.Context, []byte) error { return nil }}))
	_, err := j.Submit(t.Context(), Call{ID: "x", Handler: "x"})
	require.NoError(t, err)
	require.NoError(t, j.Close(t.Context()))
	_, err = j.Wait(t.Context(), "x")
	require.ErrorIs(t, err, ErrClosed)
	_, err = j.Submit(t.Context(), Call{ID: "x", Handler: "x"})
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, j.Again(t.Context(), "x"), ErrClosed)
	require.ErrorIs(t, j.Forget("x"), ErrClosed)
	require.ErrorIs(t, j.Close(t.Context()), ErrClosed)
	var none context.Context
	for _, err := range []error{j.Close(none), j.Again(none, "x")} {
		require.ErrorIs(t, err, errNilContext)
	}
}

// TestResultOutside checks that a result is taken only while its handler runs.
func TestResultOutside(t *testing.T) {
	require.EqualError(t, Result(t.Context(), nil), "journal: Result needs the context of a handler")
	var kept context.Context
	j := openJournal(t, pathIn(t), quick(Handlers{"x": func(ctx context.Context, _ []byte) error {
		kept = ctx
		require.NoError(t, Result(ctx, []byte("first")))
		return Result(ctx, []byte("last"))
	}}))
	_, err := j.Submit(t.Context(), Call{ID: "x", Handler: "x"})
	require.NoError(t, err)
	result, err := j.Wait(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "last", string(result))
	require.EqualError(t, Result(kept, nil), `journal: Result of call "x": its handler has returned: keep the result before it does`)
	_, ok := CallInfo(t.Context())
	require.False(t, ok)
}
