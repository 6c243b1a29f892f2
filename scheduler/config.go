package scheduler

import (
	"cmp"
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
)

// Config says how a scheduler behaves. The zero Config works: 1000 tokens, 100 a
// minute, 5 retries from 1 s, doubling, to 60 s, with ±10 % jitter.
type Config struct {
	// Limit is the budget. Zero means [bucket.Limit]'s default: 100 tokens a
	// minute, capacity 1000.
	Limit bucket.Limit

	// Limits are several budgets by name, in place of Limit: at most 6. A call takes its
	// cost from each of them, all or nothing, when it is first in the one queue. Nil
	// means that there is one budget, Limit.
	Limits bucket.Limits

	// Level is what is in the budget at the start, as an earlier
	// Snapshot().Level: it is refilled for the time that has passed since. Nil
	// means a full budget; a pointer to the zero State means an empty one.
	Level *bucket.State

	// Levels are the same for Limits, by name. A budget that is not in it is full.
	Levels map[string]bucket.State

	// Retry is the policy of calls that bring none of their own. Zero means
	// [retry.Policy]'s default. If its Seed is zero and so is Clock, New draws a
	// seed at random, so that processes don't retry in step; Snapshot tells it.
	Retry retry.Policy

	// Classify judges the errors of calls that bring no classifier of their own.
	// Nil means [retry.Classify]: what is marked is retried, and nothing else.
	Classify retry.Classifier

	// Adaptive has the rate follow what the server takes: it is halved at a rate-limit
	// error, once for all that were on their way then, and climbs back by a sixteenth of
	// the configured rate for each Per of the limit, but for each second at least and
	// each minute at most. It never rises above what is configured. False means that
	// the rate is as configured.
	Adaptive bool

	// MaxInFlight is the most calls whose function may run at once. A call that
	// backs off does not count. Zero means no cap.
	//
	// A call made inside another needs a slot of its own. If every slot is held by a call that
	// waits for one made inside it, the calls deadlock: give the inner calls a scheduler of
	// their own. If an inner Do, Reserve or Stream has the context of the outer call, or one
	// derived from it, it ends with a [DeadlockError] instead. A deadlock is not seen if the
	// inner call has another context or is submitted, if the outer call is a Do without [Cost]
	// or [CostOf], which has no context of its own, or if two schedulers wait for each other.
	// A call with the outer call's context counts as waited for until it ends, also a
	// reservation: give it another context if the outer call does not wait for it.
	MaxInFlight int

	// MaxQueued is the most calls that may wait for their first attempt at the same
	// time; what happens to one too many is for Overflow to say. A call that can start
	// at once does not count, and neither does a retry. Zero means no bound.
	MaxQueued int

	// Overflow says what happens when MaxQueued calls wait and one more comes. Zero
	// means [WaitForRoom].
	Overflow Overflow

	// PriorityStep is how much earlier a call counts as having arrived for each point
	// of its [Priority]. Zero means one minute.
	PriorityStep time.Duration

	// Clock is where time comes from. Nil means [clock.System].
	Clock clock.Clock

	// Logger gets a line for every retry, server's wait, pause and its end, change of an
	// adaptive rate and exhausted call, and for the end of the scheduler, from a goroutine
	// of its own: what it has not written when the program exits is lost. The message is the name of the [events.Kind], at level Info; a server's
	// wait, which holds up everybody, is a Warn, and an exhausted call an Error. The keys
	// are seq, call, attempt, max_attempts, name, delay, available, rate and err, as far
	// as they mean something, and missed where events were lost. A handler that panics loses
	// a record. Nil means no logging.
	Logger *slog.Logger

	// EventBuffer is how many events a subscription holds before it loses the
	// oldest: [events.MaxBuffer] at most. Zero means [events.DefaultBuffer].
	EventBuffer int
}

const defaultPriorityStep = time.Minute

// Overflow says what happens when [Config.MaxQueued] calls wait and one more comes that
// would have to wait, too.
type Overflow uint8

const (
	// WaitForRoom lets [Scheduler.Submit], and with it [Stream], return only when there
	// is room or its context is done: so whoever hands in work does it no faster than
	// it is done. The call has its place in the order meanwhile. [Scheduler.Do] waits
	// for its turn in any case.
	WaitForRoom Overflow = iota

	// RefuseNew refuses the new call with a [QueueFullError].
	RefuseNew

	// DropLowest ends the call that ranks last, be it the new one or another, with a
	// [QueueFullError]. A call that was granted before is never dropped.
	DropLowest
)

// String is the name of the constant.
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

// normal returns the configuration with its defaults, or every fault in it.
func (cfg Config) normal() (Config, error) {
	var faults []error
	if cfg.Clock == nil {
		cfg.Clock = clock.System()
		for cfg.Retry.Seed == 0 {
			cfg.Retry.Seed = rand.Uint64()
		}
	} else if v := reflect.ValueOf(cfg.Clock); v.Kind() == reflect.Pointer && v.IsNil() {
		faults = append(faults, fmt.Errorf("scheduler: Config.Clock is a nil %T: leave Clock out for the system clock", cfg.Clock))
	}
	faults = append(faults, cfg.checkLimits())
	if err := cfg.Retry.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("scheduler: Config.Retry: %w", err))
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
		faults = append(faults, fmt.Errorf("scheduler: Config.PriorityStep is %v: it must be positive, or 0 for %v", cfg.PriorityStep, defaultPriorityStep))
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

// checkLimits returns every fault in what concerns budgets.
func (cfg Config) checkLimits() error {
	var faults []error
	if err := cfg.Limit.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("scheduler: Config.Limit: %w", err))
	}
	if len(cfg.Limits) > 0 && (cfg.Limit != bucket.Limit{} || cfg.Level != nil) {
		faults = append(faults, errors.New("scheduler: Config.Limit and Level are for one budget, Limits and Levels for several: set those or these"))
	}
	if len(cfg.Limits) > maxBudgets {
		faults = append(faults, fmt.Errorf("scheduler: Config.Limits has %d budgets: there may be at most %d", len(cfg.Limits), maxBudgets))
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Limits)) {
		if name == "" {
			faults = append(faults, errors.New("scheduler: Config.Limits has a budget without a name: that is what Limit is for"))
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

// newCore returns the core of a scheduler with a normal configuration.
func newCore(cfg Config, origin time.Time) (*core, error) {
	b, err := newBudgets(cfg, origin)
	return &core{
		origin: origin, step: cmp.Or(cfg.PriorityStep, defaultPriorityStep), budgets: b, queue: queue{more: len(b) - 1},
		adaptive:    adaptiveRate{enabled: cfg.Adaptive, share: fullShare, decreasedAt: -1, increaseAt: bucket.Forever},
		maxInFlight: cfg.MaxInFlight, maxQueued: cfg.MaxQueued, overflow: cfg.Overflow,
	}, err
}

// newBudgets returns the budgets of a normal configuration.
func newBudgets(cfg Config, origin time.Time) (budgets, error) {
	limits, levels := cfg.Limits, cfg.Levels
	if len(limits) == 0 {
		limits = bucket.Limits{"": cfg.Limit}
		if cfg.Level != nil {
			levels = map[string]bucket.State{"": *cfg.Level}
		}
	}
	var all budgets
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		b, err := bucket.New(limits[name], 0)
		if level, ok := levels[name]; ok {
			b, err = bucket.Restore(limits[name], level, 0, origin)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, budget{name, b.Limit(), b})
	}
	return all, nil
}
