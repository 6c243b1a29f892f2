package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

var errDied = errors.New("the process has died")

// life is a journal whose process ends and begins again, in a bubble.
type life struct {
	t     *testing.T
	start time.Time
	path  string
	cfg   Config
	j     *Journal

	mu    sync.Mutex
	lives int
	trace []string
	fails map[string]int // how often calls fail before they succeed
	made  map[string]int // attempts
	takes time.Duration  // an attempt
}

func newLife(t *testing.T, dir string, cfg scheduler.Config) *life {
	l := &life{t: t, start: time.Now(), path: filepath.Join(dir, "calls.db"), fails: map[string]int{}, made: map[string]int{}}
	l.cfg = Config{Scheduler: cfg, Handlers: Handlers{}, noSync: true}
	l.begin()
	return l
}

func (l *life) begin() {
	mine := l.lives
	l.cfg.Handlers = maps.Clone(l.cfg.Handlers)
	l.cfg.Handlers["call"] = func(ctx context.Context, _ []byte) error { return l.call(ctx, mine) }
	j, err := Open(l.path, l.cfg)
	require.NoError(l.t, err)
	l.j = j
}

// end closes the journal, with handlers canceled at once. Those that need no time have ended before.
func (l *life) end() {
	synctest.Wait()
	now, cancel := context.WithCancel(l.t.Context())
	cancel()
	require.NoError(l.t, l.j.Close(now))
}

// die leaves the file as it is at this instant.
func (l *life) die() {
	synctest.Wait()
	found, err := os.ReadFile(l.path)
	require.NoError(l.t, err)
	l.mu.Lock()
	l.lives++ // what is done now is not seen any more
	l.mu.Unlock()
	l.end()
	require.NoError(l.t, os.WriteFile(l.path, found, 0o600))
}

// call is the handler of a life. It notes when it is called, unless the process has died.
func (l *life) call(ctx context.Context, mine int) error {
	info, _ := CallInfo(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lives != mine {
		return errDied
	}
	l.made[info.ID]++
	repeated := ""
	if info.Repeated {
		repeated = " repeated"
	}
	l.trace = append(l.trace, fmt.Sprintf("%v %s attempt %d%s", time.Since(l.start), info.ID, info.Attempt, repeated))
	if takes := l.takes; takes > 0 {
		if info.ID == "quick" {
			takes /= 5
		}
		l.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(takes):
		}
		l.mu.Lock()
	}
	switch {
	case l.lives != mine:
		return errDied
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	if l.fails[info.ID] > 0 {
		l.fails[info.ID]--
		return retry.Transient(errBusy)
	}
	return nil
}

func (l *life) submit(c Call) {
	c.Handler = "call"
	_, err := l.j.Submit(l.t.Context(), c)
	require.NoError(l.t, err)
}

// TestJ10_LivesWithRestartsEqualOneWithout lets ten calls with retries, priorities, keys, costs and a NotBefore be made in one
// life and in several. They begin at the same nanosecond.
func TestJ10_LivesWithRestartsEqualOneWithout(t *testing.T) {
	live := func(end func(*life), restarts ...time.Duration) (trace []string) {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			cfg := scheduler.Config{Limit: bucket.PerSecond(1).Burst(2), Level: &bucket.State{}, Retry: retry.Policy{Seed: 7}}
			l := newLife(t, dir, cfg)
			l.fails = map[string]int{"b": 2, "d": 1, "g": 3}
			for i, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
				c := Call{ID: id}
				switch i {
				case 2:
					c.Key = "acme"
				case 5:
					c.Cost = 2
				case 7:
					c.Priority = 1
				case 8:
					c.NotBefore = l.start.Add(5500 * time.Millisecond)
				}
				l.submit(c)
			}
			for _, at := range restarts {
				time.Sleep(at - time.Since(l.start))
				end(l)
				l.begin()
			}
			time.Sleep(50 * time.Minute)
			synctest.Wait()
			for id := range l.made {
				_, err := l.j.Wait(t.Context(), id)
				require.NoError(t, err)
			}
			l.end()
			trace = l.trace
		})
		return trace
	}
	s, ms := time.Second, time.Millisecond
	one := live(nil)
	require.Len(t, one, 16)
	restarts := []time.Duration{0, 3500 * ms, 4200 * ms, 9*s + 1, 9*s + 2, 20 * s}
	require.Equal(t, one, live((*life).end, restarts...), "closed")
	require.Equal(t, one, live((*life).die, restarts...), "killed")
}
