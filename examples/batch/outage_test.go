package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket/storetest/loopback"
	"example.com/fairlead/retry"
)

// flakyServer is an API that can come and go at one address.
type flakyServer struct {
	t       *testing.T
	address string // held from other sockets, also while this server is away

	mu     sync.Mutex
	server *httptest.Server
	lines  map[int]int // answers by line
	hold   *gate       // or nil
	until  int         // the server goes away after so many answers; 0 means never
}

func newFlakyServer(t *testing.T) *flakyServer {
	address, free, err := loopback.Hold()
	require.NoError(t, err)
	p := &flakyServer{t: t, address: address, lines: map[int]int{}}
	t.Cleanup(func() {
		free()
		if p.server != nil {
			p.server.Close()
		}
	})
	return p
}

// open starts the API.
func (p *flakyServer) open() {
	l, err := net.Listen("tcp", p.address)
	require.NoError(p.t, err)
	server := httptest.NewUnstartedServer(http.HandlerFunc(p.answer))
	_ = server.Listener.Close() // l takes its place
	server.Listener = l
	server.Start()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server = server
}

func (p *flakyServer) answer(w http.ResponseWriter, r *http.Request) {
	if p.hold != nil {
		p.hold.pass(lineOf(r.Header.Get("X-Request-Id")))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines[lineOf(r.Header.Get("X-Request-Id"))]++
	if len(p.lines) == p.until {
		_ = p.server.Listener.Close()
	}
	w.Header().Set("Connection", "close") // each request needs a connection of its own
	_, _ = w.Write([]byte(`{}`))
}

// TestH77_ServerAway checks that no line loses a retry while the server can't be reached, from the start or
// later, and that all lines are answered when it is back.
func TestH77_ServerAway(t *testing.T) {
	for name, c := range map[string]struct {
		until   int
		retries string
	}{
		"at first": {0, "0"},
		"later":    {10, "30"}, // requests that were accepted and not answered cost a retry
	} {
		t.Run(name, func(t *testing.T) {
			st := newSite(t, generous, requests(50)...)
			p := newFlakyServer(t)
			if p.until = c.until; c.until > 0 {
				p.open()
			}
			st.url = "http://" + p.address
			r := st.start("-in-flight", "4", "-retries", c.retries, "-max-backoff", "2ms")
			r.log.await(t, "batch: the server can't be reached (dial tcp "+p.address+": connect")
			r.log.await(t, "; try 64 is in ")
			require.True(t, r.s.Snapshot().Paused, "as the progress shows")
			p.open()
			require.Equal(t, 50, r.result(t).answered)
			require.Contains(t, r.log.String(), "batch: the server is back after ")
			for line, times := range p.lines {
				require.Equal(t, 1, times, "line %d", line)
			}
			snap := r.s.Snapshot()
			require.Equal(t, 50+snap.Totals.Retries, snap.Totals.Attempts, "probes are not attempts")
			r.requireNoBytesInMemory(t)
		})
	}
}

// requireNoBytesInMemory checks that all acquired bytes were released.
func (r *startedRun) requireNoBytesInMemory(t *testing.T) {
	require.Zero(t, r.lineBytes.used)
	require.Zero(t, r.answerBytes.used)
}

// TestAwayInterrupted checks that a run that waits for its server can be interrupted, with and without a drain.
func TestAwayInterrupted(t *testing.T) {
	for _, drain := range []string{"0", "1h"} { // nothing can proceed, so even a long drain ends at once
		t.Run(drain, func(t *testing.T) {
			st := newSite(t, generous, requests(20)...)
			st.url = "http://" + newFlakyServer(t).address
			r := st.start("-in-flight", "4", "-drain", drain, "-backoff", "1h", "-max-backoff", "1h", "-max-away", "10h")
			await(t, r.queued, 20)
			r.log.await(t, "the server can't be reached")
			r.signal()
			sum := r.result(t)
			require.Equal(t, 20, sum.todo)
			require.NoError(t, sum.stopped)
			require.Contains(t, sum.leftovers.String(), "last error: dial tcp ")
			require.Empty(t, st.results())
			r.requireNoBytesInMemory(t)
		})
	}
}

// TestDrainFindsTheServerAway checks that a drain ends when the server can't be reached any more.
func TestDrainFindsTheServerAway(t *testing.T) {
	p := newFlakyServer(t)
	p.open()
	p.hold = newGate(t)
	st := newSite(t, generous, requests(20)...)
	st.url = "http://" + p.address
	r := st.start("-in-flight", "1", "-drain", "1h", "-backoff", "1h", "-max-backoff", "1h", "-max-away", "10h")
	await(t, r.queued, 20)
	<-p.hold.held
	r.signal()
	r.log.await(t, "20 accepted requests have 1h0m0s to finish")
	p.until = 1
	p.hold.open()
	sum := r.result(t)
	require.Equal(t, counts{answered: 1, todo: 19}, sum.counts)
	require.NoError(t, sum.stopped)
	require.Contains(t, sum.leftovers.String(), "last error: dial tcp ")
}

// TestMaxAway checks that the run stops after -max-away, and that no line is lost.
func TestMaxAway(t *testing.T) {
	for most, limit := range map[string]string{"0": "0s", "20ms": "20ms"} {
		st := newSite(t, generous, requests(20)...)
		st.url = "http://" + newFlakyServer(t).address
		sum, err := st.process("-max-away", most, "-max-backoff", "5ms")
		require.NoError(t, err)
		require.Equal(t, 20, sum.todo)
		require.ErrorContains(t, sum.stopped, "the server could not be reached for ")
		require.ErrorContains(t, sum.stopped, ", and -max-away is "+limit+": dial tcp ")
		require.Empty(t, st.results())
	}
}

// TestLastProbe checks that the last probe is exactly at -max-away.
func TestLastProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var probes []time.Duration
		var why error
		d := &outage{
			probes: retry.Policy{Initial: time.Second, Max: time.Minute, Jitter: retry.None}, maxAway: 20 * time.Second,
			onAway: func(int, error, time.Duration) {}, onGiveUp: func(_ string, err error) { why = err },
		}
		_, err := d.reach(t.Context(), func() reply {
			probes = append(probes, time.Since(began))
			return reply{err: errors.New("refused"), away: true}
		})
		require.ErrorIs(t, err, errLeft)
		s := time.Second
		require.Equal(t, []time.Duration{0, 1 * s, 3 * s, 7 * s, 15 * s, 20 * s}, probes)
		require.ErrorContains(t, why, "the server could not be reached for 20s, and -max-away is 20s: refused")
	})
}

// TestOneProbes checks that only one of many waiting lines probes, with growing waits.
func TestOneProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		back := began.Add(45 * time.Second)
		var mu sync.Mutex
		var probes []time.Duration
		answered := 0
		send := func() reply {
			time.Sleep(time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			if time.Now().Before(back) {
				probes = append(probes, time.Since(began).Truncate(time.Second))
				return reply{err: errors.New("refused"), away: true}
			}
			answered++
			return reply{}
		}
		d := &outage{
			probes: retry.Policy{Initial: time.Second, Max: 30 * time.Second, Jitter: retry.None}, maxAway: time.Hour,
			onAway: func(int, error, time.Duration) {}, onBack: func(time.Duration) {},
			onGiveUp: func(string, error) { t.Error("it is not away for so long") },
		}
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				_, err := d.reach(t.Context(), send)
				require.NoError(t, err)
			})
		}
		all.Wait()
		require.Equal(t, 16, answered)
		s := time.Second
		require.Equal(t, []time.Duration{1 * s, 3 * s, 7 * s, 15 * s, 31 * s}, probes[16:])
		require.Equal(t, 61*s, time.Since(began).Truncate(s))

		ctx, cancel := context.WithCancel(t.Context())
		d.begin()
		cancel()
		_, err := d.reach(ctx, send)
		require.ErrorIs(t, err, errLeft)
	})
}
