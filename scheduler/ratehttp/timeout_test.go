package ratehttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// timed runs f in a bubble with a client whose transport has an AttemptTimeout of 5 s and a ReadTimeout of 10 s, and a retry after 1 s.
func timed(t *testing.T, handle http.HandlerFunc, f func(t *testing.T, c *http.Client, s *scheduler.Scheduler)) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, scheduler.Config{MaxInFlight: 1, Retry: retry.Policy{MaxRetries: 1, Initial: time.Second, Jitter: retry.None}})
		tr := &ratehttp.Transport{Scheduler: s, Base: served(t, handle), AttemptTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
		f(t, client(t, tr), s)
		idle(t, s, nil)
		require.Zero(t, s.Snapshot().Totals.Canceled)
	})
}

// never is a handler that does not answer.
func never(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // otherwise the server does not notice that its client is gone
	<-r.Context().Done()
}

// TestAttemptTimeout checks that a request is retried after a timeout, with its body, and that neither the wait for its turn nor the
// body of its response counts.
func TestAttemptTimeout(t *testing.T) {
	var bodies []string
	timed(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if bodies = append(bodies, string(b)); len(bodies) == 1 {
			never(w, r)
			return
		}
		w.WriteHeader(200)
		_ = http.NewResponseController(w).Flush()
		time.Sleep(7 * time.Second)
		_, _ = io.WriteString(w, "done")
	}, func(t *testing.T, c *http.Client, s *scheduler.Scheduler) {
		r, err := s.Reserve(t.Context()) // holds the slot
		require.NoError(t, err)
		time.AfterFunc(time.Minute, func() { r.Done(nil) })
		started := time.Now()
		res, err := c.Do(request(t, "PUT", "http://example.com/", "x"))
		require.NoError(t, err)
		require.Equal(t, time.Minute+5*time.Second+time.Second, time.Since(started))
		require.Equal(t, "http://example.com/", res.Request.URL.String())
		require.Equal(t, "done", text(t, res, nil))
		require.NoError(t, res.Request.Context().Err(), "the user's context, not the attempt's")
		require.Equal(t, []string{"x", "x"}, bodies)
	})
}

// TestAttemptTimeoutIsExhausted checks that the error names the timeout when retries run out, and that it is not the user's
// cancellation.
func TestAttemptTimeoutIsExhausted(t *testing.T) {
	timed(t, never, func(t *testing.T, c *http.Client, s *scheduler.Scheduler) {
		_, err := c.Get("http://example.com/?secret=1")
		require.ErrorContains(t, err, "2 attempts failed, 1s waited in between, the last with: scheduler: attempt timed out after 5s")
		require.ErrorIs(t, err, retry.ErrExhausted)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, context.Canceled)
		require.EqualValues(t, 1, s.Snapshot().Totals.Exhausted)

		started := time.Now() // a POST is not repeated
		_, err = c.Post("http://example.com/", "", strings.NewReader("x"))
		require.ErrorAs(t, err, new(*scheduler.AttemptTimeoutError))
		var failed *url.Error
		require.ErrorAs(t, err, &failed)
		require.True(t, failed.Timeout())
		require.Equal(t, 5*time.Second, time.Since(started))
	})
}

// TestAttemptTimeoutByBase checks that an attempt that ends after its timeout is transient, whatever Base returns, and that the end of
// the user's context stays what it is.
func TestAttemptTimeoutByBase(t *testing.T) {
	lost := errors.New("lost")
	for name, end := range map[string]func(*http.Request) (*http.Response, error){
		"canceled": func(req *http.Request) (*http.Response, error) { return nil, req.Context().Err() },
		"cause": func(req *http.Request) (*http.Response, error) {
			return nil, &url.Error{Op: "Get", URL: req.URL.String(), Err: context.Cause(req.Context())}
		},
		"error":       func(*http.Request) (*http.Response, error) { return nil, retry.Permanent(lost) },
		"final":       func(*http.Request) (*http.Response, error) { return nil, net.ErrClosed },
		"nil pointer": func(*http.Request) (*http.Response, error) { return nil, (*url.Error)(nil) },
		"response": func(req *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("late")), Request: req}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempts := 0
				s := open(t, scheduler.Config{Retry: retry.Policy{MaxRetries: 1}})
				tr := &ratehttp.Transport{Scheduler: s, AttemptTimeout: time.Second, Base: roundTrip(func(req *http.Request) (*http.Response, error) {
					attempts++
					<-req.Context().Done()
					return end(req)
				})}
				_, err := tr.RoundTrip(request(t, "GET", "http://example.com/", ""))
				require.ErrorAs(t, err, new(*scheduler.AttemptTimeoutError))
				require.NotErrorIs(t, err, context.Canceled)
				require.Equal(t, errors.Is(err, lost), attempts == 1, "unless it is permanent")

				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Millisecond, func() { cancel(lost) })
				_, err = tr.RoundTrip(request(t, "GET", "http://example.com/", "").WithContext(ctx))
				require.NotContains(t, fmt.Sprint(err), "timed out", "the user's end came first")
				synctest.Wait()
				idle(t, s, nil)
			})
		})
	}
}

// TestReadTimeout checks that a stream that stalls ends with a timeout that names the field and frees the slot, and that a slow reader
// and a slow but steady stream are not disturbed.
func TestReadTimeout(t *testing.T) {
	timed(t, func(w http.ResponseWriter, r *http.Request) {
		for range 3 {
			_, _ = io.WriteString(w, "tick")
			_ = http.NewResponseController(w).Flush()
			if r.URL.Path == "/stalls" {
				never(w, r)
				return
			}
			time.Sleep(9 * time.Second)
		}
	}, func(t *testing.T, c *http.Client, s *scheduler.Scheduler) {
		res, err := c.Get("http://example.com/steady")
		require.Equal(t, "tickticktick", text(t, res, err))

		started := time.Now()
		res, err = c.Get("http://example.com/stalls")
		require.NoError(t, err)
		time.Sleep(time.Minute) // the caller's own time
		b, err := io.ReadAll(res.Body)
		require.Equal(t, "tick", string(b))
		require.Equal(t, time.Minute+10*time.Second, time.Since(started))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, context.Canceled)
		require.EqualError(t, err, "ratehttp: the response's body has stalled: no bytes came for 10s, which is Transport.ReadTimeout")
		require.Equal(t, retry.KindTransient, retry.Network(err).Kind)
		require.Zero(t, s.Snapshot().Running)
		n, again := res.Body.Read(make([]byte, 1))
		require.Zero(t, n)
		require.Equal(t, err, again)
		require.NoError(t, res.Body.Close())
	})
}

// TestTimeoutsLeaveNothing checks that no timer and no goroutine is left of a body that is closed, or not read and not closed until the
// user's context ends, or not there, and that the connection is used again after a whole body. With this clock a timer has a goroutine,
// and a bubble does not end with one that waits.
func TestTimeoutsLeaveNothing(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		dials := 0
		base := served(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/body" {
				_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
			}
		})
		dial := base.DialContext
		base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials++
			return dial(ctx, network, addr)
		}
		s := open(t, scheduler.Config{Clock: struct{ clock.Clock }{mock}})
		c := client(t, &ratehttp.Transport{Scheduler: s, Base: base, AttemptTimeout: time.Hour, ReadTimeout: time.Hour})
		for range 3 {
			res, err := c.Get("http://example.com/")
			require.Empty(t, text(t, res, err))
			res, err = c.Get("http://example.com/body")
			require.Len(t, text(t, res, err), 1<<20)
		}
		require.Equal(t, 1, dials)

		res, err := c.Get("http://example.com/body")
		require.NoError(t, err)
		_, err = res.Body.Read(make([]byte, 1))
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())

		ctx, cancel := context.WithCancel(t.Context())
		_, err = c.Do(request(t, "GET", "http://example.com/body", "").WithContext(ctx))
		require.NoError(t, err)
		cancel()
		synctest.Wait()
		idle(t, s, nil)
	})
}

// TestTimeoutsEndTheAttemptsContext checks that the context of an attempt ends with its response, so that a long-lived context does not
// keep it in memory.
func TestTimeoutsEndTheAttemptsContext(t *testing.T) {
	body := func() io.ReadCloser { return io.NopCloser(strings.NewReader("x")) }
	for name, c := range map[string]struct {
		body io.ReadCloser
		end  func(io.ReadCloser)
	}{
		"no body": {http.NoBody, func(io.ReadCloser) {}},
		"read":    {body(), func(b io.ReadCloser) { _, _ = io.ReadAll(b) }},
		"failed":  {io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF)), func(b io.ReadCloser) { _, _ = b.Read(make([]byte, 1)) }},
		"closed":  {body(), func(b io.ReadCloser) { _ = b.Close() }},
		"panic":   {nil, nil},
	} {
		var attempt context.Context
		tr := &ratehttp.Transport{Scheduler: open(t, scheduler.Config{}), ReadTimeout: time.Hour, Base: roundTrip(func(req *http.Request) (*http.Response, error) {
			attempt = req.Context()
			if c.end == nil {
				panic("boom")
			}
			return &http.Response{StatusCode: 200, Body: c.body}, nil
		})}
		req := request(t, "GET", "http://example.com/", "")
		if c.end == nil {
			require.PanicsWithValue(t, "boom", func() { _, _ = tr.RoundTrip(req) })
		} else {
			res, err := tr.RoundTrip(req)
			require.NoError(t, err)
			c.end(res.Body)
		}
		require.ErrorIs(t, attempt.Err(), context.Canceled, name)
	}
}

// TestH91_TimeoutOnAMockClock checks that a timeout on a mock clock is not a deadline of the attempt's context. Package net would
// compare it with the system clock, where it is over.
func TestH91_TimeoutOnAMockClock(t *testing.T) {
	arrived := make(chan struct{})
	srv := serve(t, func(n int64, w http.ResponseWriter, r *http.Request) {
		switch n {
		case 2:
			close(arrived)
			never(w, r)
		case 3:
			_ = http.NewResponseController(w).Flush()
			never(w, r)
		}
	})
	mock := clocktest.NewMock()
	s := open(t, scheduler.Config{Clock: mock, Retry: retry.Policy{MaxRetries: retry.None}})
	c := client(t, &ratehttp.Transport{Scheduler: s, AttemptTimeout: time.Hour, ReadTimeout: time.Hour})
	res, err := c.Get(srv.URL)
	require.Empty(t, text(t, res, err))
	var move sync.WaitGroup
	move.Go(func() {
		<-arrived
		mock.Add(time.Hour)
	})
	_, err = c.Get(srv.URL)
	require.ErrorAs(t, err, new(*scheduler.AttemptTimeoutError))
	move.Wait()

	res, err = c.Get(srv.URL)
	require.NoError(t, err)
	read, done := make(chan error), false
	go func() {
		_, err := io.ReadAll(res.Body)
		read <- err
	}()
	for !done { // the Read begins sometime
		select {
		case err = <-read:
			done = true
		case <-time.After(time.Millisecond):
			mock.Add(time.Hour)
		}
	}
	require.ErrorContains(t, err, "Transport.ReadTimeout")
}

// TestH92_DeadlineInTheQueue checks that an error tells when a deadline has passed, or would pass, while a request waits for its turn,
// and only then. It names a timeout without the wait.
func TestH92_DeadlineInTheQueue(t *testing.T) {
	const remedy = "ratehttp: the deadline comes before the request's turn (http.Client.Timeout and a context's deadline include the wait, Transport.AttemptTimeout does not): "
	get := func(t *testing.T, s *scheduler.Scheduler, base http.RoundTripper) error {
		c := client(t, &ratehttp.Transport{Scheduler: s, Base: base})
		c.Timeout = time.Minute
		_, err := c.Get("http://example.com/")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var failed *url.Error
		require.ErrorAs(t, err, &failed)
		require.True(t, failed.Timeout())
		return err
	}
	busy := roundTrip(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })
	synctest.Test(t, func(t *testing.T) {
		require.ErrorContains(t, get(t, open(t, scheduler.Config{Limit: slow, Level: &bucket.State{}}), busy), remedy+"scheduler: the call would have to wait")

		s := open(t, scheduler.Config{MaxInFlight: 1})
		r, err := s.Reserve(t.Context())
		require.NoError(t, err)
		require.ErrorContains(t, get(t, s, busy), remedy+"context deadline exceeded")
		r.Cancel()

		paused := roundTrip(func(*http.Request) (*http.Response, error) {
			s.Pause() // so that the retry waits
			return nil, io.ErrUnexpectedEOF
		})
		require.ErrorContains(t, get(t, s, paused), remedy+"context deadline exceeded (attempts made: 1, the last failed with: unexpected EOF)")
		s.Resume()

		err = get(t, s, served(t, never))
		require.NotContains(t, err.Error(), remedy, "it was at the server")
	})
}

// TestTimeoutsAndSwitchedProtocols checks that the connection of a 101 has no ReadTimeout.
func TestTimeoutsAndSwitchedProtocols(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		s := open(t, scheduler.Config{})
		var attempt context.Context
		tr := &ratehttp.Transport{Scheduler: s, AttemptTimeout: time.Second, ReadTimeout: time.Second, Base: roundTrip(func(req *http.Request) (*http.Response, error) {
			attempt = req.Context()
			return &http.Response{StatusCode: 101, Body: ours}, nil
		})}
		res, err := tr.RoundTrip(request(t, "GET", "http://example.com/", ""))
		require.NoError(t, err)
		go func() {
			b := make([]byte, 5)
			_, _ = io.ReadFull(theirs, b)
			time.Sleep(time.Hour)
			_, _ = theirs.Write(b)
		}()
		_, err = io.WriteString(res.Body.(io.Writer), "hello")
		require.NoError(t, err)
		b := make([]byte, 5)
		_, err = io.ReadFull(res.Body, b)
		require.NoError(t, err)
		require.Equal(t, "hello", string(b))
		require.NoError(t, attempt.Err())
		require.NoError(t, res.Body.Close())
		require.ErrorIs(t, attempt.Err(), context.Canceled, "the attempt is over")
	})
}

// dueAtOnce is a clock whose functions are due as soon as they are set. It calls them at once, or is still about to.
type dueAtOnce struct {
	clock.Clock
	calls bool
}

func (c dueAtOnce) AfterFunc(_ time.Duration, f func()) (stop func() bool) {
	if c.calls {
		f()
	}
	return func() bool { return false }
}

// TestTimeoutsAtTheLastMoment checks that a response or bytes that come with the timeout are late, and that the end of a body is not.
func TestTimeoutsAtTheLastMoment(t *testing.T) {
	for _, calls := range []bool{false, true} {
		s := open(t, scheduler.Config{Clock: dueAtOnce{clock.System(), calls}, Retry: retry.Policy{MaxRetries: retry.None}})
		base := roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("x"))}, nil
		})
		_, err := (&ratehttp.Transport{Scheduler: s, Base: base, AttemptTimeout: 1}).RoundTrip(request(t, "GET", "http://example.com/", ""))
		require.ErrorAs(t, err, new(*scheduler.AttemptTimeoutError))

		tr := &ratehttp.Transport{Scheduler: s, Base: base, ReadTimeout: 1}
		res, err := tr.RoundTrip(request(t, "GET", "http://example.com/", ""))
		require.NoError(t, err)
		b := make([]byte, 1)
		n, err := res.Body.Read(b)
		require.Equal(t, 1, n, "they are not lost")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = res.Body.Read(b)
		require.Equal(t, io.EOF, err)
		idle(t, s, nil)
	}
}
