package journal

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// ends are the ways in which a life ends.
var ends = map[string]func(*life){"closed": (*life).end, "killed": (*life).die}

// of returns the state of a key.
func (l *life) of(key string) scheduler.KeySnapshot {
	snap, err := l.j.Scheduler().SnapshotOf(key)
	require.NoError(l.t, err)
	return snap
}

// TestLivesOfKeysEqualOneWithout lets calls of keys with limits of their own be made in one life and in several. They begin at the
// same nanosecond.
func TestLivesOfKeysEqualOneWithout(t *testing.T) {
	live := func(end func(*life), restarts ...time.Duration) (trace []string) {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t, dir, scheduler.Config{Limit: bucket.Unlimited, Retry: retry.Policy{Seed: 7, MaxRetries: 2}, PerKey: scheduler.PerKey{
				Limits: bucket.Limits{"a\xff": bucket.Per(1, 1430*time.Millisecond).Burst(3), "b": bucket.Per(4, 5*time.Second).Burst(2)},
			}})
			l.fails = map[string]int{"x 2": 1, "y 0": 2, "y 5": 1}
			for i := range 8 {
				for _, key := range []string{"x", "y", "\xfez"} {
					l.submit(Call{ID: fmt.Sprint(key, " ", i), Key: key, Costs: map[string]int64{"b": int64(i%2 + 1)}})
				}
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
	one := live(nil)
	require.Len(t, one, 28)
	for kind, end := range ends {
		s, ms := time.Second, time.Millisecond
		require.ElementsMatch(t, one, live(end, 0, 1, 1500*ms, 3777*ms, 3778*ms, 6*s, 9999*ms), kind)
	}
}

// TestKeysSurvive checks that the debt and the hold of a key are there after restarts, with the refill of the time since, also if
// none of its calls is left. When its calls are forgotten, so is it.
func TestKeysSurvive(t *testing.T) {
	for kind, end := range ends {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, dir, scheduler.Config{Limit: bucket.Unlimited, Retry: retry.Policy{Jitter: retry.None}, PerKey: scheduler.PerKey{
					Limit: bucket.Per(1, time.Minute).Burst(10),
				}})
				l.cfg.Handlers["use"] = func(ctx context.Context, _ []byte) error { return scheduler.Settle(ctx, "key", 19) }
				refused := false
				l.cfg.Handlers["refused"] = func(context.Context, []byte) error {
					if !refused {
						refused = true
						return retry.After(errBusy, time.Minute)
					}
					return nil
				}
				l.end()
				l.begin()
				l.finish(Call{Handler: "use", Key: "debt"})
				_, err := l.j.Submit(t.Context(), Call{ID: "r", Handler: "refused", Key: "held"})
				require.NoError(t, err)
				time.Sleep(time.Second)
				held := l.of("held").HeldUntil
				require.Greater(t, time.Until(held), 58*time.Second)
				for range 3 {
					end(l)
					time.Sleep(5 * time.Second)
					l.begin()
				}
				require.Equal(t, held, l.of("held").HeldUntil)
				require.EqualValues(t, -9, l.of("debt").Budgets[0].Available)
				l.submit(Call{ID: "next", Key: "held"})
				require.NoError(t, l.wait("next", time.Hour))
				require.Greater(t, time.Since(held), time.Minute, "the budget was empty when the hold was over")
				time.Sleep(10*time.Minute - time.Since(l.start))
				end(l)
				l.begin()
				require.EqualValues(t, 1, l.of("debt").Budgets[0].Available)
				require.EqualValues(t, 10, l.of("other").Budgets[0].Available)
				time.Sleep(51 * time.Minute)
				for range 3 {
					l.finish(Call{Handler: "call"}) // each commit forgets some
				}
				l.cfg.Scheduler.PerKey.Limit = bucket.Per(1, 24*time.Hour).Burst(10)
				end(l)
				l.begin()
				require.EqualValues(t, 10, l.of("debt").Budgets[0].Available, "see KeepFor")
				l.end()
			})
		})
	}
}

// TestKeysAtTheClose closes a journal while two handlers of one key run. They succeed later, one after the other, and what was
// committed last of the key counts.
func TestKeysAtTheClose(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, dir, scheduler.Config{Limit: bucket.Unlimited, PerKey: scheduler.PerKey{Limit: bucket.Per(1, 24*time.Hour).Burst(10)}})
		l.cfg.Handlers["slow"] = func(ctx context.Context, _ []byte) error {
			<-ctx.Done()
			return nil
		}
		l.end()
		l.begin()
		for i := range 3 {
			_, err := l.j.Submit(t.Context(), Call{Handler: "slow", Key: "k", NotBefore: time.Now().Add(time.Duration(i+1) * time.Second)})
			require.NoError(t, err)
		}
		time.Sleep(4 * time.Second)
		l.end()
		l.begin()
		require.Zero(t, l.j.Report().Calls)
		require.EqualValues(t, 7, l.of("k").Budgets[0].Available)
		l.end()
	})
}
