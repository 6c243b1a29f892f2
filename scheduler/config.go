package scheduler

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/core"
)

// Config configures a scheduler. Set Limit or Limits to the API's quota. All other fields have
// defaults that fit most programs, such as 5 retries with a backoff from 1 s, doubling, to 60 s, with
// ±10 % jitter.
type Config struct {
	// Limit is the budget, a token bucket, such as bucket.PerMinute(500).Burst(50). For a scheduler
	// that only retries, or only caps what runs, use [bucket.Unlimited]. Zero means [bucket.Limit]'s
	// default, 100 tokens a minute and a capacity of 1000, which few APIs have: the first 1000
	// calls go at once. For a quota of each day or month, see [bucket.Daily].
	Limit bucket.Limit

	// Limits are several budgets by name, at most 6, instead of Limit. A call at the head of the
	// queue takes its cost from all of them or from none. Nil means one budget, Limit.
	Limits bucket.Limits

	// Level is the level of the budget at the start, such as an earlier Snapshot().Level. It is
	// refilled for the time since. Nil means a full budget, and a pointer to the zero State an
	// empty one. With a Store, which keeps the tokens, only its Held counts.
	Level *bucket.State

	// Levels are the same for Limits, by name. A budget without an entry is full.
	Levels map[string]bucket.State

	// Store makes several processes, on any machines, share the budget of Limit: all whose Stores have the same
	// name. The section "Many machines" of the package says how. Nil means that this scheduler has the budget
	// for itself.
	Store bucket.Store

	// Stores are the same for Limits, by name. A budget without an entry is this scheduler's own.
	Stores map[string]bucket.Store

	// Ahead is how far ahead a process buys tokens from a Store, at most a second. A longer Ahead takes fewer
	// exchanges, but a new call may wait that long while other processes use the whole rate. Zero means the time
	// in which 100 tokens come for each of the processes, but at least 50 ms and at most 1 s.
	Ahead time.Duration

	// ShareWhenAway lets calls go on while a Store is away, at the rate divided by ShareWhenAway, which should be
	// the number of processes. The process then has a bucket of its own, which begins empty when no bought token
	// is left. If only m of the processes can't reach the Store, all together may exceed the rate by the part
	// m / ShareWhenAway. Zero means that calls wait until the Store is back.
	ShareWhenAway int

	// Retry is the policy of calls without one of their own. Zero means [retry.Policy]'s default.
	// If its Seed is zero and Clock is nil or [clock.Plain], New draws a random seed, so that
	// processes don't retry in step. It is in the Snapshot.
	Retry retry.Policy

	// Classify judges the errors of calls without a classifier of their own. Nil means
	// [retry.Classify], which retries only errors that are marked as retryable: an error that is
	// not marked is final and is returned at once. Mark it, for example with [retry.Transient], or
	// use another classifier. [retry.Network] also retries timeouts and lost connections, and
	// [retry.Any] all errors but those that are marked as permanent.
	Classify retry.Classifier

	// RetryBudget limits how many retries all calls make together, so that they don't multiply the load
	// of a server that is down. A call whose retry is not in the budget ends with a
	// [retry.ExhaustedError], or waits with Budget.Wait. [PerKey.RetryBudget] limits the retries of each
	// key. Nil means no limit, and a zero [retry.Budget] one retry for ten calls.
	RetryBudget *retry.Budget

	// AttemptTimeout is how long each attempt of a call without an [AttemptTimeout] of its own may
	// take before its context ends. It does not apply to reservations. Zero means no timeout.
	AttemptTimeout time.Duration

	// Adaptive makes the rate follow what the server takes. A rate-limit error halves it, once
	// for all attempts that were running then. It climbs back by a sixteenth of the configured
	// rate in each Per of the limit, where a Per counts as one second at least and one minute at
	// most. It never exceeds the configured rate. A limit with a Reset has no rate, and stays as it
	// is. False means the configured rate.
	Adaptive bool

	// MaxInFlight caps the calls whose functions run at the same time. A call that backs off does
	// not count. Zero means no cap.
	//
	// A nested call needs a slot of its own. If every slot is held by a call that waits for a
	// nested one, the calls deadlock: use a separate scheduler for the inner calls. If an inner
	// Do, Reserve or Stream has the context of the outer call, or one derived from it, it ends
	// with a [DeadlockError] instead.
	//
	// A deadlock is not detected if the inner call has another context or is submitted, if the
	// outer call is a Do without [Cost] or [CostOf], which has no context of its own, or if two
	// schedulers wait for each other. A call with the outer call's context counts as waited for
	// until it ends, and so does a reservation. Give it another context if the outer call does
	// not wait for it.
	MaxInFlight int

	// MaxQueued bounds the calls that wait for their first attempt. A call that can start at once
	// does not count, and neither does a retry. Zero means no bound.
	MaxQueued int

	// Overflow decides what happens when MaxQueued calls wait and one more comes. Zero means
	// [WaitForRoom].
	Overflow Overflow

	// PerKey has the limits of each key: see [Key]. Zero means that keys share all of the above fairly,
	// and have no limits of their own.
	PerKey PerKey

	// PriorityStep is how much earlier a call counts as having arrived for each point of its
	// [Priority]. Zero means one minute.
	PriorityStep time.Duration

	// LastCall is the highest number of a call of an earlier scheduler. Calls get the numbers after it, and those of
	// [Resumed] calls are their own. It is at most 2⁶³-1. Zero means that calls are numbered from 1.
	LastCall uint64

	// Clock is the source of time. Nil means [clock.System].
	Clock clock.Clock

	// Logger, if not nil, receives a record for each retry, hold, pause, resume, rate change and
	// exhausted call, and at shutdown. It also receives one when a Store is away, back or reset,
	// and when another process has another limit. It is called from a separate goroutine, and
	// records that it has not written when the program exits are lost. The message is the name of
	// the [events.Kind]. The level is Warn for a hold, which stops all calls, and for a Store that
	// is away, is reset or has another limit, Error for an exhausted call, and otherwise Info. The
	// keys are seq, call, attempt, max_attempts, name, key, delay, budget (of a Store), available,
	// rate and err, as far as they apply, and missed if events were lost. A handler that panics loses
	// a record.
	//
	// If the logger is enabled for Debug when New is called, it also receives a record at that
	// level, "not retried: the error is not marked and Classify does not know it", for each call
	// that ends with an error that [retry.Any] would have retried.
	Logger *slog.Logger

	// EventBuffer is how many events a subscription holds before it loses the oldest. The most is
	// [events.MaxBuffer]. Zero means [events.DefaultBuffer].
	EventBuffer int
}

// Overflow decides what happens when [Config.MaxQueued] calls wait and one more comes that would
// have to wait.
type Overflow uint8

const (
	// WaitForRoom makes [Scheduler.Submit] and [Stream] wait until there is room or their context
	// is done, so that callers submit work no faster than it is done. The call has its place in
	// the queue meanwhile. [Scheduler.Do] waits for its turn in any case.
	WaitForRoom Overflow = iota

	// RefuseNew refuses the new call with a [QueueFullError].
	RefuseNew

	// DropLowest ends the call that ranks last, the new one or another, with a [QueueFullError].
	// A call that was granted before is never dropped.
	DropLowest
)

// String returns the name of the constant.
func (o Overflow) String() string {
	switch o {
	case WaitForRoom:
		return "WaitForRoom"
	case RefuseNew:
		return "RefuseNew"
	case DropLowest:
		return "DropLowest"
	}
	return fmt.Sprintf("Overflow(%d)", uint8(o))
}

// normal returns the configuration with its defaults, or all faults in it.
func (cfg Config) normal() (Config, error) {
	var faults []error
	if cfg.Clock == nil || cfg.Clock == clock.Plain() {
		for cfg.Retry.Seed == 0 {
			cfg.Retry.Seed = rand.Uint64()
		}
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System()
	} else if v := reflect.ValueOf(cfg.Clock); v.Kind() == reflect.Pointer && v.IsNil() {
		faults = append(faults, fmt.Errorf("scheduler: Config.Clock is a nil %T: leave Clock out for the system clock", cfg.Clock))
	}
	faults = append(faults, cfg.checkLimits(), cfg.checkStores(), cfg.checkPerKey())
	if err := cfg.Retry.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("scheduler: Config.Retry: %w", err))
	}
	if cfg.RetryBudget != nil {
		if err := cfg.RetryBudget.Validate(); err != nil {
			faults = append(faults, fmt.Errorf("scheduler: Config.RetryBudget: %w", err))
		}
	}
	if cfg.AttemptTimeout < 0 {
		faults = append(faults, fmt.Errorf("scheduler: Config.AttemptTimeout is %v: it must be positive, or 0 for no timeout", cfg.AttemptTimeout))
	}
	if cfg.MaxInFlight < 0 {
		faults = append(faults, fmt.Errorf("scheduler: Config.MaxInFlight is %d: it must be positive, or 0 for no cap", cfg.MaxInFlight))
	}
	if cfg.MaxQueued < 0 {
		faults = append(faults, fmt.Errorf("scheduler: Config.MaxQueued is %d: it must be positive, or 0 for no bound", cfg.MaxQueued))
	}
	if cfg.Overflow > DropLowest {
		faults = append(faults, fmt.Errorf("scheduler: Config.Overflow is %d: it must be WaitForRoom, RefuseNew or DropLowest", uint8(cfg.Overflow)))
	}
	if cfg.PriorityStep < 0 {
		faults = append(faults, fmt.Errorf("scheduler: Config.PriorityStep is %v: it must be positive, or 0 for %v", cfg.PriorityStep, core.DefaultPriorityStep))
	}
	if cfg.LastCall > maxNumber {
		faults = append(faults, fmt.Errorf("scheduler: Config.LastCall is %d: the largest number is %d", cfg.LastCall, maxNumber))
	}
	if cfg.EventBuffer < 0 || cfg.EventBuffer > events.MaxBuffer {
		faults = append(faults, fmt.Errorf("scheduler: Config.EventBuffer is %d: it must be from 1 to %d, or 0 for %d", cfg.EventBuffer, events.MaxBuffer, events.DefaultBuffer))
	}
	if cfg.Classify == nil {
		cfg.Classify = retry.Classify
	}
	cfg.Limit = cfg.Limit.WithDefaults()
	cfg.Retry = cfg.Retry.WithDefaults()
	return cfg, errors.Join(faults...)
}

// Validate returns an error that joins all faults, as [New] does. It starts nothing.
func (cfg Config) Validate() error {
	_, err := cfg.normal()
	return err
}

// checkLimits returns all faults in the limits and levels.
func (cfg Config) checkLimits() error {
	var faults []error
	if err := cfg.Limit.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("scheduler: Config.Limit: %w", err))
	}
	if len(cfg.Limits) > 0 && (cfg.Limit != bucket.Limit{} || cfg.Level != nil) {
		faults = append(faults, errors.New("scheduler: Config.Limit and Level are for one budget, Limits and Levels for several: set only one of the pairs"))
	}
	if len(cfg.Limits) > core.MaxBudgets {
		faults = append(faults, fmt.Errorf("scheduler: Config.Limits has %d budgets: there may be at most %d", len(cfg.Limits), core.MaxBudgets))
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Limits)) {
		if name == "" {
			faults = append(faults, errors.New("scheduler: Config.Limits has a budget without a name: use Limit for a single budget"))
		}
		if err := cfg.Limits[name].Validate(); err != nil {
			faults = append(faults, fmt.Errorf("scheduler: Config.Limits[%q]: %w", name, err))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Levels)) {
		if _, ok := cfg.Limits[name]; !ok {
			faults = append(faults, fmt.Errorf("scheduler: Config.Levels[%q]: there is no such budget in Limits", name))
		}
	}
	return errors.Join(faults...)
}

// core returns the configuration of the core, from a normal configuration.
func (cfg Config) core(origin time.Time) core.Config {
	c := core.Config{
		Origin: origin, Limits: cfg.Limits, Levels: cfg.Levels, PriorityStep: cfg.PriorityStep, LastID: cfg.LastCall,
		MaxInFlight: cfg.MaxInFlight, MaxQueued: cfg.MaxQueued, Overflow: core.Overflow(cfg.Overflow), Retry: cfg.Retry, RetryBudget: cfg.RetryBudget, Adaptive: cfg.Adaptive,
		PerKey: cfg.PerKey.core(), Shared: cfg.shared(),
	}
	if len(c.Limits) == 0 {
		c.Limits = bucket.Limits{"": cfg.Limit}
		if cfg.Level != nil {
			c.Levels = map[string]bucket.State{"": *cfg.Level}
		}
	}
	return c
}
