package webhook

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver is a server that accepts each event once, however often it arrives.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex
	posts  int
	taken  []string            // bodies, in order
	seen   map[string]bool     // keys
	answer func(posts int) int // returns the status for the n-th post; nil means 200
}

func receive(t *testing.T, answer func(int) int) *receiver {
	r := &receiver{seen: map[string]bool{}, answer: answer}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.posts++
	status := http.StatusOK
	if r.answer != nil {
		status = r.answer(r.posts)
	}
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "3600")
	} else if key := req.Header.Get("Idempotency-Key"); key == "" || !r.seen[key] {
		r.seen[key] = true
		r.taken = append(r.taken, string(body))
	}
	w.WriteHeader(status)
}

// each waits long for servers, and sends one delivery at a time.
var each = scheduler.Config{
	Limit:       bucket.PerSecond(1000),
	Retry:       retry.Policy{Initial: time.Millisecond, MaxServerWait: 2 * time.Hour},
	Classify:    retry.Network,
	MaxInFlight: 1,
}

func (r *receiver) deliveries(n int) (all []Delivery) {
	for i := range n {
		all = append(all, Delivery{ID: fmt.Sprint(r.URL, "#", i), URL: r.URL + "/hook", Body: fmt.Append(nil, "event ", i)})
	}
	return all
}

func (r *receiver) want(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprint("event ", i))
	}
	return all
}

// send submits all deliveries.
func send(t *testing.T, s *Sender, all []Delivery) (handles []*scheduler.Handle) {
	for _, d := range all {
		h, err := s.Send(t.Context(), d)
		require.NoError(t, err)
		handles = append(handles, h)
	}
	return handles
}

func succeed(t *testing.T, handles []*scheduler.Handle) {
	for _, h := range handles {
		<-h.Done()
		require.NoError(t, h.Err())
	}
}

// TestTakenOnce checks that a receiver that fails after accepting an event gets it again, and recognizes its
// key.
func TestTakenOnce(t *testing.T) {
	r := receive(t, func(posts int) int {
		if posts%3 == 1 {
			return http.StatusInternalServerError
		}
		return http.StatusNoContent
	})
	s := &Sender{Client: r.Client(), Each: each}
	succeed(t, send(t, s, r.deliveries(10)))
	require.Empty(t, s.Shutdown(t.Context()))
	require.Equal(t, 15, r.posts, "every third of them in vain")
	require.ElementsMatch(t, r.want(10), r.taken)
}

// TestNothingIsLost checks that a receiver that asks to wait an hour does not hold up the others. What is left
// for it at shutdown is sent in order by the next sender.
func TestNothingIsLost(t *testing.T) {
	refuse := true
	busy := receive(t, func(int) int {
		if refuse {
			return http.StatusTooManyRequests
		}
		return http.StatusOK
	})
	idle := receive(t, nil)
	s := &Sender{Client: busy.Client(), Each: each}
	hold := holds(t, s, busy)
	left := send(t, s, busy.deliveries(20))
	<-hold
	succeed(t, send(t, s, idle.deliveries(20)))
	require.Equal(t, idle.want(20), idle.taken)

	soon, cancel := context.WithCancel(t.Context())
	cancel()
	ids := s.Shutdown(soon)
	for _, h := range left {
		<-h.Done()
		require.ErrorIs(t, h.Err(), scheduler.ErrClosed)
	}
	_, err := s.Send(t.Context(), Delivery{})
	require.ErrorIs(t, err, scheduler.ErrClosed)
	require.Equal(t, 1, busy.posts, "one has found out for all")

	busy.mu.Lock()
	refuse = false
	busy.mu.Unlock()
	kept := map[string]Delivery{} // as in a database
	for _, d := range busy.deliveries(20) {
		kept[d.ID] = d
	}
	var again []Delivery
	for _, id := range ids {
		again = append(again, kept[id])
	}
	s = &Sender{Client: busy.Client(), Each: each}
	succeed(t, send(t, s, again))
	require.Empty(t, s.Shutdown(t.Context()))
	require.Equal(t, busy.want(20), busy.taken)
}

// holds returns a channel that is closed when a receiver's host has refused.
func holds(t *testing.T, s *Sender, r *receiver) <-chan struct{} {
	host, err := s.host(r.Listener.Addr().String())
	require.NoError(t, err)
	sub := host.Subscribe(events.Of(events.Retrying))
	held := make(chan struct{})
	go func() {
		<-sub.C
		sub.Close()
		close(held)
	}()
	return held
}

// TestTooLate checks that a delivery that can't be made in time fails at once.
func TestTooLate(t *testing.T) {
	r := receive(t, func(int) int { return http.StatusTooManyRequests })
	s := &Sender{Client: r.Client(), Each: each}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	h, err := s.Send(ctx, r.deliveries(1)[0])
	require.NoError(t, err)
	<-h.Done()
	var late *scheduler.DeadlineError
	require.ErrorAs(t, h.Err(), &late)
	require.ErrorIs(t, h.Err(), context.DeadlineExceeded)
	require.Empty(t, s.Shutdown(t.Context()))
}

// TestCutOff checks that a delivery that is being sent when ctx ends is canceled and reported, since it may have
// arrived or not.
func TestCutOff(t *testing.T) {
	asked := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(asked)
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	s := &Sender{Client: server.Client(), Each: each}
	h, err := s.Send(t.Context(), Delivery{ID: "a", URL: server.URL})
	require.NoError(t, err)
	<-asked
	soon, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, []string{"a"}, s.Shutdown(soon))
	<-h.Done()
	require.ErrorIs(t, h.Err(), scheduler.ErrClosed)
}
