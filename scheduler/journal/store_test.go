package journal

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/storetest"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// faultyStore is a store that can hang, fail, panic, or come back empty.
type faultyStore struct {
	store atomic.Pointer[storetest.Memory]
	fault atomic.Value // how an exchange fails
}

func newFaultyStore() *faultyStore {
	s := new(faultyStore)
	s.forget()
	s.fault.Store("")
	return s
}

func (s *faultyStore) forget() { s.store.Store(storetest.NewMemory(time.Now)) }

func (s *faultyStore) Exchange(ctx context.Context, a bucket.Ask) (bucket.Answer, error) {
	switch s.fault.Load() {
	case "hangs":
		<-ctx.Done()
		return bucket.Answer{}, ctx.Err()
	case "fails":
		return bucket.Answer{}, errors.New("connection refused")
	case "panics":
		panic("store")
	}
	return s.store.Load().Exchange(ctx, a)
}

// TestFaultyStore lets the store of a journal's budget fail over two restarts. Neither Open nor Close waits for it, each call is
// made once, and never more than the rate.
func TestFaultyStore(t *testing.T) {
	for _, fault := range []string{"", "hangs", "fails", "panics", "forgets"} {
		for kind, restart := range map[string]func(*life){"closed": (*life).end, "killed": (*life).die} {
			t.Run(fault+" "+kind, func(t *testing.T) {
				dir := t.TempDir()
				synctest.Test(t, func(t *testing.T) {
					const n = 100
					store := newFaultyStore()
					l := newLife(t, dir, scheduler.Config{Limit: bucket.PerSecond(10), Store: store})
					for i := range n {
						l.submit(Call{ID: fmt.Sprint(i)})
					}
					time.Sleep(5 * time.Second)
					store.fault.Store(fault)
					for range 2 {
						if fault == "forgets" {
							store.forget()
						}
						before := time.Now()
						restart(l)
						l.begin()
						require.Zero(t, time.Since(before))
						l.j.Scheduler()
						time.Sleep(1500 * time.Millisecond)
						synctest.Wait()
						require.LessOrEqual(t, len(l.trace), int(time.Since(l.start)/(100*time.Millisecond))+1)
					}
					store.fault.Store("")
					for i := range n {
						require.NoError(t, l.wait(fmt.Sprint(i), time.Hour))
					}
					require.Len(t, l.trace, n, "each is made once")
					require.LessOrEqual(t, n, int(time.Since(l.start)/(100*time.Millisecond))+1)
					l.end()
				})
			})
		}
	}
}

// TestHoldOfASharedBudgetSurvives lets the process die after a server's wait of which the store has not heard. The wait goes on.
func TestHoldOfASharedBudgetSurvives(t *testing.T) {
	for name, cfg := range map[string]scheduler.Config{
		"one": {Limit: bucket.PerSecond(10)}, "one of two": {Limits: bucket.Limits{"shared": bucket.PerSecond(10), "own": bucket.Unlimited}},
	} {
		for _, alone := range []int{0, 1} {
			t.Run(fmt.Sprint(name, alone), func(t *testing.T) {
				dir := t.TempDir()
				synctest.Test(t, func(t *testing.T) {
					store := newFaultyStore()
					if cfg.ShareWhenAway, cfg.Retry.Jitter = alone, retry.None; cfg.Limits == nil {
						cfg.Store = store
					} else {
						cfg.Stores = map[string]bucket.Store{"shared": store}
					}
					l := newLife(t, dir, cfg)
					budget := ""
					if cfg.Limits != nil {
						budget = "shared"
					}
					l.cfg.Handlers["held"] = func(ctx context.Context, _ []byte) error {
						if info, _ := CallInfo(ctx); info.Attempt > 1 {
							return nil
						}
						store.fault.Store("fails")
						return retry.Verdict{Kind: retry.KindRateLimited, Wait: time.Minute, Budget: budget}.Mark(errBusy)
					}
					l.end()
					l.begin()
					_, err := l.j.Submit(t.Context(), Call{ID: "held", Handler: "held"})
					require.NoError(t, err)
					time.Sleep(5 * time.Second)
					l.submit(Call{ID: "next"})
					held := l.j.Scheduler().Snapshot().HeldUntil
					require.Greater(t, time.Until(held), 50*time.Second)
					l.die()
					l.begin()
					if alone == 0 {
						store.fault.Store("")
					}
					require.NoError(t, l.wait("next", time.Hour))
					require.False(t, time.Now().Before(held), "it waits until %v", held)
					l.end()
				})
			})
		}
	}
}
