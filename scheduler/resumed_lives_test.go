package scheduler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// life tells what a program does, in one scheduler or in several, one after another.
type life struct {
	cfg   scheduler.Config
	calls []lifeCall
	pause time.Duration // from the start; the application pauses again after each restart

}

// lifeCall is a call of a life, which is named by its index. Its first attempts fail.
type lifeCall struct {
	at    time.Duration // when it is made
	fails []error
	opts  []scheduler.Option
}

// lived is one life in a bubble.
type lived struct {
	t     *testing.T
	life  life
	start time.Time
	s     *scheduler.Scheduler

	mu     sync.Mutex
	record []string // attempts and ends, each with its instant
	fails  map[string][]error
}

func (l *lived) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.record = append(l.record, fmt.Sprintf("%15d ns: ", time.Since(l.start))+fmt.Sprintf(format, args...))
}

// fn returns the function of a call, which survives a restart as code does.
func (l *lived) fn(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		info, _ := scheduler.CallInfo(ctx)
		l.note("%s runs: call %d, key %q, attempt %d, cost %d", info.Name, info.Call, info.Key, info.Attempt, info.Cost)
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.fails[name]) == 0 {
			return nil
		}
		err := l.fails[name][0]
		l.fails[name] = l.fails[name][1:]
		return err
	}
}

// ended notes the end of a call, unless a restart has ended it.
func (l *lived) ended(name string) scheduler.Option {
	return scheduler.OnEnd(func(h *scheduler.Handle) {
		if err := h.Err(); !errors.Is(err, scheduler.ErrClosed) {
			l.note("%s ends after %d attempts: exhausted %t, other error %t", name, h.Attempts(), errors.Is(err, retry.ErrExhausted), err != nil)
		}
	})
}

func (l *lived) submit(name string, opts ...scheduler.Option) {
	_, err := l.s.Submit(context.Background(), l.fn(name), append(opts, l.ended(name))...)
	require.NoError(l.t, err)
}

// sleep waits until an instant after the start.
func (l *lived) sleep(until time.Duration) { time.Sleep(until - time.Since(l.start)) }

// open starts a scheduler, and pauses it if that is due.
func (l *lived) open() {
	s, err := scheduler.New(l.life.cfg)
	require.NoError(l.t, err)
	l.s = s
	if time.Since(l.start) < l.life.pause {
		require.NoError(l.t, s.PauseUntil(l.start.Add(l.life.pause)))
	}
}

// restart ends the scheduler and takes up its calls in another. What it needs goes through JSON.
func (l *lived) restart() {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	left, _ := l.s.Shutdown(now)
	text, err := json.Marshal(left)
	require.NoError(l.t, err)
	levels, err := json.Marshal(l.s.Snapshot())
	require.NoError(l.t, err)

	var snap scheduler.Snapshot
	require.NoError(l.t, json.Unmarshal(levels, &snap))
	if len(l.life.cfg.Limits) > 0 {
		l.life.cfg.Levels = snap.Levels()
	} else {
		l.life.cfg.Level = &snap.Budgets[0].Level
	}
	l.open()
	var again []scheduler.Unfinished
	require.NoError(l.t, json.Unmarshal(text, &again))
	require.Len(l.t, again, len(left))
	for _, u := range again {
		l.submit(u.Name, scheduler.Resumed(u))
	}
}

// run lives a life with restarts, and returns what happened.
func (of life) run(t *testing.T, restarts ...time.Duration) (record []string) {
	synctest.Test(t, func(t *testing.T) {
		l := &lived{t: t, life: of, start: time.Now(), fails: map[string][]error{}}
		l.open()
		for i, c := range of.calls {
			for len(restarts) > 0 && restarts[0] < c.at {
				l.sleep(restarts[0])
				l.restart()
				restarts = restarts[1:]
			}
			l.sleep(c.at)
			name := fmt.Sprint("c", i)
			l.mu.Lock()
			l.fails[name] = c.fails
			l.mu.Unlock()
			l.submit(name, append(c.opts, scheduler.Name(name))...)
		}
		for _, at := range restarts {
			l.sleep(at)
			l.restart()
		}
		time.Sleep(time.Hour)
		l.s.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		slices.Sort(l.record) // functions that are granted at one instant run in any order
		record = l.record
	})
	return record
}

// TestLivesWithRestarts checks that a life with three restarts is the same as one without, to the nanosecond (C18,
// resumed): grants, attempts, numbers and ends, with the jitter of each backoff.
func TestLivesWithRestarts(t *testing.T) {
	busy := retry.Transient(errors.New("busy"))
	told := func(d time.Duration) error { return retry.After(errors.New("slow down"), d) }
	fails := func(n int) (all []error) {
		for range n {
			all = append(all, busy)
		}
		return all
	}
	plain := func(n int, opts ...scheduler.Option) (calls []lifeCall) {
		for i := range n {
			calls = append(calls, lifeCall{fails: fails(i * i % 4), opts: opts})
		}
		return calls
	}
	mixed := []lifeCall{
		{}, {fails: fails(2)}, {}, {fails: fails(1)}, {}, {}, {fails: fails(9)},
		{opts: []scheduler.Option{scheduler.Priority(1)}}, {opts: []scheduler.Option{scheduler.Cost(3)}},
		{fails: fails(6), opts: []scheduler.Option{scheduler.Priority(-1), scheduler.Cost(0)}},
	}
	slow := bucket.PerSecond(1).Burst(3)
	seeded := retry.Policy{Seed: 7}
	lives := map[string]life{
		"retries and priorities": {cfg: scheduler.Config{Limit: slow, Level: empty, Retry: seeded}, calls: mixed},
		"a small step":           {cfg: scheduler.Config{Limit: slow, Level: empty, Retry: seeded, PriorityStep: time.Second}, calls: mixed},
		"one key":                {cfg: scheduler.Config{Limit: slow, Level: empty, Retry: seeded}, calls: plain(9, scheduler.Key("acme"))},
		"two budgets": {
			cfg: scheduler.Config{
				Limits: bucket.Limits{"requests": slow, "tokens": bucket.PerSecond(8).Burst(100)}, Retry: seeded,
				Levels: map[string]bucket.State{"requests": {}, "tokens": {}},
			},
			calls: append(plain(7, scheduler.CostOf("tokens", 13)), plain(3)...),
		},
		"later": {
			cfg: scheduler.Config{Limit: slow, Level: empty, Retry: seeded},
			calls: append(plain(4), lifeCall{opts: []scheduler.Option{scheduler.Delay(5 * time.Second), scheduler.Priority(1)}, fails: fails(1)},
				lifeCall{opts: []scheduler.Option{scheduler.Delay(time.Minute)}}, lifeCall{opts: []scheduler.Option{scheduler.Delay(8 * time.Second)}}),
		},
		"holds": {
			cfg:   scheduler.Config{Limit: bucket.PerSecond(1).Burst(1), Level: empty, Retry: seeded}, // so that no two fail at once
			calls: append([]lifeCall{{fails: []error{told(3 * time.Second), told(5 * time.Second), busy}}}, plain(6)...),
		},
		"a quota": {
			cfg: scheduler.Config{Limit: bucket.Every(4, 10*time.Second), Retry: seeded}, calls: plain(12),
		},
		"a quota from the first": {
			cfg: scheduler.Config{Limit: bucket.Quota(4, bucket.Reset{Every: 10 * time.Second, FromFirst: true}), Retry: seeded}, calls: plain(12),
		},
		"a pause": {
			cfg: scheduler.Config{Limit: slow, Level: empty, Retry: seeded}, calls: plain(8), pause: 12 * time.Second,
		},
		"MaxElapsed": {
			cfg: scheduler.Config{Limit: slow, Level: empty, Retry: retry.Policy{Seed: 7, MaxRetries: 100, MaxElapsed: 20 * time.Second}}, calls: mixed,
		},
		"new calls come": {
			cfg: scheduler.Config{Limit: slow, Level: empty, Retry: seeded, MaxQueued: 4, Overflow: scheduler.RefuseNew},
			calls: []lifeCall{
				{}, {fails: fails(2)}, {}, {opts: []scheduler.Option{scheduler.Delay(25 * time.Second)}}, // which keeps the highest number
				{at: 5 * time.Second, fails: fails(3)}, {at: 5 * time.Second, opts: []scheduler.Option{scheduler.Delay(35 * time.Second)}},
				{at: 10 * time.Second, fails: fails(1)}, {at: 10 * time.Second},
			},
		},
	}
	for name, of := range lives {
		t.Run(name, func(t *testing.T) {
			want := of.run(t)
			for _, restarts := range [][]time.Duration{{1}, {3500 * time.Millisecond, 4200 * time.Millisecond, 9*time.Second + 1}, {2100 * time.Millisecond, 10900 * time.Millisecond, 30900 * time.Millisecond}} {
				require.Equal(t, want, of.run(t, restarts...), "restarts at %v", restarts)
			}
			require.GreaterOrEqual(t, len(want), 2*len(of.calls), "each call runs and ends")
		})
	}
}
