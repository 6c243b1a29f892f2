package main

import (
	"context"
	"sync/atomic"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// feature is one thing that a call or a scheduler can have. Its open returns calls that have it.
// Their scheduler has the given clock, or the system's if that is nil.
type feature struct {
	name string
	open func(clock.Clock) func() bool
}

const (
	plainDo           = "Do, plain"
	afterSubscription = "Do after a subscription was closed"
	withCost          = "Cost(2), and a context to settle it with"
	withAll           = "Name, Cost(2) and Priority(1): what a real call looks like"
	ownersPath        = "Do through the owner"
	withoutCost       = "Do with Cost(0)"
	withKey           = "Do with a Key"
	withKeyAndLimit   = "Do with a Key that has a limit"
)

// configured are plain calls of schedulers with all kinds of configurations. None is told to the
// owner.
var configured = []feature{
	{plainDo, plain(scheduler.Config{}, nil)},
	{afterSubscription, plain(scheduler.Config{}, func(s *scheduler.Scheduler) { s.Subscribe(events.All).Close() })},
	{"subscriber to Retrying", plain(scheduler.Config{}, func(s *scheduler.Scheduler) { subscribe(s, events.Of(events.Retrying)) })},
	{"Config.MaxInFlight", plain(scheduler.Config{MaxInFlight: 1 << 16}, nil)},
	{"Config.MaxQueued", plain(scheduler.Config{MaxQueued: 1 << 16}, nil)},
	{"two budgets", plain(scheduler.Config{Limits: twoBudgets()}, nil)},
}

// optional are calls with options, made where the call is made, as most programs do.
var optional = []feature{
	{"Priority(1)", with(func(s *scheduler.Scheduler, ctx context.Context) error {
		return s.Do(ctx, nothing, scheduler.Priority(1))
	})},
	{"Name", with(func(s *scheduler.Scheduler, ctx context.Context) error {
		return s.Do(ctx, nothing, scheduler.Name("name"))
	})},
	{"NoWait", with(func(s *scheduler.Scheduler, ctx context.Context) error {
		return s.Do(ctx, nothing, scheduler.NoWait())
	})},
	{"Retry", with(func(s *scheduler.Scheduler, ctx context.Context) error {
		return s.Do(ctx, nothing, scheduler.Retry(retry.Policy{MaxRetries: maxRetries, Initial: time.Second}))
	})},
	{"Classify", with(func(s *scheduler.Scheduler, ctx context.Context) error {
		return s.Do(ctx, nothing, scheduler.Classify(retry.Classify))
	})},
	{"OnProgress", with(func(s *scheduler.Scheduler, ctx context.Context) error {
		return s.Do(ctx, nothing, scheduler.OnProgress(func(scheduler.Progress) {}))
	})},
	{"WaitUntilDeadline", with(func(s *scheduler.Scheduler, ctx context.Context) error {
		return s.Do(ctx, nothing, scheduler.WaitUntilDeadline())
	})},
	{withCost, with(func(s *scheduler.Scheduler, ctx context.Context) error {
		return s.Do(ctx, nothing, scheduler.Cost(2))
	})},
	{withAll, with(func(s *scheduler.Scheduler, ctx context.Context) error {
		return s.Do(ctx, nothing, scheduler.Name("name"), scheduler.Cost(2), scheduler.Priority(1))
	})},
}

// owned are calls that the owner hears of, before and after.
var owned = []feature{
	{ownersPath, throughOwner(scheduler.Config{})},
	{"the same with Config.MaxInFlight", throughOwner(scheduler.Config{MaxInFlight: 1 << 16})},
	{"the same with Config.MaxQueued", throughOwner(scheduler.Config{MaxQueued: 1 << 16})},
	{"the same with Priority(1)", throughOwner(scheduler.Config{}, scheduler.Priority(1))},
	{"the same with OnProgress", throughOwner(scheduler.Config{}, scheduler.OnProgress(func(scheduler.Progress) {}))},
	{"the same with Cost(2)", throughOwner(scheduler.Config{}, scheduler.Cost(2))},
	{"Do, with a subscriber to Granted", plain(scheduler.Config{}, func(s *scheduler.Scheduler) { subscribe(s, events.Of(events.Granted)) })},
	{"Do, with a subscriber to everything", plain(scheduler.Config{}, func(s *scheduler.Scheduler) { subscribe(s, events.All) })},
	{"Do with CostOf(\"b\", 2), of two budgets", openCostOf},
	{withoutCost, with(func(s *scheduler.Scheduler, ctx context.Context) error {
		return s.Do(ctx, nothing, scheduler.Cost(0))
	})},
	{withKey, with(func(s *scheduler.Scheduler, ctx context.Context) error {
		return s.Do(ctx, nothing, scheduler.Key("key"))
	})},
	{withKeyAndLimit, openKeyWithLimit},
	{"Submit, and wait for Done", openSubmit},
	{"Reserve, Ready, Done", openReserve},
}

func twoBudgets() bucket.Limits {
	return bucket.Limits{"a": fairleadLimit(unfelt), "b": fairleadLimit(unfelt)}
}

// subscribe reads all events of the kinds and counts them.
func subscribe(s *scheduler.Scheduler, kinds events.Kinds) *atomic.Int64 {
	sub, seen := s.Subscribe(kinds), new(atomic.Int64)
	go func() {
		for range sub.C {
			seen.Add(1)
		}
	}()
	return seen
}

// newUnfelt returns a scheduler with the configuration and a limit that is never felt.
func newUnfelt(cfg scheduler.Config) *scheduler.Scheduler {
	if cfg.Limits == nil {
		cfg.Limit = fairleadLimit(unfelt)
	}
	return must(scheduler.New(cfg))
}

// newUnlent returns a scheduler with the configuration that lends no tokens, so that each call
// goes to its owner and back. A call waits in its queue: it ranks last and costs the whole bucket,
// which is full again in 292 years. Others go ahead of it, and while a call is queued, nothing is
// lent. A bucket too small to be lent would not do: 256 callers would have to wait for its tokens.
func newUnlent(cfg scheduler.Config) *scheduler.Scheduler {
	const capacity = 1 << 50
	cfg.Limit = bucket.Limit{Capacity: capacity, Refill: 1, Per: bucket.Forever - 1}
	s, ctx := must(scheduler.New(cfg)), context.Background()
	check(s.Do(ctx, nothing)) // from now on the bucket is not full
	must(s.Submit(ctx, nothing, scheduler.Cost(capacity), scheduler.Priority(-1<<30)))
	return s
}

func plain(cfg scheduler.Config, prepare func(*scheduler.Scheduler)) func(clock.Clock) func() bool {
	return func(c clock.Clock) func() bool {
		cfg.Clock = c
		s, ctx := newUnfelt(cfg), context.Background()
		if prepare != nil {
			prepare(s)
		}
		return func() bool { return s.Do(ctx, nothing) == nil }
	}
}

func with(do func(*scheduler.Scheduler, context.Context) error) func(clock.Clock) func() bool {
	return func(c clock.Clock) func() bool {
		s, ctx := newUnfelt(scheduler.Config{Clock: c}), context.Background()
		return func() bool { return do(s, ctx) == nil }
	}
}

func throughOwner(cfg scheduler.Config, opts ...scheduler.Option) func(clock.Clock) func() bool {
	return func(c clock.Clock) func() bool {
		cfg.Clock = c
		s, ctx := newUnlent(cfg), context.Background()
		return func() bool { return s.Do(ctx, nothing, opts...) == nil }
	}
}

func openCostOf(c clock.Clock) func() bool {
	s, ctx := newUnfelt(scheduler.Config{Limits: twoBudgets(), Clock: c}), context.Background()
	return func() bool { return s.Do(ctx, nothing, scheduler.CostOf("b", 2)) == nil }
}

func openKeyWithLimit(c clock.Clock) func() bool {
	s, ctx := newUnfelt(scheduler.Config{PerKey: scheduler.PerKey{Limit: fairleadLimit(unfelt)}, Clock: c}), context.Background()
	return func() bool { return s.Do(ctx, nothing, scheduler.Key("key")) == nil }
}

func openSubmit(c clock.Clock) func() bool {
	s, ctx := newUnfelt(scheduler.Config{Clock: c}), context.Background()
	return func() bool {
		h, err := s.Submit(ctx, nothing)
		if err != nil {
			return false
		}
		<-h.Done()
		return h.Err() == nil
	}
}

func openReserve(c clock.Clock) func() bool {
	s, ctx := newUnfelt(scheduler.Config{Clock: c}), context.Background()
	return func() bool {
		r, err := s.Reserve(ctx)
		if err != nil {
			return false
		}
		<-r.Ready()
		r.Done(nil)
		return true
	}
}
