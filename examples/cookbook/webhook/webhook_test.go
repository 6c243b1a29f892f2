package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/events"
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

// sender returns a sender that sends one delivery to a host at a time, and retries soon.
func sender(t *testing.T, client *http.Client) *Sender {
	cfg := Config
	cfg.PerKey.MaxInFlight, cfg.Retry.Initial = 1, time.Millisecond
	s, err := scheduler.New(cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return &Sender{Client: client, Scheduler: s}
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
	s := sender(t, r.Client())
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
	s := sender(t, busy.Client())
	hold := holds(s)
	left := send(t, s, busy.deliveries(20))
	<-hold
	succeed(t, send(t, s, idle.deliveries(20)))
	require.Equal(t, idle.want(20), idle.taken)

	soon, cancel := context.WithCancel(t.Context())
	cancel()
	rest := s.Shutdown(soon)
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
	text, err := json.Marshal(rest)
	require.NoError(t, err)
	rest = nil
	require.NoError(t, json.Unmarshal(text, &rest))
	require.Equal(t, "backing off", rest[0].State)
	require.Equal(t, 1, rest[0].Attempts)
	require.Greater(t, time.Until(rest[0].Due), 59*time.Minute)
	rest[0].Due = time.Now() // an hour later

	s = sender(t, busy.Client())
	var again []*scheduler.Handle
	for _, u := range rest {
		h, err := s.Send(t.Context(), kept[u.Name], scheduler.Resumed(u))
		require.NoError(t, err)
		again = append(again, h)
	}
	succeed(t, again)
	require.Equal(t, 2, again[0].Attempts(), "the first one counts")
	require.Empty(t, s.Shutdown(t.Context()))
	require.Equal(t, busy.want(20), busy.taken)
}

// holds returns a channel that is closed when a host has refused.
func holds(s *Sender) <-chan struct{} {
	sub := s.Scheduler.Subscribe(events.Of(events.Retrying))
	held := make(chan struct{})
	go func() {
		<-sub.C
		sub.Close()
		close(held)
	}()
	return held
}

// TestDeadEndpoint checks that a host that does not answer keeps its own connections, and no delivery to another.
func TestDeadEndpoint(t *testing.T) {
	asked := make(chan struct{}, 30)
	release := make(chan struct{})
	dead := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-release
	}))
	t.Cleanup(dead.Close)
	free := sync.OnceFunc(func() { close(release) })
	t.Cleanup(free)
	alive := receive(t, nil)
	cfg := Config
	cfg.MaxInFlight = 5
	scheduled, err := scheduler.New(cfg)
	require.NoError(t, err)
	t.Cleanup(scheduled.Close)
	s := &Sender{Client: dead.Client(), Scheduler: scheduled}
	var stuck []Delivery
	for i := range cap(asked) {
		stuck = append(stuck, Delivery{ID: fmt.Sprint(i), URL: dead.URL})
	}
	left := send(t, s, stuck)
	for range 4 {
		<-asked
	}
	succeed(t, send(t, s, alive.deliveries(20)))
	require.ElementsMatch(t, alive.want(20), alive.taken)
	require.Empty(t, asked, "no fifth has been sent to the dead host")
	free()
	succeed(t, left)
}

// TestTooLate checks that a delivery that can't be made in time fails at once.
func TestTooLate(t *testing.T) {
	r := receive(t, func(int) int { return http.StatusTooManyRequests })
	s := sender(t, r.Client())
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
	s := sender(t, server.Client())
	h, err := s.Send(t.Context(), Delivery{ID: "a", URL: server.URL})
	require.NoError(t, err)
	<-asked
	soon, cancel := context.WithCancel(t.Context())
	cancel()
	rest := s.Shutdown(soon)
	require.Len(t, rest, 1)
	require.Equal(t, []string{"a", "running"}, []string{rest[0].Name, rest[0].State})
	<-h.Done()
	require.ErrorIs(t, h.Err(), scheduler.ErrClosed)
}
