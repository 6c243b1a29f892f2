package journal

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// TestLevelsSurvive checks that a debt, a hold and a limit that was changed are there after a restart, with the refill of
// the time since.
func TestLevelsSurvive(t *testing.T) {
	for name, end := range map[string]func(*life){"closed": (*life).end, "killed": (*life).die} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, dir, scheduler.Config{Limits: bucket.Limits{"tokens": bucket.PerSecond(1).Burst(10), "requests": bucket.PerSecond(100)}})
				l.cfg.Handlers["use"] = func(ctx context.Context, _ []byte) error {
					return scheduler.Settle(ctx, "tokens", 20)
				}
				l.end()
				l.begin()
				l.finish(Call{Handler: "use"})
				require.EqualValues(t, -10, l.level("tokens"))
				time.Sleep(time.Second)
				require.NoError(t, l.j.Scheduler().SetLimitOf("tokens", bucket.PerSecond(2).Burst(5)))
				time.Sleep(1100 * time.Millisecond)
				end(l)
				time.Sleep(900 * time.Millisecond)
				l.begin()
				require.EqualValues(t, -10+1+2+2, l.level("tokens"))
				time.Sleep(time.Hour)
				require.EqualValues(t, 5, l.level("tokens"))
				l.end()
				l.cfg.Scheduler.Limits["tokens"] = bucket.PerSecond(3).Burst(30)
				l.begin()
				time.Sleep(time.Hour)
				require.EqualValues(t, 30, l.level("tokens"), "the program has another limit now")
				l.end()
			})
		})
	}
}

// TestHoldSurvives checks that a server's wait goes on after a restart.
func TestHoldSurvives(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, dir, scheduler.Config{Limit: bucket.PerSecond(10), Retry: retry.Policy{Jitter: retry.None}})
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
		_, err := l.j.Submit(t.Context(), Call{ID: "refused", Handler: "refused"})
		require.NoError(t, err)
		time.Sleep(10 * time.Second)
		l.submit(Call{ID: "held"})
		held := l.j.Scheduler().Snapshot().HeldUntil
		require.Greater(t, held.Sub(l.start), 59*time.Second)
		l.die()
		time.Sleep(10 * time.Second)
		l.begin()
		require.Equal(t, held, l.j.Scheduler().Snapshot().HeldUntil)
		for _, id := range []string{"held", "refused"} {
			_, err := l.j.Wait(t.Context(), id)
			require.NoError(t, err)
			require.WithinRange(t, time.Now(), held, held.Add(250*time.Millisecond))
		}
		l.end()
	})
}

// TestPlainCallsCount checks that what calls outside of the file have paid is known after a death, but for the last second.
func TestPlainCallsCount(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, dir, scheduler.Config{Limit: bucket.Per(1, time.Hour).Burst(10)})
		pay := func() {
			require.NoError(t, l.j.Scheduler().Do(t.Context(), func(context.Context) error { return nil }))
		}
		pay()
		pay()
		time.Sleep(1100 * time.Millisecond)
		pay()
		l.die()
		l.begin()
		require.EqualValues(t, 8, l.j.Scheduler().Snapshot().Available)
		l.end()
	})
}

// finish makes a call and waits for it.
func (l *life) finish(c Call) {
	id, err := l.j.Submit(l.t.Context(), c)
	require.NoError(l.t, err)
	_, err = l.j.Wait(l.t.Context(), id)
	require.NoError(l.t, err)
}

// level returns the tokens in a budget.
func (l *life) level(budget string) int64 {
	for _, b := range l.j.Scheduler().Snapshot().Budgets {
		if b.Name == budget {
			return b.Available
		}
	}
	l.t.Fatalf("there is no budget %q", budget)
	return 0
}

// TestNamesOfAnyBytes checks that a level survives whatever the name of its budget, and so does a call whatever its names.
func TestNamesOfAnyBytes(t *testing.T) {
	for _, name := range []string{"\xff", "\xff\xfe", "a\x00b", "<\u2028>", strings.Repeat("long", 100_000)} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			limit := bucket.Per(1, 24*time.Hour).Burst(10)
			l := newLife(t, dir, scheduler.Config{Limits: bucket.Limits{name: limit, "\xfe": limit}})
			l.cfg.Handlers[name] = func(ctx context.Context, _ []byte) error {
				info, _ := CallInfo(ctx)
				return Result(ctx, []byte(info.Key+info.Handler))
			}
			l.end()
			l.begin()
			c := Call{ID: name[:min(len(name), maxID)], Handler: name, Key: name, Costs: map[string]int64{name: 3, "\xfe": 2}}
			l.finish(c)
			l.die()
			l.begin()
			require.EqualValues(t, 7, l.level(name))
			require.EqualValues(t, 8, l.level("\xfe"))
			l.finish(c)
			require.EqualValues(t, 7, l.level(name), "it was made before")
			result, err := l.j.Wait(t.Context(), c.ID)
			require.NoError(t, err)
			require.Equal(t, name+name, string(result))
			l.end()
		})
	}
}
