package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// TestSuspectsRunAlone lets a process die while handlers run. They run again, one at a time, before they meet any other.
func TestSuspectsRunAlone(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, dir, scheduler.Config{Limit: bucket.Unlimited, MaxInFlight: 3})
		l.takes = time.Second
		for i := range 6 {
			l.submit(Call{ID: string(rune('a' + i))})
		}
		time.Sleep(500 * time.Millisecond)
		l.die()
		l.begin()
		require.Equal(t, 3, l.j.Report().Suspects)
		require.Equal(t, 6, l.j.Report().Calls)
		time.Sleep(time.Hour)
		synctest.Wait()
		var instants []time.Duration
		ids := map[string]int{}
		for _, line := range l.trace[3:] {
			var at, id string
			_, err := fmt.Sscan(line, &at, &id)
			require.NoError(t, err)
			d, err := time.ParseDuration(at)
			require.NoError(t, err)
			instants = append(instants, d)
			ids[id]++
			require.Equal(t, id <= "c", strings.HasSuffix(line, " attempt 1 repeated"))
		}
		const ms = time.Millisecond
		require.Equal(t, []time.Duration{500 * ms, 1500 * ms, 2500 * ms, 3500 * ms, 3500 * ms, 3500 * ms}, instants, "one by one, then three at a time")
		require.Len(t, ids, 6)
		l.end()
	})
}

// TestMaxCrashes lets a process die again and again while a call runs alone.
func TestMaxCrashes(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, dir, scheduler.Config{Limit: bucket.Unlimited})
		l.cfg.MaxCrashes = 2
		l.takes = time.Second
		l.submit(Call{ID: "poison"})
		l.submit(Call{ID: "quick"})
		for _, after := range []time.Duration{100, 500, 500} { // only poison runs after 200 ms, whichever of them begins
			time.Sleep(after * time.Millisecond)
			l.die()
			l.begin()
		}
		require.Equal(t, 1, l.j.Report().Dead)
		_, err := l.j.Wait(t.Context(), "poison")
		dead := new(DeadError)
		require.ErrorAs(t, err, &dead)
		require.Zero(t, dead.End)
		require.Equal(t, "the process has died 2 times while this call ran alone; its handler has never returned an error", dead.Reason)
		_, err = l.j.Wait(t.Context(), "quick")
		require.NoError(t, err)
		l.end()
	})
}

// TestMaxCrashesAfterAnError checks that the reason of a dead letter names the error of an earlier attempt.
func TestMaxCrashesAfterAnError(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, dir, scheduler.Config{Limit: bucket.Unlimited, Retry: retry.Policy{Initial: time.Second}})
		l.cfg.MaxCrashes = 1
		l.takes = time.Second
		l.fails["poison"] = 1
		l.submit(Call{ID: "poison"})
		for _, after := range []time.Duration{2500, 500} { // the second attempt begins after two seconds, more or less
			time.Sleep(after * time.Millisecond)
			l.die()
			l.begin()
		}
		_, err := l.j.Wait(t.Context(), "poison")
		dead := new(DeadError)
		require.ErrorAs(t, err, &dead)
		require.Equal(t, "the process has died once while this call ran alone; before that its handler returned the error: server is busy", dead.Reason)
		l.end()
	})
}

// TestCloseRunsAgain checks that an attempt that a close has canceled is made again, is no suspect, and counts as one.
func TestCloseRunsAgain(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var seen []Info
		cfg := scheduler.Config{Limit: bucket.Unlimited, Classify: retry.Any}
		l := newLife(t, dir, cfg)
		l.cfg.Handlers["slow"] = func(ctx context.Context, _ []byte) error {
			info, _ := CallInfo(ctx)
			seen = append(seen, info)
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(time.Second):
				return nil
			}
		}
		l.end()
		l.begin()
		_, err := l.j.Submit(t.Context(), Call{ID: "x", Handler: "slow"})
		require.NoError(t, err)
		time.Sleep(500 * time.Millisecond)
		l.end()
		l.begin()
		require.Zero(t, l.j.Report().Suspects)
		_, err = l.j.Wait(t.Context(), "x")
		require.NoError(t, err)
		require.Equal(t, []Info{{ID: "x", Handler: "slow", Attempt: 1}, {ID: "x", Handler: "slow", Attempt: 1, Repeated: true}}, seen)

		_, err = l.j.Submit(t.Context(), Call{ID: "y", Handler: "slow"})
		require.NoError(t, err)
		require.NoError(t, l.j.Close(t.Context()), "it has time to finish")
		l.begin()
		_, err = l.j.Wait(t.Context(), "y")
		require.NoError(t, err)
		require.Len(t, seen, 3)
		l.end()
		_, err = l.j.Submit(t.Context(), Call{Handler: "slow"})
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, l.j.Close(t.Context()), ErrClosed)
	})
}

// TestStormOfLives submits calls with random options from several goroutines while the process dies or closes at random
// moments. Every call that was accepted is made, and none is made again but those that ran when it died.
func TestStormOfLives(t *testing.T) {
	for range 4 {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) { stormOfLives(t, dir, rand.New(rand.NewPCG(seed, 0))) })
	}
}

func stormOfLives(t *testing.T, dir string, rnd *rand.Rand) {
	ms := time.Millisecond
	cfg := scheduler.Config{Limit: bucket.PerSecond(100).Burst(10), MaxInFlight: 5, Retry: retry.Policy{Seed: 1, Initial: 10 * ms, Max: 100 * ms}}
	l := newLife(t, dir, cfg)
	l.takes = 20 * ms
	accepted := map[string]bool{}
	var mu sync.Mutex
	deaths := 0
	for life := range 8 {
		stop := make(chan struct{})
		var producers sync.WaitGroup
		for p := range 3 {
			own := rand.New(rand.NewPCG(rnd.Uint64(), 1))
			producers.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					case <-time.After(time.Duration(own.IntN(60)) * ms):
					}
					id := fmt.Sprintf("%d-%d-%d", life, p, i)
					c := Call{ID: id, Handler: "call", Payload: []byte(id), Priority: own.IntN(3) - 1, Key: []string{"", "", "a", "b"}[own.IntN(4)]}
					if own.IntN(4) == 0 {
						c.NotBefore = time.Now().Add(time.Duration(own.IntN(500)) * ms)
					}
					l.mu.Lock()
					l.fails[id] = own.IntN(3) * own.IntN(2)
					before := l.lives
					l.mu.Unlock()
					if _, err := l.j.Submit(t.Context(), c); err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Errorf("%s: %v", id, err)
						}
						continue
					}
					l.mu.Lock()
					if l.lives == before { // else the process has died meanwhile
						mu.Lock()
						accepted[id] = true
						mu.Unlock()
					}
					l.mu.Unlock()
				}
			})
		}
		time.Sleep(time.Duration(rnd.IntN(1000)) * ms)
		if rnd.IntN(2) == 0 {
			l.die()
			deaths++
		} else {
			l.end()
		}
		close(stop)
		producers.Wait()
		time.Sleep(time.Duration(rnd.IntN(500)) * ms)
		l.begin()
	}
	require.NotEmpty(t, accepted)
	for id := range accepted {
		_, err := l.j.Wait(t.Context(), id)
		require.NoError(t, err, id)
	}
	for range l.j.Dead() {
		t.Error("there is no dead letter")
	}
	attempts := map[string]bool{}
	for _, line := range l.trace {
		_, attempt, _ := strings.Cut(line, " ")
		if !strings.HasSuffix(attempt, " repeated") {
			require.False(t, attempts[attempt], "%s: an attempt is made once", attempt)
			attempts[attempt] = true
		}
	}
	l.end()
}
