package ratehttp_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// TestServerWaitHoldsEverybody checks that a server's wait holds all requests, not only the refused one.
func TestServerWaitHoldsEverybody(t *testing.T) {
	srv := answers(t, "429 Retry-After-Ms: 200", "200")
	s := open(t, scheduler.Config{})
	sub := s.Subscribe(events.Of(events.Granted, events.Held))
	c := client(t, &ratehttp.Transport{Scheduler: s})
	var all sync.WaitGroup
	get := func() {
		res, err := c.Get(srv.URL)
		_ = text(t, res, err)
	}
	all.Go(get)
	held := until(t, sub, events.Held)
	require.GreaterOrEqual(t, held.Delay, 200*time.Millisecond)
	all.Go(get)
	for range 2 {
		require.False(t, until(t, sub, events.Granted).At.Before(held.Until))
	}
	all.Wait()
	idle(t, s, srv)
}

// TestH48_NoHerd checks that requests with the same wait come back one after the other, and none too early.
func TestH48_NoHerd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 20
		var k atomic.Int64
		var told sync.WaitGroup
		told.Add(n)
		base := served(t, func(w http.ResponseWriter, r *http.Request) {
			if k.Add(1) <= n {
				told.Done()
				told.Wait() // so that all are refused at the same time
				w.Header().Set("Retry-After-Ms", "100")
				w.WriteHeader(429)
			}
		})
		s := open(t, scheduler.Config{Limit: bucket.PerSecond(1000)})
		sub := s.Subscribe(events.Of(events.Granted, events.Held))
		c := client(t, &ratehttp.Transport{Scheduler: s, Base: base})
		var all sync.WaitGroup
		for range n {
			all.Go(func() {
				res, err := c.Get("http://example.com/")
				_ = text(t, res, err)
			})
		}
		all.Wait()
		sub.Close()
		var held time.Time
		back := map[time.Time]bool{}
		for ev := range sub.C {
			switch {
			case ev.Kind == events.Held:
				held = ev.Until
			case ev.Attempt == 2:
				require.False(t, ev.At.Before(held))
				back[ev.At] = true
			}
		}
		require.Len(t, back, n, "each at its own instant")
		require.EqualValues(t, k.Load(), s.Snapshot().Totals.Attempts)
		idle(t, s, nil)
	})
}

// TestH46_RetryAfterOverHTTP (H46, H47) checks that nonsensical waits are ignored. A wait that is too long ends the request with the
// server's response, and holds other requests no longer than the policy accepts.
func TestH46_RetryAfterOverHTTP(t *testing.T) {
	for value, tooLong := range map[string]bool{
		"-5": false, "NaN": false, "soon": false, "Wed, 21 Oct 2015 07:28:00 GMT": false,
		"517975:00:00": false, "99999999999999999999999": true, "1e400": false, "Inf": false,
		"Fri, 31 Dec 9999 23:59:59 GMT": true, "Fri, 01 Jan 2100 00:00:00 GMT": false, "Fri Dec 31 23:59:59 9999": true,
		"1792152901": false, "9102444800": true,
	} {
		srv := answers(t, "429 Retry-After: "+value, "200")
		s := open(t, scheduler.Config{Clock: at2127{clock.System()}, Retry: retry.Policy{Initial: time.Millisecond, MaxServerWait: time.Minute}})
		res, err := client(t, &ratehttp.Transport{Scheduler: s}).Get(srv.URL)
		want := "answer 2"
		if tooLong {
			want = "answer 1"
			require.LessOrEqual(t, s.Snapshot().HeldUntil.Sub(s.Snapshot().At), time.Minute)
		}
		require.Equal(t, want, text(t, res, err), value)
		idle(t, s, srv)
	}
}

// at2127 is a clock that is a century ahead.
type at2127 struct{ clock.Clock }

func (c at2127) Now() time.Time { return c.Clock.Now().Add(101 * 365 * 24 * time.Hour) }

// TestCancel checks that a request ends with its context at any stage, and that nothing is left of it.
func TestCancel(t *testing.T) {
	slow := scheduler.Config{Retry: retry.Policy{Initial: time.Hour}}
	for name, c := range map[string]struct {
		cfg   scheduler.Config
		path  string
		event events.Kind // when to cancel; 0 for before the request
		spent int64
		last  bool // the error contains that of an attempt
	}{
		"before":        {},
		"in the queue":  {cfg: scheduler.Config{Limit: bucket.Limit{Capacity: 1, Refill: 1, Per: time.Hour}, Level: new(bucket.State)}, event: events.Queued},
		"at the server": {path: "/stuck", event: events.Granted, spent: 1},
		"in backoff":    {cfg: slow, path: "/busy", event: events.Retrying, spent: 1, last: true},
	} {
		t.Run(name, func(t *testing.T) {
			arrived := make(chan struct{})
			srv := serve(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // otherwise the server does not notice that its client is gone
				close(arrived)
				if r.URL.Path == "/stuck" {
					<-r.Context().Done()
				}
				w.WriteHeader(503)
			})
			s := open(t, c.cfg)
			sub := s.Subscribe(events.All)
			h := client(t, &ratehttp.Transport{Scheduler: s})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			failed := make(chan error, 1)
			sent := &closeable{Reader: strings.NewReader("x")}
			req := request(t, "PUT", srv.URL+c.path, "x").WithContext(ctx)
			req.Body = sent
			if c.event == events.Kind(0) {
				cancel()
			}
			go func() {
				_, err := h.Do(req)
				failed <- err
			}()
			if c.event != events.Kind(0) {
				until(t, sub, c.event)
				if c.spent > 0 {
					<-arrived
				}
				cancel()
			}
			err := <-failed
			require.ErrorIs(t, err, context.Canceled)
			if c.last { // H13
				require.ErrorAs(t, err, new(*ratehttp.StatusError))
			}
			require.True(t, sent.closed.Load())
			require.Equal(t, c.spent, s.Snapshot().Ledger.Spent-s.Snapshot().Ledger.Refunded)
			idle(t, s, srv)
		})
	}
}

// TestH14_ClientTimeout checks that a request ends at once if its turn would come after the client's timeout.
func TestH14_ClientTimeout(t *testing.T) {
	s := open(t, scheduler.Config{Limit: bucket.Limit{Capacity: 1, Refill: 1, Per: time.Hour}, Level: new(bucket.State)})
	c := client(t, &ratehttp.Transport{Scheduler: s})
	c.Timeout = time.Minute
	_, err := c.Get("http://127.0.0.1:1/")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorAs(t, err, new(*scheduler.DeadlineError))
	idle(t, s, nil)
}

// TestDeadlineBeforeTheRetry checks that a request whose retry would come after the deadline returns the response that it has.
func TestDeadlineBeforeTheRetry(t *testing.T) {
	srv := answers(t, "503")
	s := open(t, scheduler.Config{Retry: retry.Policy{Initial: time.Hour, Max: time.Hour}})
	c := client(t, &ratehttp.Transport{Scheduler: s})
	c.Timeout = time.Minute
	res, err := c.Get(srv.URL)
	require.Equal(t, "answer 1", text(t, res, err))
	idle(t, s, srv)
}

// TestClosedMeanwhile checks that the caller gets a final response even if the scheduler is closed meanwhile.
func TestClosedMeanwhile(t *testing.T) {
	closing := make(chan struct{})
	srv := serve(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
		<-closing
		w.WriteHeader(503)
		_, _ = io.WriteString(w, "busy")
	})
	s := open(t, scheduler.Config{})
	sub := s.Subscribe(events.Of(events.Granted))
	go func() {
		until(t, sub, events.Granted)
		s.Close()
		close(closing)
	}()
	res, err := client(t, &ratehttp.Transport{Scheduler: s}).Get(srv.URL)
	require.Equal(t, "busy", text(t, res, err))
	require.EqualValues(t, 1, srv.requests.Load())
}

// TestTimeoutAtTheServer checks that a timeout while the server works is net/http's own.
func TestTimeoutAtTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		base := served(t, func(_ http.ResponseWriter, r *http.Request) {
			requests++
			<-r.Context().Done()
		})
		s := open(t, scheduler.Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := client(t, &ratehttp.Transport{Scheduler: s, Base: base}).Do(request(t, "GET", "http://example.com/", "").WithContext(ctx))
		var failed *url.Error
		require.ErrorAs(t, err, &failed)
		require.True(t, failed.Timeout())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		idle(t, s, nil)
		require.EqualValues(t, 1, s.Snapshot().Totals.Attempts)
		synctest.Wait()
		require.Equal(t, 1, requests)
	})
}

// TestDoneWhenGranted (H10) checks that a request whose context is done when it is granted is not sent and pays nothing.
func TestDoneWhenGranted(t *testing.T) {
	s := open(t, scheduler.Config{Limit: slow})
	tr := &ratehttp.Transport{Scheduler: s, Base: roundTrip(func(*http.Request) (*http.Response, error) { panic("it was sent") })}
	_, err := tr.RoundTrip(request(t, "GET", "http://127.0.0.1/", "").WithContext(&doneAfter{t.Context(), 2}))
	require.ErrorIs(t, err, context.Canceled)
	require.EqualValues(t, 1, s.Snapshot().Ledger.Refunded)
	idle(t, s, nil)
}

// doneAfter is a context without a Done channel, whose Err reports that it is done after a number of calls.
type doneAfter struct {
	context.Context
	left int
}

func (*doneAfter) Done() <-chan struct{} { return nil }

func (d *doneAfter) Err() error {
	if d.left--; d.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestContextKeepsNothing checks that a long-lived context does not keep a request in memory.
func TestContextKeepsNothing(t *testing.T) {
	s := open(t, scheduler.Config{})
	tr := &ratehttp.Transport{Scheduler: s, Base: roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("x"))}, nil
	})}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watched := &watchedContext{ctx, make(chan struct{}, 2)}
	res, err := tr.RoundTrip(request(t, "GET", "http://127.0.0.1/", "").WithContext(watched))
	require.Equal(t, "x", text(t, res, err))
	for range cap(watched.stopped) { // once by the scheduler and once by the body
		<-watched.stopped
	}
}

// watchedContext reports when a watcher has stopped watching it.
type watchedContext struct {
	context.Context
	stopped chan struct{}
}

// Value hides the inner context, so that package context calls AfterFunc below.
func (w *watchedContext) Value(any) any { return nil }

func (w *watchedContext) AfterFunc(f func()) (stop func() bool) {
	inner := context.AfterFunc(w.Context, f)
	return func() bool {
		w.stopped <- struct{}{}
		return inner()
	}
}

// TestTimeoutOfAnAttempt checks that a timeout of Base does not include the wait for the turn.
func TestTimeoutOfAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, scheduler.Config{Limit: bucket.PerMinute(1)})
		attempts := 0
		base := &http.Transport{ResponseHeaderTimeout: 5 * time.Second, DisableKeepAlives: true}
		base.DialContext = func(context.Context, string, string) (net.Conn, error) {
			attempts++
			silent := attempts == 1
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				if _, err := http.ReadRequest(bufio.NewReader(theirs)); err == nil && !silent {
					_, _ = io.WriteString(theirs, "HTTP/1.1 204 No Content\r\n\r\n")
				}
				_, _ = io.Copy(io.Discard, theirs) // until the other side hangs up
			}()
			return ours, nil
		}
		started := time.Now()
		res, err := (&ratehttp.Transport{Scheduler: s, Base: base}).RoundTrip(request(t, http.MethodGet, "http://example.com/", ""))
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusNoContent, res.StatusCode)
		require.Equal(t, 2, attempts, "the first has timed out")
		require.Equal(t, time.Minute, time.Since(started), "the second has waited for its token")
	})
}
