package ratehttp_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

func TestZeroTransportPassesThrough(t *testing.T) {
	srv := answers(t, "429", "200")
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	res, err := (&http.Client{Transport: new(ratehttp.Transport)}).Get(srv.URL)
	require.Equal(t, "answer 1", text(t, res, err))
	require.Equal(t, 429, res.StatusCode)
}

// TestChoose gives one host a scheduler, and another host none.
func TestChoose(t *testing.T) {
	one, other := answers(t, "503", "200"), answers(t, "503", "200")
	s := open(t, scheduler.Config{})
	c := client(t, &ratehttp.Transport{Choose: func(req *http.Request) *scheduler.Scheduler {
		if "http://"+req.URL.Host == one.URL {
			return s
		}
		return nil
	}})
	res, err := c.Get(one.URL)
	require.Equal(t, "answer 2", text(t, res, err))
	res, err = c.Get(other.URL)
	require.Equal(t, "answer 1", text(t, res, err))
	idle(t, s, one)
}

// TestNoTurn checks that a request that gets no turn fails like a call, and that its body is closed.
func TestNoTurn(t *testing.T) {
	srv := answers(t, "200")
	s := open(t, scheduler.Config{Limit: bucket.Limit{Capacity: 1, Refill: 1, Per: time.Hour}})
	options := func(*http.Request) []scheduler.Option { return []scheduler.Option{scheduler.NoWait()} }
	c := client(t, &ratehttp.Transport{Scheduler: s, Options: options})
	res, err := c.Get(srv.URL)
	require.Equal(t, "answer 1", text(t, res, err))

	sent := &closeable{Reader: strings.NewReader("x")}
	req, err := http.NewRequest("POST", srv.URL, sent)
	require.NoError(t, err)
	_, err = c.Do(req)
	require.ErrorIs(t, err, scheduler.ErrWouldWait)
	require.True(t, sent.closed.Load())
	s.Close()
	_, err = c.Get(srv.URL)
	require.ErrorIs(t, err, scheduler.ErrClosed)
	idle(t, s, srv)
}

type closeable struct {
	io.Reader
	closed atomic.Bool
}

func (c *closeable) Close() error { c.closed.Store(true); return nil }

// TestH39_EveryAttemptPays checks that retries and redirects pay like the first attempt.
func TestH39_EveryAttemptPays(t *testing.T) {
	srv := answers(t, "503", "302 Location: /elsewhere", "500", "200")
	s := open(t, scheduler.Config{})
	cost := func(*http.Request) []scheduler.Option { return []scheduler.Option{scheduler.Cost(7)} }
	res, err := client(t, &ratehttp.Transport{Scheduler: s, Options: cost}).Get(srv.URL)
	require.Equal(t, "answer 4", text(t, res, err))
	require.EqualValues(t, 4*7, s.Snapshot().Ledger.Spent)
	require.EqualValues(t, 2, s.Snapshot().Totals.Retries)
	idle(t, s, srv)
}

// TestExhausted checks that when retries run out the last response is returned as it came, or an error with all attempts.
func TestExhausted(t *testing.T) {
	srv := answers(t, "503")
	s := open(t, scheduler.Config{})
	res, err := client(t, &ratehttp.Transport{Scheduler: s}).Get(srv.URL)
	require.Equal(t, "answer 4", text(t, res, err))
	require.Equal(t, 503, res.StatusCode)

	_, err = client(t, &ratehttp.Transport{Scheduler: s, ErrorWhenExhausted: true}).Get(srv.URL + "/path?key=secret")
	var exhausted *retry.ExhaustedError
	require.ErrorAs(t, err, &exhausted)
	require.Equal(t, 4, exhausted.Attempts)
	var status *ratehttp.StatusError
	require.ErrorAs(t, err, &status)
	require.Equal(t, &ratehttp.StatusError{Method: "GET", URL: srv.URL + "/path", StatusCode: 503, Status: "503 Service Unavailable"}, status)
	require.Equal(t, "GET "+srv.URL+"/path: 503 Service Unavailable", status.Error())
	require.EqualValues(t, 2, s.Snapshot().Totals.Exhausted)
	idle(t, s, srv)
}

// TestFinal checks that a response that is not retried is returned, and counts as failed.
func TestFinal(t *testing.T) {
	srv := answers(t, "404")
	s := open(t, scheduler.Config{})
	sub := s.Subscribe(events.Of(events.Failed))
	res, err := client(t, &ratehttp.Transport{Scheduler: s}).Get(srv.URL)
	require.Equal(t, "answer 1", text(t, res, err))
	require.ErrorContains(t, until(t, sub, events.Failed).Err, "404 Not Found")
	idle(t, s, srv)
}

// TestNoConnection checks that a request of any method is retried if there was no connection.
func TestNoConnection(t *testing.T) {
	s := open(t, scheduler.Config{})
	_, err := client(t, &ratehttp.Transport{Scheduler: s}).Do(request(t, "POST", "http://127.0.0.1:1", "x"))
	require.ErrorIs(t, err, retry.ErrExhausted)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.EqualValues(t, 4, s.Snapshot().Totals.Attempts)
	idle(t, s, nil)
}

// TestLostConnection checks that after a lost connection only idempotent requests are retried, because the server may have acted.
func TestLostConnection(t *testing.T) {
	for method, attempts := range map[string]int64{"GET": 4, "POST": 1} {
		srv := serve(t, func(int64, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		s := open(t, scheduler.Config{})
		c := client(t, &ratehttp.Transport{Scheduler: s, Base: &http.Transport{DisableKeepAlives: true}})
		_, err := c.Do(request(t, method, srv.URL, "x"))
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, attempts > 1, errors.Is(err, retry.ErrExhausted))
		require.Equal(t, attempts, srv.requests.Load(), method)
		idle(t, s, srv)
	}
}

// TestClassify checks that Classify decides instead of the default verdict.
func TestClassify(t *testing.T) {
	srv := answers(t, "500", "200", "200")
	s := open(t, scheduler.Config{})
	judge := func(a ratehttp.Attempt) retry.Verdict {
		if a.Err == nil && a.Response.StatusCode == 200 && srv.requests.Load() < 3 {
			return retry.Verdict{Kind: retry.KindTransient}
		}
		return retry.Verdict{}
	}
	c := client(t, &ratehttp.Transport{Scheduler: s, Classify: judge})
	res, err := c.Get(srv.URL)
	require.Equal(t, "answer 1", text(t, res, err), "500 is final")
	res, err = c.Get(srv.URL)
	require.Equal(t, "answer 3", text(t, res, err), "the first 200 is not")
	idle(t, s, srv)
}

// TestSchedulersClassifier checks that the scheduler's own classifier does not judge outcomes of the transport.
func TestSchedulersClassifier(t *testing.T) {
	srv := answers(t, "503", "404")
	s := open(t, scheduler.Config{Classify: func(err error) retry.Verdict {
		t.Errorf("it was asked about %v", err)
		return retry.Verdict{}
	}})
	res, err := client(t, &ratehttp.Transport{Scheduler: s}).Get(srv.URL)
	require.Equal(t, "answer 2", text(t, res, err))
	idle(t, s, srv)
}

// TestH01_PanicsFreeTheSlot checks that a panic on the way frees the slot and reaches the caller.
func TestH01_PanicsFreeTheSlot(t *testing.T) {
	srv := answers(t, "200")
	s := open(t, scheduler.Config{MaxInFlight: 1})
	oops := func(ratehttp.Attempt) retry.Verdict { panic("oops") }
	for _, tr := range []*ratehttp.Transport{
		{Scheduler: s, Base: roundTrip(func(*http.Request) (*http.Response, error) { panic("oops") })},
		{Scheduler: s, Base: roundTrip(func(*http.Request) (*http.Response, error) { return nil, io.EOF }), Classify: oops},
	} {
		require.PanicsWithValue(t, "oops", func() { _, _ = tr.RoundTrip(request(t, "GET", srv.URL, "")) })
	}
	require.EqualValues(t, 2, s.Snapshot().Totals.Failed)
	idle(t, s, nil)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// TestStorm sends many requests at once to a server that refuses and fails. All are answered in the end, and each one that the server
// saw was paid for.
func TestStorm(t *testing.T) {
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			srv := new(server)
			srv.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Proto != protocol {
					t.Errorf("it speaks %s", r.Proto)
				}
				body, _ := io.ReadAll(r.Body)
				switch n := srv.requests.Add(1); {
				case n%7 == 0:
					w.Header().Set("Retry-After-Ms", "2")
					w.WriteHeader(429)
				case n%5 == 0:
					w.WriteHeader(503)
				}
				_, _ = w.Write(body)
			}))
			srv.EnableHTTP2 = protocol == "HTTP/2.0"
			srv.StartTLS()
			defer srv.Close()
			s := open(t, scheduler.Config{MaxInFlight: 16, Retry: retry.Policy{MaxRetries: 30, Initial: quick.Initial, Max: quick.Max}})
			base := srv.Client().Transport.(*http.Transport)
			base.MaxIdleConnsPerHost = 16
			c := client(t, &ratehttp.Transport{Scheduler: s, Base: base})
			var all sync.WaitGroup
			for range 200 {
				all.Go(func() {
					res, err := c.Do(request(t, "PUT", srv.URL, "as it was sent"))
					if err != nil {
						t.Error(err)
						return
					}
					body, err := io.ReadAll(res.Body)
					if err != nil || res.Body.Close() != nil || res.StatusCode != 200 || string(body) != "as it was sent" {
						t.Errorf("%s: %q, %v", res.Status, body, err)
					}
				})
			}
			all.Wait()
			idle(t, s, srv)
			require.EqualValues(t, 200, s.Snapshot().Totals.Succeeded)
		})
	}
}

// BenchmarkRoundTrip measures what a transport adds to a request that does not wait.
func BenchmarkRoundTrip(b *testing.B) {
	s, err := scheduler.New(scheduler.Config{Limit: plenty})
	require.NoError(b, err)
	defer s.Close()
	for name, tr := range map[string]*ratehttp.Transport{"through": {}, "scheduled": {Scheduler: s}} {
		tr.Base = roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
		})
		b.Run(name, func(b *testing.B) {
			req, err := http.NewRequest("GET", "http://127.0.0.1/", nil)
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tr.RoundTrip(req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
