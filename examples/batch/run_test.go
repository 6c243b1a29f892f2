package main

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
)

// startedRun is a run in this process.
type startedRun struct {
	*batch
	log      *logBuffer
	queued   *events.Subscription
	retrying *events.Subscription

	signal, secondSignal func()        // the first and the second Ctrl-C
	ended                chan struct{} // guards the fields below
	sum                  summary
	err                  error
}

func (st *site) start(more ...string) *startedRun {
	cfg, err := parseFlags(st.args(more...))
	require.NoError(st.t, err)
	soft, signal := context.WithCancel(st.t.Context())
	hard, again := context.WithCancel(st.t.Context())
	log := newLogBuffer()
	b, err := newBatch(soft, cfg, log)
	require.NoError(st.t, err)
	r := &startedRun{batch: b, log: log, signal: signal, secondSignal: again, ended: make(chan struct{})}
	r.queued, r.retrying = b.s.Subscribe(events.Of(events.Queued)), b.s.Subscribe(events.Of(events.Retrying))
	go func() {
		defer close(r.ended)
		defer b.close()
		r.sum, r.err = b.process(soft, hard, r.log)
	}()
	return r
}

// await returns when an event of a call, or of a later one, has come.
func await(t *testing.T, sub *events.Subscription, call uint64) {
	defer sub.Close()
	for ev := range sub.C {
		if ev.Call >= call {
			return
		}
	}
	t.Fatalf("the run has ended, and call %d has not got so far", call)
}

// result waits for the run to end, and returns its summary.
func (r *startedRun) result(t *testing.T) summary {
	<-r.ended
	require.NoError(t, r.err)
	return r.sum
}

// logBuffer is a log that tests can wait for.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{} // receives when the log has grown
}

func newLogBuffer() *logBuffer { return &logBuffer{more: make(chan struct{}, 1)} }

func (j *logBuffer) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	select {
	case j.more <- struct{}{}:
	default:
	}
	return j.text.Write(p)
}

func (j *logBuffer) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// await returns when the log contains a text.
func (j *logBuffer) await(t *testing.T, text string) {
	for deadline := time.After(time.Minute); !strings.Contains(j.String(), text); {
		select {
		case <-j.more:
		case <-deadline:
			t.Fatalf("the log does not say %q:\n%s", text, j)
		}
	}
}

// interceptor sees requests before the API does, and may answer them itself.
type interceptor func(w http.ResponseWriter, line int) (answered bool)

func (st *site) intercept(f interceptor) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.intercepted = f
}

func (st *site) interceptor() interceptor {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.intercepted
}

// gate holds up requests until it is opened.
type gate struct {
	held chan int // the lines of requests that have arrived
	shut chan struct{}
	open func()
}

func newGate(t *testing.T) *gate {
	g := &gate{held: make(chan int), shut: make(chan struct{})}
	g.open = sync.OnceFunc(func() { close(g.shut) })
	t.Cleanup(g.open) // before the server is closed, which waits for them
	return g
}

// gate puts a gate in front of the API.
func (st *site) gate() *gate {
	g := newGate(st.t)
	st.intercept(func(_ http.ResponseWriter, line int) bool {
		g.pass(line)
		return false
	})
	return g
}

// pass returns when the gate is open.
func (g *gate) pass(line int) {
	select {
	case g.held <- line:
	case <-g.shut:
	}
	<-g.shut
}
