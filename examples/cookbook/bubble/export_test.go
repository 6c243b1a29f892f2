package bubble

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/examples/cookbook/internal/wire"
	"example.com/fairlead/retry"
	"example.com/fairlead/retry/headers"
	"example.com/fairlead/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestExport checks when the records are sent. In a bubble the system clock, contexts and time.Sleep use the
// bubble's time, so the tested code needs no clock. Time moves when all goroutines wait.
func TestExport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := scheduler.New(scheduler.Config{Limit: bucket.PerMinute(1)})
		require.NoError(t, err)
		defer s.Close()
		var at []time.Duration
		started := time.Now()
		sent, err := Export(t.Context(), s, []string{"a", "b", "c"}, func(context.Context, string) error {
			at = append(at, time.Since(started))
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, 3, sent)
		require.Equal(t, []time.Duration{0, time.Minute, 2 * time.Minute}, at)
	})
}

// TestExportGivesUp checks that when the server asks to wait an hour, records that can't be sent within the half
// hour fail at once. The server is a real one, connected through memory, since a goroutine that waits for a
// socket does not count as waiting in a bubble.
func TestExportGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int64
		client := &http.Client{Transport: wire.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if requests.Add(1) == 6 {
				w.Header().Set("Retry-After", "3600")
				w.WriteHeader(http.StatusTooManyRequests)
			}
		}))}
		s, err := scheduler.New(scheduler.Config{Limit: bucket.PerMinute(1), Retry: retry.Policy{MaxServerWait: 2 * time.Hour}})
		require.NoError(t, err)
		defer s.Close()
		started := time.Now()
		sent, err := Export(t.Context(), s, make([]string, 20), func(context.Context, string) error {
			res, err := client.Get("http://api.example.com/")
			if err != nil {
				return err
			}
			if res.StatusCode != http.StatusOK {
				err = headers.Parse(res.Header, s.Now()).Mark(res.StatusCode, errors.New(res.Status))
			}
			return errors.Join(err, res.Body.Close())
		})
		require.Equal(t, 5, sent)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualValues(t, 6, requests.Load())
		require.Equal(t, 5*time.Minute, time.Since(started))
	})
}

// TestExportRetries moves the time itself, with a mock, and checks the state in between. When Add returns,
// everything that was due has happened, in all goroutines.
func TestExportRetries(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		s, err := scheduler.New(scheduler.Config{Clock: mock, Retry: retry.Policy{Initial: time.Second, Jitter: retry.None}})
		require.NoError(t, err)
		defer s.Close()
		attempts, ended := 0, false
		go func() {
			sent, err := Export(t.Context(), s, []string{"a"}, func(context.Context, string) error {
				if attempts++; attempts < 3 {
					return retry.Transient(errors.New("connection lost"))
				}
				return nil
			})
			if sent != 1 || err != nil {
				t.Error(sent, err)
			}
			ended = true
		}()
		mock.Add(0) // the first attempt has ended
		require.Equal(t, 1, attempts)
		require.Equal(t, 1, s.Snapshot().BackingOff)
		mock.Add(time.Second - 1)
		require.Equal(t, 1, attempts)
		mock.Add(1)
		require.Equal(t, 2, attempts)
		mock.Add(2 * time.Second)
		require.Equal(t, 3, attempts)
		require.True(t, ended)
	})
}
