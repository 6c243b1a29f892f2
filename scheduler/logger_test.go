package scheduler_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// textLogger writes lines without the time, which is the logger's own.
func textLogger(to *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && len(groups) == 0 {
				return slog.Attr{}
			}
			return a
		},
	}))
}

// A server's wait is a warning, for it stops everybody.
func TestLoggerHeld(t *testing.T) {
	var log bytes.Buffer
	bubble(t, scheduler.Config{Logger: textLogger(&log)}, func(t *testing.T, s *scheduler.Scheduler) {
		require.Error(t, s.Do(t.Context(), failing(retry.After(errBusy, time.Hour)).run))
		s.Close()
		synctest.Wait()
		require.Contains(t, log.String(), `level=WARN msg=held seq=1 call=1 delay=2m0s available=0 err="server is busy (retry after 1h0m0s)"`)
	})
}

// stuck is a handler that does not come back.
type stuck struct {
	slog.Handler
	forever chan struct{}
}

func (h stuck) Handle(context.Context, slog.Record) error { <-h.forever; return nil }

// A logger that hangs holds up nobody, not even Close.
func TestH21_LoggerHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		forever := make(chan struct{})
		log := slog.New(stuck{slog.NewTextHandler(new(bytes.Buffer), nil), forever})
		s := open(t, scheduler.Config{Logger: log, EventBuffer: 4, Retry: exact})
		for range 10 {
			require.NoError(t, s.Do(t.Context(), (&flaky{failures: 3}).run))
		}
		s.Close()
		close(forever)
	})
}

// A pause and its end are worth a line each.
func TestLoggerPaused(t *testing.T) {
	var log bytes.Buffer
	bubble(t, scheduler.Config{Logger: textLogger(&log)}, func(t *testing.T, s *scheduler.Scheduler) {
		require.NoError(t, s.Pause())
		require.NoError(t, s.Resume())
		require.NoError(t, s.Resume(), "nothing is paused, and so nothing is told")
		require.NoError(t, s.HoldUntil(time.Now().Add(time.Minute)))
		time.Sleep(time.Hour)
		s.Close()
		synctest.Wait()
		require.Equal(t, "level=INFO msg=paused seq=1 available=1000\nlevel=INFO msg=resumed seq=2 available=1000\n"+
			"level=INFO msg=paused seq=3 delay=1m0s available=1000\nlevel=INFO msg=resumed seq=4 available=1000\n"+
			"level=INFO msg=\"shut down\" seq=5 available=1000\n", log.String())
	})
}
