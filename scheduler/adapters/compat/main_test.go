package compat

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc/test/bufconn"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/adapters"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// exact retries three times, after 1, 2 and 4 s, or after a server's wait of at most a minute.
var exact = retry.Policy{MaxRetries: 3, Jitter: retry.None, MaxServerWait: time.Minute}

// bubble runs a test in a synctest bubble, with a limiter that has two tokens and gets one a second.
func bubble(t *testing.T, f func(t *testing.T, l adapters.Limiter)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(1).Burst(2)})
		require.NoError(t, err)
		t.Cleanup(s.Close)
		f(t, adapters.Limiter{Scheduler: s})
	})
}

// seconds converts seconds since the start of the bubble.
func seconds(all ...time.Duration) []time.Duration {
	for i := range all {
		all[i] *= time.Second
	}
	return all
}

// server is a server in memory, so that time passes while clients wait for it.
type server struct {
	*httptest.Server
	client *http.Client // has no timeouts and no retries

	mu       sync.Mutex
	started  time.Time
	arrivals []time.Duration
}

// serve starts a server that gives these answers in order, and then repeats the last.
func serve(t *testing.T, answers ...http.HandlerFunc) *server {
	listener := bufconn.Listen(1 << 16)
	s := &server{started: time.Now()}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answers[min(s.arrived(), len(answers))-1](w, r)
	}))
	_ = s.Listener.Close() // the real network's
	s.Listener = listener
	s.Start()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return listener.DialContext(ctx)
	}}
	s.client = &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		s.Close()
	})
	return s
}

// arrived counts one more request, and returns the count.
func (s *server) arrived() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals = append(s.arrivals, time.Since(s.started))
	return len(s.arrivals)
}

// asked returns when requests arrived.
func (s *server) asked() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.arrivals)
}

// answer returns a handler that responds with a status, body and header fields.
func answer(status int, body string, fields ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(fields); i += 2 {
			w.Header().Set(fields[i], fields[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

var ok = answer(http.StatusOK, "{}")
