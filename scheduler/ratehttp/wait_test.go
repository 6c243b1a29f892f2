package ratehttp_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// A server's wait holds everybody, those that it was not told to as well.
func TestServerWaitHoldsEverybody(t *testing.T) {
	srv := answers(t, "429 Retry-After-Ms: 200", "200")
	s := open(t, scheduler.Config{})
	sub := s.Subscribe(events.Granted, events.Held)
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

// H48: all that were told the same come back one after the other, and none too early.
func TestH48_NoHerd(t *testing.T) {
	const n = 20
	var told sync.WaitGroup
	told.Add(n)
	srv := serve(t, func(k int64, w http.ResponseWriter, r *http.Request) {
		if k <= n {
			told.Done()
			told.Wait() // so they are all told at the same time
			w.Header().Set("Retry-After-Ms", "100")
			w.WriteHeader(429)
		}
	})
	s := open(t, scheduler.Config{Limit: bucket.PerSecond(1000)})
	sub := s.Subscribe(events.Granted, events.Held)
	c := client(t, &ratehttp.Transport{Scheduler: s})
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			res, err := c.Get(srv.URL)
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
	require.Len(t, back, n, "each at an instant of its own")
	idle(t, s, srv)
}

// H46, H47: waits that are nonsense are none; those that are too long end the request with the server's own answer, and
// hold the others no longer than the policy accepts.
func TestH46_RetryAfterOverHTTP(t *testing.T) {
	for value, tooLong := range map[string]bool{
		"-5": false, "NaN": false, "soon": false, "Wed, 21 Oct 2015 07:28:00 GMT": false,
		"517975:00:00": false, "99999999999999999999999": true, "1e400": false, "Inf": false,
		"Fri, 31 Dec 9999 23:59:59 GMT": true, "Friday, 31-Dec-68 23:59:59 GMT": true, "Fri Dec 31 23:59:59 9999": true,
		"1792152901": false, "4102444800": true,
	} {
		srv := answers(t, "429 Retry-After: "+value, "200")
		s := open(t, scheduler.Config{Retry: retry.Policy{Initial: time.Millisecond, MaxServerWait: time.Minute}})
		res, err := client(t, &ratehttp.Transport{Scheduler: s, Clock: at2027{}}).Get(srv.URL)
		want := "answer 2"
		if tooLong {
			want = "answer 1"
			require.LessOrEqual(t, s.Snapshot().HeldUntil.Sub(s.Snapshot().At), time.Minute)
		}
		require.Equal(t, want, text(t, res, err), value)
		idle(t, s, srv)
	}
}

// at2027 is a clock that stands.
type at2027 struct{ clock.Clock }

func (at2027) Now() time.Time { return time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) }

// A request ends with its context wherever it is, and leaves nothing behind.
func TestCancel(t *testing.T) {
	slow := scheduler.Config{Retry: retry.Policy{Initial: time.Hour}}
	for name, c := range map[string]struct {
		cfg   scheduler.Config
		path  string
		event events.Kind // when to cancel; none: before
		spent int64
		last  bool // there is an attempt whose error is to be found
	}{
		"before":        {},
		"in the queue":  {cfg: scheduler.Config{Limit: bucket.Limit{Capacity: 1, Refill: 1, Per: time.Hour}, Level: new(bucket.State)}, event: events.Queued},
		"at the server": {path: "/stuck", event: events.Granted, spent: 1},
		"in backoff":    {cfg: slow, path: "/busy", event: events.Retrying, spent: 1, last: true},
	} {
		t.Run(name, func(t *testing.T) {
			arrived := make(chan struct{})
			srv := serve(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
				close(arrived)
				if r.URL.Path == "/stuck" {
					<-r.Context().Done()
				}
				w.WriteHeader(503)
			})
			s := open(t, c.cfg)
			sub := s.Subscribe()
			h := client(t, &ratehttp.Transport{Scheduler: s})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			failed := make(chan error, 1)
			req := request(t, "GET", srv.URL+c.path, "").WithContext(ctx)
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
			require.Equal(t, c.spent, s.Snapshot().Ledger.Spent-s.Snapshot().Ledger.Refunded)
			idle(t, s, srv)
		})
	}
}

// H14: a turn that comes after the client's timeout is not waited for.
func TestH14_ClientTimeout(t *testing.T) {
	s := open(t, scheduler.Config{Limit: bucket.Limit{Capacity: 1, Refill: 1, Per: time.Hour}, Level: new(bucket.State)})
	c := client(t, &ratehttp.Transport{Scheduler: s})
	c.Timeout = time.Minute
	_, err := c.Get("http://127.0.0.1:1/")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorAs(t, err, new(*scheduler.DeadlineError))
	idle(t, s, nil)
}

// A retry that would come after the deadline is not waited for either: the response that there is has more to say.
func TestDeadlineBeforeTheRetry(t *testing.T) {
	srv := answers(t, "503")
	s := open(t, scheduler.Config{Retry: retry.Policy{Initial: time.Hour, Max: time.Hour}})
	c := client(t, &ratehttp.Transport{Scheduler: s})
	c.Timeout = time.Minute
	res, err := c.Get(srv.URL)
	require.Equal(t, "answer 1", text(t, res, err))
	idle(t, s, srv)
}

// A response that was refused for good while the scheduler is closed is still the caller's.
func TestClosedMeanwhile(t *testing.T) {
	closing := make(chan struct{})
	srv := serve(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
		<-closing
		w.WriteHeader(503)
		_, _ = io.WriteString(w, "busy")
	})
	s := open(t, scheduler.Config{})
	sub := s.Subscribe(events.Granted)
	go func() {
		until(t, sub, events.Granted)
		s.Close()
		close(closing)
	}()
	res, err := client(t, &ratehttp.Transport{Scheduler: s}).Get(srv.URL)
	require.Equal(t, "busy", text(t, res, err))
	require.EqualValues(t, 1, srv.requests.Load())
}
