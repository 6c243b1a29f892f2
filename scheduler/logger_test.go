package scheduler_test

import (
	"bytes"
	"context"
	"log/slog"
	"regexp"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// textLogger returns a logger that leaves out the time.
func textLogger(to *bytes.Buffer) *slog.Logger { return levelLogger(to, slog.LevelInfo) }

func levelLogger(to *bytes.Buffer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && len(groups) == 0 {
				return slog.Attr{}
			}
			return a
		},
	}))
}

// Retries, exhausted calls and the shutdown have one record each. Programs that read logs rely on
// levels, messages and keys.
func TestLogger(t *testing.T) {
	var log bytes.Buffer
	cfg := scheduler.Config{Logger: textLogger(&log), Retry: retry.Policy{MaxRetries: 1, Jitter: retry.None}}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		_ = s.Do(t.Context(), failing(retry.RateLimited(errBusy)).run, scheduler.Name("ping"))
		s.Close()
		synctest.Wait()
		require.Equal(t, `level=INFO msg=retrying seq=1 call=1 attempt=1 max_attempts=2 name=ping delay=1s available=999 err="server is busy (rate limited)"
level=ERROR msg=exhausted seq=2 call=1 attempt=2 max_attempts=2 name=ping available=999 err="retry: retries exhausted: 2 attempts failed, 1s waited in between, the last with: server is busy (rate limited)"
level=INFO msg="shut down" seq=3 available=999
`, log.String())
	})
}

// At Debug, an error that is not retried for want of a mark has a record. One that says that it is final has none.
func TestLoggerNotRetried(t *testing.T) {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo} {
		var log bytes.Buffer
		bubble(t, scheduler.Config{Logger: levelLogger(&log, level)}, func(t *testing.T, s *scheduler.Scheduler) {
			ctx := t.Context()
			require.Error(t, s.Do(ctx, failing(errBroken).run, scheduler.Name("unmarked")))
			require.NoError(t, s.Do(ctx, func(context.Context) error { return nil }))
			require.Error(t, s.Do(ctx, failing(retry.Permanent(errBroken)).run))
			require.Error(t, s.Do(ctx, failing(context.Canceled).run))
			require.Error(t, s.Do(ctx, failing(&retry.ExhaustedError{}).run))
			require.Panics(t, func() { _ = s.Do(ctx, func(context.Context) error { panic("oh") }) })
			h, err := s.Submit(ctx, func(context.Context) error { runtime.Goexit(); return nil })
			require.NoError(t, err)
			require.Error(t, settled(h))
			s.Close()
			synctest.Wait()
			want := ""
			if level == slog.LevelDebug {
				want = `level=DEBUG msg="not retried: the error is not marked and Classify does not know it" seq=1 call=1 attempt=1 max_attempts=6 name=unmarked available=999 err="request is malformed"
`
			}
			require.Equal(t, want, regexp.MustCompile(`(?m)^level=INFO msg="shut down".*\n`).ReplaceAllString(log.String(), ""))
		})
	}
}

// A change of the adaptive rate has a record.
func TestLoggerRate(t *testing.T) {
	var log bytes.Buffer
	cfg := scheduler.Config{Logger: textLogger(&log), Adaptive: true, Retry: retry.Policy{MaxRetries: retry.None}}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		require.Error(t, s.Do(t.Context(), failing(retry.RateLimited(errBusy)).run))
		s.Close()
		synctest.Wait()
		require.Contains(t, log.String(), "level=INFO msg=\"rate changed\" seq=1 available=999 rate=0.5\n")
	})
}

// A server's wait is a warning, since it stops all calls.
func TestLoggerHeld(t *testing.T) {
	var log bytes.Buffer
	bubble(t, scheduler.Config{Logger: textLogger(&log)}, func(t *testing.T, s *scheduler.Scheduler) {
		require.Error(t, s.Do(t.Context(), failing(retry.After(errBusy, time.Hour)).run))
		s.Close()
		synctest.Wait()
		require.Contains(t, log.String(), `level=WARN msg=held seq=1 call=1 delay=2m0s available=0 err="server is busy (retry after 1h0m0s)"`)
	})
}

// stuck is a handler that blocks until it is freed.
type stuck struct {
	slog.Handler
	freed chan struct{}
}

func (h stuck) Handle(ctx context.Context, r slog.Record) error {
	<-h.freed
	return h.Handler.Handle(ctx, r)
}

// A logger that hangs blocks nothing, not even Close, and reports how many events it missed (H21).
func TestH21_LoggerHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		freed := make(chan struct{})
		s := open(t, scheduler.Config{Logger: slog.New(stuck{textLogger(&log).Handler(), freed}), EventBuffer: 4, Retry: exact})
		for range 10 {
			require.NoError(t, s.Do(t.Context(), (&flaky{failures: 3}).run))
		}
		s.Close()
		close(freed)
		synctest.Wait()
		require.Contains(t, log.String(), "level=WARN msg=\"events not logged\" missed=")
		require.Contains(t, log.String(), "msg=\"shut down\"")
	})
}

// A pause and its end have a record each.
func TestLoggerPaused(t *testing.T) {
	var log bytes.Buffer
	bubble(t, scheduler.Config{Logger: textLogger(&log)}, func(t *testing.T, s *scheduler.Scheduler) {
		require.NoError(t, s.Pause())
		require.NoError(t, s.Resume())
		require.NoError(t, s.Resume(), "nothing is paused, so there is no record")
		require.NoError(t, s.PauseUntil(time.Now().Add(time.Minute)))
		time.Sleep(time.Hour)
		s.Close()
		synctest.Wait()
		require.Equal(t, "level=INFO msg=paused seq=1 available=1000\nlevel=INFO msg=resumed seq=2 available=1000\n"+
			"level=INFO msg=paused seq=3 delay=1m0s available=1000\nlevel=INFO msg=resumed seq=4 available=1000\n"+
			"level=INFO msg=\"shut down\" seq=5 available=1000\n", log.String())
	})
}
