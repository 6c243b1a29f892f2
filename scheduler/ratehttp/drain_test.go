package ratehttp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// watched is a base that records how much of the first response's body is read, and when it is closed.
type watched struct {
	http.RoundTripper
	first func(*seen) // called before the second attempt; may be nil
	seen  *seen
}

type seen struct {
	io.ReadCloser
	read   int
	shut   sync.Once
	closed chan struct{}
}

func (w *watched) RoundTrip(req *http.Request) (*http.Response, error) {
	if w.seen != nil {
		w.first(w.seen)
		return w.RoundTripper.RoundTrip(req)
	}
	res, err := w.RoundTripper.RoundTrip(req)
	if err == nil {
		w.seen = &seen{ReadCloser: res.Body, closed: make(chan struct{})}
		res.Body = w.seen
	}
	return res, err
}

func (w *watched) CloseIdleConnections() { w.RoundTripper.(*http.Transport).CloseIdleConnections() }

func (s *seen) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.read += n
	return n, err
}

func (s *seen) Close() error {
	err := s.ReadCloser.Close()
	s.shut.Do(func() { close(s.closed) })
	return err
}

// TestRefusalsAreDrained checks that a response that leads to a retry is read and closed, so that the next attempt can use its
// connection. If it is too long, it is only closed.
func TestRefusalsAreDrained(t *testing.T) {
	for length, connections := range map[int]int{1 << 10: 1, 1 << 24: 2} {
		from := map[string]bool{}
		srv := serve(t, func(n int64, w http.ResponseWriter, r *http.Request) {
			from[r.RemoteAddr] = true
			if n == 1 {
				w.WriteHeader(503)
				_, _ = w.Write(make([]byte, length))
			}
		})
		s := open(t, scheduler.Config{})
		base := &watched{RoundTripper: new(http.Transport), first: func(s *seen) {
			<-s.closed
			require.LessOrEqual(t, s.read, 64<<10)
		}}
		res, err := client(t, &ratehttp.Transport{Scheduler: s, Base: base}).Get(srv.URL)
		require.Empty(t, text(t, res, err))
		srv.Close()
		require.Len(t, from, connections, "a body of %d bytes", length)
	}
}

// TestH66_StalledRefusal checks that a refusal whose body never ends delays no request, and that its connection is closed.
func TestH66_StalledRefusal(t *testing.T) {
	closed := make(chan struct{})
	srv := serve(t, func(n int64, w http.ResponseWriter, r *http.Request) {
		if n > 1 {
			return
		}
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(429)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(closed)
	})
	s := open(t, scheduler.Config{MaxInFlight: 1})
	c := client(t, &ratehttp.Transport{Scheduler: s})
	for range 3 {
		res, err := c.Get(srv.URL)
		require.Empty(t, text(t, res, err))
		require.Equal(t, 200, res.StatusCode)
	}
	<-closed
	require.EqualValues(t, 4, srv.requests.Load())
	idle(t, s, srv)
}

// TestH66_DrainIsBounded checks that a refusal's body is read for a quarter of a second, while its request goes on at once.
func TestH66_DrainIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, scheduler.Config{})
		body := &silent{make(chan struct{}), time.Now(), 0}
		attempts := 0
		base := roundTrip(func(*http.Request) (*http.Response, error) {
			if attempts++; attempts == 1 {
				return &http.Response{StatusCode: 503, Body: body, ProtoMajor: 1}, nil
			}
			return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
		})
		started := time.Now()
		_, err := (&ratehttp.Transport{Scheduler: s, Base: base}).RoundTrip(request(t, "GET", "http://example.com/", ""))
		require.NoError(t, err)
		require.Less(t, time.Since(started), 10*time.Millisecond, "virtual time: the backoff alone")
		<-body.closed
		require.Equal(t, 250*time.Millisecond, body.after)
	})
}

// silent is a body whose Read blocks until Close.
type silent struct {
	closed chan struct{}
	made   time.Time
	after  time.Duration
}

func (b *silent) Read([]byte) (int, error) { <-b.closed; return 0, errors.New("closed") }

func (b *silent) Close() error {
	b.after = time.Since(b.made)
	close(b.closed)
	return nil
}

// TestDrainOfHTTP2 checks that the body of a refusal is closed unread, because that ends only its stream.
func TestDrainOfHTTP2(t *testing.T) {
	s := open(t, scheduler.Config{})
	body := &seen{ReadCloser: io.NopCloser(strings.NewReader("refused")), closed: make(chan struct{})}
	attempts := 0
	base := roundTrip(func(*http.Request) (*http.Response, error) {
		if attempts++; attempts == 1 {
			return &http.Response{StatusCode: 503, Body: body, ProtoMajor: 2}, nil
		}
		<-body.closed
		return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
	})
	_, err := (&ratehttp.Transport{Scheduler: s, Base: base}).RoundTrip(request(t, "GET", "http://example.com/", ""))
	require.NoError(t, err)
	require.Zero(t, body.read)
}

// TestDrainSurvivesAPanic checks that a body that panics does not end the process.
func TestDrainSurvivesAPanic(t *testing.T) {
	s := open(t, scheduler.Config{})
	body := &seen{ReadCloser: io.NopCloser(nil), closed: make(chan struct{})}
	attempts := 0
	base := roundTrip(func(*http.Request) (*http.Response, error) {
		if attempts++; attempts == 1 {
			return &http.Response{StatusCode: 503, Body: body, ProtoMajor: 1}, nil
		}
		<-body.closed
		return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
	})
	_, err := (&ratehttp.Transport{Scheduler: s, Base: base}).RoundTrip(request(t, "GET", "http://example.com/", ""))
	require.NoError(t, err)
}

// TestH13_DeadlineTellsOfTheRefusal checks that a deadline during an attempt is joined with the failure of the attempt before.
func TestH13_DeadlineTellsOfTheRefusal(t *testing.T) {
	srv := serve(t, func(n int64, w http.ResponseWriter, r *http.Request) {
		if n > 1 {
			<-r.Context().Done()
		}
		w.WriteHeader(429)
	})
	s := open(t, scheduler.Config{Retry: retry.Policy{Initial: time.Millisecond}})
	sub := s.Subscribe(events.Of(events.Granted))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		until(t, sub, events.Granted)
		until(t, sub, events.Granted)
		cancel()
	}()
	_, err := client(t, &ratehttp.Transport{Scheduler: s}).Do(request(t, "GET", srv.URL, "").WithContext(ctx))
	require.ErrorIs(t, err, context.Canceled)
	status := new(ratehttp.StatusError)
	require.ErrorAs(t, err, &status)
	require.Equal(t, 429, status.StatusCode)
	require.ErrorContains(t, err, "429 Too Many Requests")
}

// TestH13_TimeoutStaysATimeout checks that a deadline joined with a refusal is a timeout, and that a cancellation joined with a
// timeout is not.
func TestH13_TimeoutStaysATimeout(t *testing.T) {
	refusal := func() (*http.Response, error) {
		return &http.Response{StatusCode: 429, Status: "429 Too Many Requests", Body: http.NoBody}, nil
	}
	late := func() (*http.Response, error) { return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded} }
	for name, c := range map[string]struct {
		first  func() (*http.Response, error)
		queued bool // when the context ends; otherwise the second attempt runs
		ends   error
	}{
		"a deadline after a refusal":                   {refusal, false, context.DeadlineExceeded},
		"a deadline after a refusal, in the queue":     {refusal, true, context.DeadlineExceeded},
		"a cancellation after a timeout":               {late, false, context.Canceled},
		"a cancellation after a timeout, in the queue": {late, true, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, scheduler.Config{MaxInFlight: 1})
				first := true
				base := roundTrip(func(req *http.Request) (*http.Response, error) {
					if first {
						first = false
						if c.queued {
							_, err := s.Reserve(t.Context()) // gets the slot after this attempt, and keeps it
							require.NoError(t, err)
						}
						return c.first()
					}
					<-req.Context().Done()
					return nil, req.Context().Err()
				})
				ctx, cancel := context.WithCancel(t.Context())
				if c.ends == context.DeadlineExceeded {
					ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
				} else {
					time.AfterFunc(time.Minute, cancel)
				}
				defer cancel()
				_, err := client(t, &ratehttp.Transport{Scheduler: s, Base: base}).Do(request(t, "GET", "http://example.com/", "").WithContext(ctx))
				var failed *url.Error
				require.ErrorAs(t, err, &failed)
				require.Equal(t, c.ends == context.DeadlineExceeded, failed.Timeout())
				require.ErrorIs(t, err, c.ends)
				if res, last := c.first(); res != nil {
					require.ErrorAs(t, err, new(*ratehttp.StatusError))
				} else {
					require.ErrorIs(t, err, errors.Unwrap(last))
				}
			})
		})
	}
}
