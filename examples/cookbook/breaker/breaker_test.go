package breaker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
	"example.com/fairlead/examples/cookbook/internal/wire"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is down until it is up, and answers in 100 ms. It notes when requests came while it was down.
type server struct {
	mu   sync.Mutex
	up   time.Time
	down []time.Time
}

func (s *server) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	time.Sleep(100 * time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().Before(s.up) {
		s.down = append(s.down, time.Now())
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// get returns a function that sends a request, and marks a 503 as transient.
func get(client *http.Client) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://server/", nil)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return retry.Transient(errors.New(res.Status))
		}
		return nil
	}
}

// run sends 1000 calls to a server that is down for 35 s, and returns how many requests it saw meanwhile.
func run(t *testing.T, failures int) (seen int) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{up: time.Now().Add(35 * time.Second)}
		client := &http.Client{Transport: wire.Serve(t, srv)}
		s, err := scheduler.New(scheduler.Config{
			Limit: bucket.PerSecond(100).Burst(10), MaxInFlight: 10, Classify: retry.Network,
			Retry: retry.Policy{MaxRetries: 10, Jitter: retry.None, Max: 8 * time.Second},
		})
		require.NoError(t, err)
		defer s.Close()
		b := &Breaker{Scheduler: s, Failures: failures, Rest: 10 * time.Second, MaxInFlight: 10}
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				require.NoError(t, s.Do(t.Context(), b.Guard(get(client)), scheduler.Name(fmt.Sprint(i))))
			})
		}
		all.Wait()
		require.Less(t, time.Since(srv.up), 25*time.Second, "all are answered at the full pace after the outage")
		seen = len(srv.down)
	})
	return seen
}

// TestOutage checks that a server that is down gets the calls that were in flight, four whose slots the first
// failures freed, and then one request every 10 s.
func TestOutage(t *testing.T) {
	require.LessOrEqual(t, run(t, 5), 10+4+3)
	require.Greater(t, run(t, 1<<30), 1000, "without a breaker")
}

// TestTooLate checks that a call whose deadline comes before the end of the rest fails at once, and not at its deadline.
func TestTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(10), Retry: retry.Policy{MaxRetries: retry.None}})
		require.NoError(t, err)
		defer s.Close()
		b := &Breaker{Scheduler: s, Failures: 1, Rest: time.Minute}
		require.Error(t, s.Do(t.Context(), b.Guard(func(context.Context) error { return retry.Transient(errors.New("down")) })))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, s.Do(ctx, b.Guard(func(context.Context) error { return nil })), context.DeadlineExceeded)
		require.Zero(t, time.Since(start))
	})
}
