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

// started is a run in this process that is under way.
type started struct {
	*batch
	log      *journal
	queued   *events.Subscription
	retrying *events.Subscription

	signal, again func()        // what the first and the second Ctrl-C do
	ended         chan struct{} // guards what follows
	sum           summary
	err           error
}

func (st *site) start(more ...string) *started {
	cfg, err := parseFlags(st.args(more...))
	require.NoError(st.t, err)
	soft, signal := context.WithCancel(st.t.Context())
	hard, again := context.WithCancel(st.t.Context())
	log := newJournal()
	b, err := newBatch(soft, cfg, log)
	require.NoError(st.t, err)
	r := &started{batch: b, log: log, signal: signal, again: again, ended: make(chan struct{})}
	r.queued, r.retrying = b.s.Subscribe(events.Queued), b.s.Subscribe(events.Retrying)
	go func() {
		defer close(r.ended)
		defer b.close()
		r.sum, r.err = b.process(soft, hard, r.log)
	}()
	return r
}

// await returns when a call, or one that came after it, has got so far.
func await(t *testing.T, sub *events.Subscription, call uint64) {
	defer sub.Close()
	for ev := range sub.C {
		if ev.Call >= call {
			return
		}
	}
	t.Fatalf("the run has ended, and call %d has not got so far", call)
}

// result is how the run has ended.
func (r *started) result(t *testing.T) summary {
	<-r.ended
	require.NoError(t, r.err)
	return r.sum
}

// journal is a log that can be waited for.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{} // has something when there is more in it
}

func newJournal() *journal { return &journal{more: make(chan struct{}, 1)} }

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	select {
	case j.more <- struct{}{}:
	default:
	}
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// await returns when a text is in the log.
func (j *journal) await(t *testing.T, text string) {
	for deadline := time.After(20 * time.Second); !strings.Contains(j.String(), text); {
		select {
		case <-j.more:
		case <-deadline:
			t.Fatalf("the log does not say %q:\n%s", text, j)
		}
	}
}

// front sees a site's requests before its API does, and may answer them itself.
type front func(w http.ResponseWriter, line int) (answered bool)

func (st *site) putInFront(f front) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.front = f
}

func (st *site) inFront() front {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.front
}

// gate holds up requests until it is opened.
type gate struct {
	held chan int // the lines of those that have come to it
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
	st.putInFront(func(_ http.ResponseWriter, line int) bool {
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
