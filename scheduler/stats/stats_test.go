package stats_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/stats"
)

// newServer serves a scheduler, whose clock stands still, over a real connection.
func newServer(t *testing.T) (*scheduler.Scheduler, *httptest.Server, *clocktest.Mock) {
	mock := clocktest.NewMock()
	s, err := scheduler.New(scheduler.Config{Clock: mock})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	srv := httptest.NewServer(stats.Handler(s))
	t.Cleanup(srv.Close)
	return s, srv, mock
}

func ask(t *testing.T, srv *httptest.Server, method string) (*http.Response, string) {
	req, err := http.NewRequest(method, srv.URL, nil)
	require.NoError(t, err)
	resp, err := srv.Client().Do(req)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp, string(body)
}

// TestServedText checks the whole answer, on which monitors rely.
func TestServedText(t *testing.T) {
	s, srv, _ := newServer(t)
	require.NoError(t, s.Do(context.Background(), func(context.Context) error { return nil }))
	resp, body := ask(t, srv, http.MethodGet)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "application/json; charset=utf-8", resp.Header.Get("Content-Type"))
	require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
	require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
	require.Equal(t, `{
  "at": "2000-01-01T00:00:00Z",
  "available": 999,
  "ledger": {
    "initial": 1000,
    "refilled": 0,
    "refunded": 0,
    "adjusted": 0,
    "spent": 1
  },
  "limit": {
    "capacity": 1000,
    "refill": 100,
    "per": 60000000000
  },
  "level": {
    "tokens": 999,
    "at": "2000-01-01T00:00:00Z"
  },
  "budgets": [
    {
      "available": 999,
      "ledger": {
        "initial": 1000,
        "refilled": 0,
        "refunded": 0,
        "adjusted": 0,
        "spent": 1
      },
      "limit": {
        "capacity": 1000,
        "refill": 100,
        "per": 60000000000
      },
      "level": {
        "tokens": 999,
        "at": "2000-01-01T00:00:00Z"
      }
    }
  ],
  "queued": 0,
  "waiting_for_room": 0,
  "running": 0,
  "backing_off": 0,
  "max_in_flight": 0,
  "max_queued": 0,
  "rate": 1,
  "totals": {
    "accepted": 1,
    "succeeded": 1,
    "failed": 0,
    "exhausted": 0,
    "canceled": 0,
    "dropped": 0,
    "closed": 0,
    "refused": 0,
    "attempts": 1,
    "retries": 0,
    "rate_limited": 0
  },
  "seed": 0
}
`, body)
}

// TestEachLookIsNew checks that each request gets the current state, also after Close.
func TestEachLookIsNew(t *testing.T) {
	s, srv, mock := newServer(t)
	look := func() (state scheduler.Snapshot) {
		_, body := ask(t, srv, http.MethodGet)
		require.NoError(t, json.Unmarshal([]byte(body), &state))
		require.Equal(t, s.Snapshot(), state)
		return state
	}
	before := look()
	require.NoError(t, s.Do(context.Background(), func(context.Context) error { return nil }))
	mock.Add(time.Second)
	after := look()
	require.Equal(t, time.Second, after.At.Sub(before.At))
	require.Equal(t, before.Totals.Succeeded+1, after.Totals.Succeeded)
	s.Close()
	require.True(t, look().Closed)
}

func TestMethods(t *testing.T) {
	_, srv, _ := newServer(t)
	got, body := ask(t, srv, http.MethodGet)
	head, none := ask(t, srv, http.MethodHead)
	require.Empty(t, none)
	require.Equal(t, int64(len(body)), head.ContentLength)
	got.Header.Del("Date")
	head.Header.Del("Date")
	require.Equal(t, got.Header, head.Header)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		resp, body := ask(t, srv, method)
		require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
		require.Equal(t, "GET, HEAD", resp.Header.Get("Allow"))
		require.Equal(t, method+" is not allowed: use GET\n", body)
	}
}

// year10000 is a clock whose time JSON can't express.
type year10000 struct{ *clocktest.Mock }

func (year10000) Now() time.Time { return time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }

func TestWhatJSONCannotSay(t *testing.T) {
	s, err := scheduler.New(scheduler.Config{Clock: year10000{clocktest.NewMock()}})
	require.NoError(t, err)
	defer s.Close()
	srv := httptest.NewServer(stats.Handler(s))
	defer srv.Close()
	resp, body := ask(t, srv, http.MethodGet)
	require.Equal(t, http.StatusInternalServerError, resp.StatusCode)
	require.Contains(t, body, "year outside of range")
	var said struct{ Error string }
	require.NoError(t, json.Unmarshal([]byte(stats.Var(s).String()), &said))
	require.Contains(t, said.Error, "year outside of range")
}

func TestNilScheduler(t *testing.T) {
	require.PanicsWithValue(t, "stats: the scheduler is nil", func() { stats.Handler(nil) })
	require.PanicsWithValue(t, "stats: the scheduler is nil", func() { stats.Var(nil) })
}
