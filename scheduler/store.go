package scheduler

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler/internal/core"
	"example.com/fairlead/scheduler/internal/safetext"
)

// exchangeTime is how long an exchange with a store may take. Then it has failed.
const exchangeTime = time.Second

// stores returns the stores of a normal configuration, by the names of their budgets.
func (cfg Config) stores() map[string]bucket.Store {
	if cfg.Store == nil {
		return cfg.Stores
	}
	return map[string]bucket.Store{"": cfg.Store}
}

// checkStores returns all faults in Store, Stores, Ahead and ShareWhenAway.
func (cfg Config) checkStores() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("scheduler: "+format, args...))
	}
	if cfg.Store != nil && len(cfg.Limits) > 0 {
		fault("Config.Store is for Limit, and Config.Stores for Limits: set Stores")
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.stores())) {
		limit, ok := cfg.Limits[name]
		if name == "" && cfg.Store != nil {
			limit, ok = cfg.Limit, true
		}
		field := fmt.Sprintf("Config.Stores[%q]", name)
		if name == "" && cfg.Store != nil {
			field = "Config.Store"
		}
		level := cfg.Levels[name]
		if cfg.Store != nil && cfg.Level != nil {
			level = *cfg.Level
		}
		if level.Tokens != 0 {
			fault("%s: leave out the Tokens of the budget's Level, since the store keeps them", field)
		}
		if !ok {
			fault("Config.Stores[%q]: there is no such budget in Limits", name)
		} else if err := limit.ValidateShared(); err != nil && limit.Validate() == nil {
			fault("%s: the budget can't be shared: %w", field, err)
		}
		if v := reflect.ValueOf(cfg.stores()[name]); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
			fault("the Store of the budget %q is nil: leave it out for a budget of this scheduler alone", name)
		}
	}
	if cfg.Adaptive && len(cfg.stores()) > 0 {
		fault("Config.Adaptive can't be used with a Store: the processes would not know of each other's rates")
	}
	if cfg.Ahead < 0 || cfg.Ahead > bucket.MaxAhead {
		fault("Config.Ahead is %v: it must be positive and at most %v, or 0 for the default", cfg.Ahead, bucket.MaxAhead)
	}
	if cfg.ShareWhenAway < 0 {
		fault("Config.ShareWhenAway is %d: it must be the number of processes, or 0 for no calls while a Store is away", cfg.ShareWhenAway)
	}
	return errors.Join(faults...)
}

// shared returns the core's configuration of the shared budgets, by name.
func (cfg Config) shared() map[string]core.Shared {
	all := map[string]core.Shared{}
	for name := range cfg.stores() {
		all[name] = core.Shared{Process: rand.Text(), Ahead: cfg.Ahead, Alone: int64(cfg.ShareWhenAway)}
	}
	return all
}

// storeLink connects the owner with the store of one budget. The owner never waits for the store: it puts asks
// into a channel, and a goroutine exchanges them for answers.
type storeLink struct {
	budget int
	store  bucket.Store
	asks   chan bucket.Ask // has room for an ask and for the last one; closed with the scheduler
	late   bucket.Answer   // came after the scheduler was closed, so its tokens are given back
}

// openStores starts the goroutines that exchange with stores.
func (o *owner) openStores(stores map[string]bucket.Store) {
	for i := range o.core.Budgets {
		if !o.core.IsShared(i) {
			continue
		}
		l := &storeLink{budget: i, store: stores[o.core.Budgets[i].Name], asks: make(chan bucket.Ask, 2)}
		o.links = append(o.links, l)
		o.s.exchanges.Go(func() { o.s.exchange(l) })
		if h, ok := l.store.(bucket.Hinter); ok {
			o.s.exchanges.Go(func() { o.s.hints(h, l.budget) })
		}
	}
	if o.s.shared = o.links != nil; o.s.shared {
		o.s.inbox <- message{op: opTick} // for the first exchange
	}
}

// askStores sends the asks that are due.
func (o *owner) askStores() {
	for _, l := range o.links {
		if ask, ok := o.core.Ask(l.budget); ok {
			o.exchanging++
			l.asks <- ask // has room, since one ask is under way at a time
		}
	}
	if o.core.LimitsChanged {
		o.core.LimitsChanged = false
		o.s.limits.Store(limitsOf(o.core.Budgets))
	}
}

// leaveStores sends the last asks, which give all tokens back, when the scheduler is closed.
func (o *owner) leaveStores() {
	for _, l := range o.links {
		if last, ok := o.core.Leave(l.budget); ok {
			l.asks <- last
		}
		close(l.asks)
	}
}

// storeState returns the state of the store of the i-th budget, or nil if it has none.
func (o *owner) storeState(i int) *StoreState {
	if !o.core.IsShared(i) {
		return nil
	}
	is := o.core.StoreOf(i)
	s := &StoreState{Away: is.Away, Sharers: is.Sharers, Coming: is.Coming, Exchanges: is.Exchanges}
	if is.Away {
		s.AwaySince, s.Err = o.core.Time(is.Since), safetext.Of(is.Failure)
	}
	if is.SellsFrom > o.core.Now {
		s.SellsFrom = o.core.Time(is.SellsFrom)
	}
	return s
}

// exchange exchanges asks for answers until the scheduler is closed.
func (s *Scheduler) exchange(l *storeLink) {
	for ask := range l.asks {
		if ask.Leave && ask.Epoch == l.late.Epoch {
			ask.Back += l.late.Tokens
		}
		answer, err := s.exchangeOnce(l.store, ask)
		taken := ask.Leave || s.post(message{op: opAsk, do: func(o *owner, now time.Duration) {
			o.exchanging--
			if err != nil {
				o.core.AskFailed(now, l.budget, err)
			} else {
				o.core.Answered(now, l.budget, answer)
			}
		}})
		if !taken && err == nil {
			l.late = answer
		}
	}
}

// exchangeOnce makes one attempt of an exchange. A panic of the store counts as an error.
func (s *Scheduler) exchangeOnce(store bucket.Store, ask bucket.Ask) (answer bucket.Answer, err error) {
	ctx, cancel := s.withTimeout(context.Background(), exchangeTime, context.DeadlineExceeded)
	defer cancel()
	if p := guard(func() { answer, err = store.Exchange(ctx, ask) }); p != nil {
		p.In = "store"
		return bucket.Answer{}, p
	}
	return answer, err
}

// hints makes the process exchange whenever the store gives a hint, until the scheduler is closed.
func (s *Scheduler) hints(store bucket.Hinter, budget int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-s.done
		cancel()
	}()
	_ = guard(func() {
		_ = store.Hints(ctx, func() {
			s.post(message{op: opAsk, do: func(o *owner, now time.Duration) { o.core.Hint(now, budget) }})
		})
	})
}

// waitForStores waits, after the scheduler is closed, until all tokens were given back to the stores, for exchangeTime at
// most.
func (s *Scheduler) waitForStores(ctx context.Context) {
	left := make(chan struct{})
	go func() {
		s.exchanges.Wait()
		close(left)
	}()
	timeout, cancel := s.withTimeout(ctx, exchangeTime, context.DeadlineExceeded)
	defer cancel()
	select {
	case <-left:
	case <-timeout.Done():
	}
}
