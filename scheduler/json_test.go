package scheduler_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

func TestProgressAsJSON(t *testing.T) {
	require.Equal(t, `{"state":"retrying","call":7,"name":"ping","attempt":1,"max_attempts":6,"delay":1000000000,"budget":"tokens","available":12,"err":"server is busy"}`,
		asJSON(t, scheduler.Progress{State: scheduler.Retrying, Call: 7, Name: "ping", Attempt: 1, MaxAttempts: 6, Delay: time.Second, Budget: "tokens", Available: 12, Err: errBusy}))
	require.Equal(t, `{"state":"waiting","call":8,"attempt":1,"max_attempts":6,"position":3,"wait":1800000000,"available":0}`,
		asJSON(t, scheduler.Progress{State: scheduler.Waiting, Call: 8, Attempt: 1, MaxAttempts: 6, Position: 3, Wait: 1800 * time.Millisecond}))
}

func TestResultAsJSON(t *testing.T) {
	type result = scheduler.Result[string, int]
	require.Equal(t, `{"index":2,"input":"b","value":0,"call":7,"attempts":1,"times":{"run":1000000000}}`,
		asJSON(t, result{Index: 2, Input: "b", Call: 7, Attempts: 1, Times: events.Times{Run: time.Second}}), "a success has its value, zero or not")
	require.Equal(t, `{"index":0,"input":"a","err":"server is busy","attempts":6}`, asJSON(t, result{Input: "a", Err: errBusy, Attempts: 6}))
	require.Equal(t, `{"index":0,"input":"a","value":3,"err":"server is busy"}`, asJSON(t, result{Input: "a", Value: 3, Err: errBusy}), "the last attempt returned both")
	_, err := json.Marshal(scheduler.Result[string, float64]{Value: math.NaN()})
	require.Error(t, err)
}

// A server's text in a Progress stays on one line, without control characters.
func TestProgressCannotDriveATerminal(t *testing.T) {
	p := scheduler.Progress{State: scheduler.Retrying, Name: "a\x1bb", Attempt: 1, MaxAttempts: 6, Err: errors.Join(errors.New("c\u202e\u009b2J"), errors.New("d")), Available: 1}
	require.Equal(t, "a\ufffdb: attempt 1 of 6 failed: c\ufffd\ufffd2J; d; next in 0s, 1 token left", p.String())
	p.Budget = "\x1b"
	require.Contains(t, p.String(), ", 1 \ufffd left")
}

// unspeakable is an error whose Error method panics.
type unspeakable struct{}

func (unspeakable) Error() string { panic("gotcha") }

// A report of unfinished calls survives an error whose Error method panics (H03).
func TestH03_ErrorPanicsInAReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, scheduler.Config{Limit: bucket.PerMinute(1).Burst(2), Retry: exact})
		for _, fails := range []error{retry.Transient(unspeakable{}), retry.Transient(errBusy)} {
			submit(t, s, failing(fails).run)
		}
		synctest.Wait()
		soon, cancel := context.WithCancel(t.Context())
		cancel()
		left, err := s.Shutdown(soon)
		require.ErrorIs(t, err, scheduler.ErrClosed)
		require.Len(t, left, 2)
		require.Contains(t, left[0].Err, "PANIC")
		require.Equal(t, "server is busy", left[1].Err[:len("server is busy")])
		require.Contains(t, asJSON(t, left), "PANIC")
	})
}

// brittle is a handler that panics on some errors and on some records.
type brittle struct{ slog.Handler }

func (h brittle) Handle(ctx context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok {
			_ = err.Error()
		}
		return true
	})
	if r.Message == "exhausted" {
		panic("a fault of the handler")
	}
	return h.Handler.Handle(ctx, r)
}

// A logger that panics loses one record, and the process goes on (H03).
func TestH03_LoggerPanics(t *testing.T) {
	var log bytes.Buffer
	cfg := scheduler.Config{Logger: slog.New(brittle{textLogger(&log).Handler()}), Retry: retry.Policy{MaxRetries: 1, Jitter: retry.None}}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		_ = s.Do(t.Context(), failing(retry.Transient(unspeakable{})).run)
		_ = s.Do(t.Context(), failing(retry.Transient(errBusy)).run)
		s.Close()
		synctest.Wait()
		require.Contains(t, log.String(), `level=WARN msg="an event was not logged: the handler or the error panicked" seq=1 panic="scheduler: panic in logger: `)
		require.Contains(t, log.String(), `seq=4 panic="scheduler: panic in logger: a fault of the handler`)
		require.Contains(t, log.String(), `msg=retrying seq=3`)
		require.Contains(t, log.String(), `msg="shut down"`)
	})
}
