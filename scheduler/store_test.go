package scheduler_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/storetest"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// remoteStore is a store at the other end of a network, whose messages take a while and which may be away.
type remoteStore struct {
	store     bucket.Store
	latency   time.Duration
	exchanges atomic.Int64

	mu    sync.Mutex
	away  bool
	hints []func()
}

func newRemoteStore() *remoteStore {
	return &remoteStore{store: storetest.NewMemory(time.Now), latency: 200 * time.Microsecond}
}

var errAway = errors.New("connection refused")

func (r *remoteStore) Exchange(ctx context.Context, a bucket.Ask) (bucket.Answer, error) {
	time.Sleep(r.latency)
	defer time.Sleep(r.latency)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away {
		return bucket.Answer{}, errAway
	}
	r.exchanges.Add(1)
	if a.Hold > 0 {
		for _, hint := range r.hints {
			go hint()
		}
	}
	return r.store.Exchange(ctx, a)
}

func (r *remoteStore) Hints(ctx context.Context, hint func()) error {
	r.mu.Lock()
	r.hints = append(r.hints, hint)
	r.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

func (r *remoteStore) setAway(away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = away
}

// fleet is several schedulers that share a budget, as processes on several machines do.
type fleet struct {
	t       *testing.T
	store   *remoteStore
	members []*scheduler.Scheduler
	began   time.Time      // when the store began to sell
	granted []atomic.Int64 // by each
}

func newFleet(t *testing.T, n int, cfg scheduler.Config) *fleet {
	f := &fleet{t: t, store: newRemoteStore(), granted: make([]atomic.Int64, n)}
	cfg.Store = f.store
	for range n {
		s, err := scheduler.New(cfg)
		require.NoError(t, err)
		f.members = append(f.members, s)
	}
	t.Cleanup(f.close)
	time.Sleep(bucket.LearnTime)
	f.began = time.Now()
	return f
}

// flood has callers of the i-th member call for as long as it is open.
func (f *fleet) flood(i, callers int) {
	for range callers {
		go func() {
			for f.members[i].Do(f.t.Context(), func(context.Context) error { f.granted[i].Add(1); return nil }) == nil {
			}
		}()
	}
}

func (f *fleet) total() (n int64) {
	for i := range f.granted {
		n += f.granted[i].Load()
	}
	return n
}

func (f *fleet) close() {
	for _, s := range f.members {
		s.Close()
	}
	time.Sleep(2 * time.Second) // for what they give back
}

func inBubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// TestFleetSharesExactly checks that processes that share a budget get its whole rate, no token more, equally, and
// with few exchanges.
func TestFleetSharesExactly(t *testing.T) {
	for _, capacity := range []int64{1, 1000} {
		inBubble(t, func(t *testing.T) {
			f := newFleet(t, 4, scheduler.Config{Limit: bucket.PerSecond(1000).Burst(capacity)})
			for i := range f.members {
				f.flood(i, 50)
			}
			for range 100 {
				time.Sleep(99 * time.Millisecond)
				require.LessOrEqual(t, f.total(), int64(time.Since(f.began)*1000/time.Second)+1)
			}
			total := f.total()
			require.Greater(t, total, int64(time.Since(f.began)*1000/time.Second)*98/100)
			require.LessOrEqual(t, f.store.exchanges.Load()*1000, 12*total)
			for i := range f.granted {
				require.InDelta(t, total/4, f.granted[i].Load(), 260, "each gets the same, up to what it buys at once")
			}
		})
	}
}

// TestFleetOneTokenASecond checks that ten processes that share a token a second get one each in turn.
func TestFleetOneTokenASecond(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFleet(t, 10, scheduler.Config{Limit: bucket.PerSecond(1)})
		for i := range f.members {
			f.flood(i, 3)
		}
		time.Sleep(60 * time.Second)
		for i := range f.granted {
			require.InDelta(t, 6, f.granted[i].Load(), 1)
		}
		require.InDelta(t, 60, f.total(), 1)
	})
}

// TestLoneCallInAFleet checks that the one call of a process waits for no longer than the others buy ahead, a token,
// and three exchanges of a millisecond.
func TestLoneCallInAFleet(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFleet(t, 4, scheduler.Config{Limit: bucket.PerSecond(1000).Burst(10), Ahead: 200 * time.Millisecond})
		for i := range 3 {
			f.flood(i, 50)
		}
		for range 20 {
			time.Sleep(3 * time.Second)
			began := time.Now()
			require.NoError(t, f.members[3].Do(t.Context(), func(context.Context) error { return nil }))
			require.LessOrEqual(t, time.Since(began), 204*time.Millisecond)
		}
	})
}

// TestStoreAway checks that nothing is over, nothing is lost and calls go on soon if the store is away for a while,
// and that everything says so meanwhile.
func TestStoreAway(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFleet(t, 2, scheduler.Config{Limit: bucket.PerSecond(100).Burst(10)})
		s := f.members[0]
		sub := s.Subscribe(events.Of(events.StoreAway, events.StoreBack, events.StoreReset))
		f.flood(0, 10)
		f.flood(1, 10)
		time.Sleep(5 * time.Second)
		f.store.setAway(true)
		left := time.Now()
		time.Sleep(5 * time.Second)
		during := f.total()
		require.LessOrEqual(t, during, int64(left.Sub(f.began)/(10*time.Millisecond))+101, "what was bought is spent")

		state := s.Snapshot().Store
		require.True(t, state.Away)
		require.Equal(t, errAway.Error(), state.Err)
		require.WithinRange(t, state.AwaySince, left, left.Add(time.Second))
		require.Contains(t, s.Snapshot().String(), "0 of 10 tokens (store away) left")
		ev := <-sub.C
		require.Equal(t, events.StoreAway, ev.Kind)
		require.ErrorIs(t, ev.Err, errAway)
		est, err := s.Estimate()
		require.NoError(t, err)
		require.Zero(t, est.At, "the wait is not known")
		require.Equal(t, "number 11 in the queue", est.String())
		deadline, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, s.Do(deadline, func(context.Context) error { return nil }), context.DeadlineExceeded)

		f.store.setAway(false)
		time.Sleep(time.Second)
		require.Equal(t, events.StoreBack, (<-sub.C).Kind)
		require.Greater(t, f.total(), during+50, "calls go on at once")
		require.False(t, s.Snapshot().Store.Away)
		require.Empty(t, s.Snapshot().Store.Err)
		require.LessOrEqual(t, f.total(), int64(time.Since(f.began)/(10*time.Millisecond))+11)
	})
}

// TestShareWhenAway checks that a process goes on at its share of the rate while the store is away.
func TestShareWhenAway(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFleet(t, 2, scheduler.Config{Limit: bucket.PerSecond(100).Burst(10), ShareWhenAway: 2})
		f.flood(0, 10)
		f.flood(1, 10)
		time.Sleep(5 * time.Second)
		f.store.setAway(true)
		time.Sleep(5 * time.Second)
		before := f.total()
		time.Sleep(10 * time.Second)
		require.InDelta(t, 1000, f.total()-before, 2, "two halves of the rate")
		f.store.setAway(false)
		time.Sleep(10 * time.Second)
		require.LessOrEqual(t, f.total(), int64(time.Since(f.began)/(10*time.Millisecond))+11)
		require.Greater(t, f.total(), int64(time.Since(f.began)/(10*time.Millisecond))*85/100)
	})
}

// TestHoldReachesTheFleet checks that a server's wait that one process hears holds the others at once.
func TestHoldReachesTheFleet(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFleet(t, 3, scheduler.Config{Limit: bucket.PerSecond(1000)})
		f.flood(1, 20)
		f.flood(2, 20)
		time.Sleep(2 * time.Second)
		var refused atomic.Bool
		h, err := f.members[0].Submit(t.Context(), func(context.Context) error {
			if refused.Swap(true) {
				return nil
			}
			return retry.After(errors.New("429"), 10*time.Second)
		})
		require.NoError(t, err)
		for !refused.Load() {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
		before := f.total()
		require.False(t, f.members[1].Snapshot().HeldUntil.IsZero())
		time.Sleep(9 * time.Second)
		require.Equal(t, before, f.total(), "nothing is granted before the wait is over")
		time.Sleep(3 * time.Second)
		require.Greater(t, f.total(), before+800, "then all go on")
		require.NoError(t, h.Wait(t.Context()))
	})
}

// TestHoldOfAnEarlierLife restarts a process that has heard a server's wait while the store was away. The wait goes on, and the
// store hears of it.
func TestHoldOfAnEarlierLife(t *testing.T) {
	for name, alone := range map[string]int{"waits for the store": 0, "goes on alone": 1} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := newFleet(t, 2, scheduler.Config{Limit: bucket.PerSecond(100), ShareWhenAway: alone, Retry: exact})
				time.Sleep(3 * time.Second)
				h, err := f.members[0].Submit(t.Context(), func(context.Context) error {
					f.store.setAway(true)
					return retry.After(errBusy, time.Minute)
				})
				require.NoError(t, err)
				time.Sleep(time.Second)
				require.ErrorIs(t, h.Err(), scheduler.ErrPending)
				held, level := f.members[0].Snapshot().HeldUntil, f.members[0].Snapshot().Level
				require.Greater(t, time.Until(held), 58*time.Second)
				f.members[0].Close()
				time.Sleep(5 * time.Second)

				cfg := scheduler.Config{Limit: bucket.PerSecond(100), Store: f.store, Level: &level, ShareWhenAway: alone}
				again, err := scheduler.New(cfg)
				require.NoError(t, err)
				defer again.Close()
				require.Equal(t, held, again.Snapshot().HeldUntil)
				time.Sleep(10 * time.Second) // alone, it would have a token by now
				require.ErrorIs(t, again.Do(t.Context(), nothing, scheduler.NoWait()), scheduler.ErrWouldWait)
				f.store.setAway(false)
				time.Sleep(2 * time.Second)
				require.WithinDuration(t, held, f.members[1].Snapshot().HeldUntil, time.Second, "the store has told the other process")
				require.NoError(t, again.Do(t.Context(), nothing))
				require.False(t, time.Now().Before(held))
			})
		})
	}
}

// TestFleetLimits checks that a new limit that one process sets is that of all, and that a process with another
// limit in its Config is told.
func TestFleetLimits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFleet(t, 2, scheduler.Config{Limit: bucket.PerSecond(100)})
		other, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(5), Store: f.store})
		require.NoError(t, err)
		defer other.Close()
		sub := other.Subscribe(events.Of(events.LimitChanged))
		require.Equal(t, events.LimitChanged, (<-sub.C).Kind)
		require.Equal(t, bucket.Limit{Capacity: 100, Refill: 1, Per: 10 * time.Millisecond}, other.Snapshot().Limit, "the first wins")

		require.NoError(t, f.members[0].SetLimit(bucket.PerSecond(20)))
		f.flood(1, 3)
		time.Sleep(3 * time.Second)
		require.EqualValues(t, 20, f.members[1].Snapshot().Limit.Capacity)
		var tooMuch *bucket.CostError
		require.ErrorAs(t, f.members[1].Do(t.Context(), func(context.Context) error { return nil }, scheduler.Cost(21)), &tooMuch)
		before := f.total()
		time.Sleep(10 * time.Second)
		require.InDelta(t, 200, f.total()-before, 21)
		require.ErrorContains(t, f.members[0].SetLimit(bucket.Daily(10, "UTC")), "Reset")
	})
}

// TestFleetSettles checks that actual costs are paid from the shared budget.
func TestFleetSettles(t *testing.T) {
	for _, actual := range []int64{1, 30} { // instead of 10
		inBubble(t, func(t *testing.T) {
			f := newFleet(t, 2, scheduler.Config{Limit: bucket.PerSecond(1000).Burst(100)})
			var spent atomic.Int64
			for _, s := range f.members {
				for range 20 {
					go func() {
						for s.Do(t.Context(), func(ctx context.Context) error {
							spent.Add(actual)
							return scheduler.Settle(ctx, "", actual)
						}, scheduler.Cost(10)) == nil {
						}
					}()
				}
			}
			time.Sleep(20 * time.Second)
			require.InDelta(t, int64(time.Since(f.began)/time.Millisecond), spent.Load(), 1200, "the rate is that of what was spent, up to what is on its way")
		})
	}
}

// TestCloseGivesBack checks that what a process has bought is there for the others when it is closed.
func TestCloseGivesBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFleet(t, 2, scheduler.Config{Limit: bucket.PerSecond(100)})
		time.Sleep(2 * time.Second) // the budget is full
		for range 60 {              // bought and spent, and more bought for those that wait
			go func() {
				_ = f.members[0].Do(t.Context(), func(context.Context) error { f.granted[0].Add(1); return nil }, scheduler.Cost(10))
			}()
		}
		time.Sleep(500 * time.Millisecond)
		_, err := f.members[0].Shutdown(canceled(t))
		require.ErrorIs(t, err, scheduler.ErrClosed)
		level := func() int64 {
			a, err := f.store.Exchange(t.Context(), bucket.Ask{Process: "observer", Seq: uint64(time.Now().UnixMicro()), Limit: bucket.PerSecond(100), Version: 1})
			require.NoError(t, err)
			return a.Level
		}
		time.Sleep(time.Second)
		require.GreaterOrEqual(t, level(), int64(0), "nothing is sold ahead any more")
	})
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// brokenStore is a store that is not one.
type brokenStore func(context.Context, bucket.Ask) (bucket.Answer, error)

func (b brokenStore) Exchange(ctx context.Context, a bucket.Ask) (bucket.Answer, error) {
	return b(ctx, a)
}

// TestBrokenStores checks that no store makes the owner wait, panic or grant what was not sold.
func TestBrokenStores(t *testing.T) {
	for name, store := range map[string]brokenStore{
		"fails":        func(context.Context, bucket.Ask) (bucket.Answer, error) { return bucket.Answer{}, errAway },
		"panics":       func(context.Context, bucket.Ask) (bucket.Answer, error) { panic("store") },
		"answers zero": func(context.Context, bucket.Ask) (bucket.Answer, error) { return bucket.Answer{}, nil },
		"hangs": func(ctx context.Context, _ bucket.Ask) (bucket.Answer, error) {
			<-ctx.Done()
			return bucket.Answer{}, ctx.Err()
		},
		"nonsense": func(context.Context, bucket.Ask) (bucket.Answer, error) {
			return bucket.Answer{Tokens: 5, Level: 5, Refill: -1, Per: 0, Capacity: 5, Version: 1, Epoch: "e"}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s, err := scheduler.New(scheduler.Config{Store: store})
				require.NoError(t, err)
				sub := s.Subscribe(events.Of(events.StoreAway))
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				require.ErrorIs(t, s.Do(ctx, func(context.Context) error { return errors.New("granted") }), context.DeadlineExceeded)
				began := time.Now()
				require.True(t, s.Snapshot().Store.Away)
				s.Close()
				require.Zero(t, time.Since(began))
				if ev := <-sub.C; name != "hangs" { // its exchange had not failed yet
					require.Error(t, ev.Err)
				}
				time.Sleep(2 * time.Second)
			})
		})
	}
}

func TestStoreConfigFaults(t *testing.T) {
	store := newRemoteStore()
	level := bucket.State{Tokens: 1}
	for want, cfg := range map[string]scheduler.Config{
		"Config.Store is for Limit":      {Limits: bucket.Limits{"a": {}}, Store: store},
		"there is no such budget":        {Limits: bucket.Limits{"a": {}}, Stores: map[string]bucket.Store{"b": store}},
		`Store of the budget "a" is nil`: {Limits: bucket.Limits{"a": {}}, Stores: map[string]bucket.Store{"a": nil}},
		`Store of the budget "" is nil`:  {Store: (*remoteStore)(nil)},
		"Reset":                          {Limit: bucket.Daily(10, "UTC"), Store: store},
		"Strict":                         {Limit: bucket.Window(10, time.Second, 5), Store: store},
		"4·Capacity·Per":                 {Limit: bucket.Unlimited, Store: store},
		"Config.Store: leave out the To": {Level: &level, Store: store},
		`Config.Stores["a"]: leave out `: {Limits: bucket.Limits{"a": {}}, Levels: map[string]bucket.State{"a": level}, Stores: map[string]bucket.Store{"a": store}},
		"Config.Store: the budget can't": {Limit: bucket.Daily(10, "UTC"), Store: store},
		`Config.Stores["a"]: the budget`: {Limits: bucket.Limits{"a": bucket.Daily(10, "UTC")}, Stores: map[string]bucket.Store{"a": store}},
		"Config.Adaptive can't be used":  {Adaptive: true, Store: store},
		"Config.Ahead is 2s":             {Ahead: 2 * time.Second, Store: store},
		"Config.ShareWhenAway is -1":     {ShareWhenAway: -1, Store: store},
		"set Stores":                     {Limits: bucket.Limits{"a": {}}, Store: store},
	} {
		require.ErrorContains(t, cfg.Validate(), want)
	}
}

// TestOneSharedOfTwo checks that tokens of a shared budget are not bought for calls that wait for another budget.
func TestOneSharedOfTwo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newRemoteStore()
		cfg := scheduler.Config{
			Limits: bucket.Limits{"own": bucket.PerSecond(1), "shared": bucket.PerSecond(100)},
			Stores: map[string]bucket.Store{"shared": store},
		}
		s, err := scheduler.New(cfg)
		require.NoError(t, err)
		defer s.Close()
		var granted atomic.Int64
		for range 5 {
			go func() {
				for s.Do(t.Context(), func(context.Context) error { granted.Add(1); return nil }) == nil {
				}
			}()
		}
		time.Sleep(60 * time.Second)
		require.InDelta(t, 60, granted.Load(), 3)
		for _, b := range s.Snapshot().Budgets {
			if b.Store != nil {
				require.Equal(t, "shared", b.Name)
				require.LessOrEqual(t, b.Available+b.Store.Coming, int64(10))
			}
		}
		require.LessOrEqual(t, store.exchanges.Load(), int64(200))
		s.Close()
		time.Sleep(2 * time.Second)
	})
}

// TestNoWaitInAFleet checks that calls that do not wait have tokens bought for those that follow.
func TestNoWaitInAFleet(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFleet(t, 1, scheduler.Config{Limit: bucket.PerSecond(10)})
		time.Sleep(10 * time.Second)
		try := func() error {
			return f.members[0].Do(t.Context(), func(context.Context) error { return nil }, scheduler.NoWait(), scheduler.Cost(3))
		}
		var wouldWait *scheduler.WouldWaitError
		require.ErrorAs(t, try(), &wouldWait)
		time.Sleep(4 * f.store.latency)
		require.NoError(t, try())
	})
}

// TestStoreSellsNothing checks that a store that sells nothing, and does not say why, is not asked again and again.
func TestStoreSellsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		asked := 0
		s, err := scheduler.New(scheduler.Config{Store: brokenStore(func(context.Context, bucket.Ask) (bucket.Answer, error) {
			asked++
			return bucket.Answer{Refill: 1, Per: 600_000, Capacity: 1000, Version: 1, Sharers: 1, Ahead: time.Second, Epoch: "e"}, nil
		})})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		require.ErrorIs(t, s.Do(ctx, func(context.Context) error { return nil }), context.DeadlineExceeded)
		_, err = s.Shutdown(t.Context())
		require.NoError(t, err)
		require.InDelta(t, 100, asked, 5)
	})
}

// TestOutageLosesNoTokens checks that a store that was away for a while takes back what processes had bought and
// could not spend. With few tokens, each lost one would cost minutes.
func TestOutageLosesNoTokens(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFleet(t, 10, scheduler.Config{Limit: bucket.PerMinute(1)})
		for i := range f.members {
			f.flood(i, 1)
		}
		time.Sleep(90 * time.Second)
		f.store.setAway(true)
		time.Sleep(5 * time.Second)
		f.store.setAway(false)
		time.Sleep(20 * time.Minute)
		require.InDelta(t, int64(time.Since(f.began)/time.Minute), f.total(), 1)
	})
}

// TestLocalBudgetLeavesTheRest checks that processes with long queues for a slow budget of their own buy no more of the
// shared one than they can use, so that another process gets the rest.
func TestLocalBudgetLeavesTheRest(t *testing.T) {
	for _, slow := range []int{1, 9} {
		inBubble(t, func(t *testing.T) {
			shared := bucket.PerSecond(100).Burst(10)
			f := newFleet(t, 1, scheduler.Config{Limit: shared})
			for range slow {
				s, err := scheduler.New(scheduler.Config{
					Limits: bucket.Limits{"own": bucket.PerSecond(1), "shared": shared},
					Stores: map[string]bucket.Store{"shared": f.store},
				})
				require.NoError(t, err)
				f.members = append(f.members, s)
				for range 200 {
					_, err := s.Submit(t.Context(), func(context.Context) error { return nil })
					require.NoError(t, err)
				}
			}
			f.flood(0, 50)
			time.Sleep(10 * time.Second)
			before := f.total()
			time.Sleep(30 * time.Second)
			require.InDelta(t, (100-slow)*30, f.total()-before, 60, "each of the others uses 1 a second")
		})
	}
}

// TestSetLimitWhenAway checks that a limit that is set while the store is away counts at once for a process that goes
// on alone.
func TestSetLimitWhenAway(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFleet(t, 1, scheduler.Config{Limit: bucket.PerSecond(100).Burst(10), ShareWhenAway: 2})
		f.flood(0, 10)
		time.Sleep(5 * time.Second)
		f.store.setAway(true)
		time.Sleep(5 * time.Second)
		require.NoError(t, f.members[0].SetLimit(bucket.PerSecond(20)))
		before := f.total()
		time.Sleep(10 * time.Second)
		require.InDelta(t, 100, f.total()-before, 1, "half of the rate")
		require.NoError(t, f.members[0].Do(t.Context(), func(context.Context) error { return nil }, scheduler.Cost(20)))
	})
}

// TestStoreIsLogged checks that a log record says which store is away, and why.
func TestStoreIsLogged(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var log bytes.Buffer
		store := newRemoteStore()
		store.setAway(true)
		s, err := scheduler.New(scheduler.Config{
			Limits: bucket.Limits{"requests": {}, "tokens": {}}, Stores: map[string]bucket.Store{"tokens": store},
			Logger: slog.New(slog.NewJSONHandler(&log, nil)),
		})
		require.NoError(t, err)
		time.Sleep(2 * time.Second)
		s.Close()
		time.Sleep(2 * time.Second)
		synctest.Wait() // for the goroutine that logs
		require.Regexp(t, `"level":"WARN","msg":"store away",.*"budget":"tokens",.*"err":"connection refused"`, log.String())
	})
}
