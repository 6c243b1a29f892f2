package core

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// Config configures a core.
type Config struct {
	Origin       time.Time               // when the instant 0 is
	Limits       bucket.Limits           // the budgets, by name; at most MaxBudgets
	Levels       map[string]bucket.State // what is left in them; those that are not named are full
	PriorityStep time.Duration           // how much earlier a call counts as having arrived for each point of priority; 0: a minute
	MaxInFlight  int                     // 0: no cap
	MaxQueued    int                     // 0: no bound
	Overflow     Overflow                // what happens to calls beyond MaxQueued
	Retry        retry.Policy            // of calls without their own
	RetryBudget  *retry.Budget           // for the retries of all calls; nil: no limit
	Adaptive     bool                    // the rate adapts to what the server takes
	PerKey       PerKey                  // what each key has for itself
	LastID       uint64                  // the number of the last call of an earlier core
	Shared       map[string]Shared       // the budgets that other processes pay from, too, by name
}

// Overflow decides what happens to a call that would have to wait when MaxQueued calls wait.
type Overflow uint8

const (
	waitForRoom Overflow = iota // it is queued, and not admitted before there is room
	refuseNew                   // it is refused
	dropLowest                  // the call that ranks last ends
)

// DefaultPriorityStep is the PriorityStep of a zero [Config].
const DefaultPriorityStep = time.Minute

// DefaultPatience is the Patience of a zero [PerKey].
const DefaultPatience = 10 * time.Second

// New returns a core at the instant 0. Its limits must be valid.
func New(cfg Config) (*Core, error) {
	k := &Core{
		origin: cfg.Origin, step: cmp.Or(cfg.PriorityStep, DefaultPriorityStep), nextDue: bucket.Forever, perKey: cfg.PerKey,
		adaptive:    adaptiveRate{enabled: cfg.Adaptive, share: fullShare, decreasedAt: -1, increaseAt: bucket.Forever},
		MaxInFlight: cfg.MaxInFlight, MaxQueued: cfg.MaxQueued, overflow: cfg.Overflow, policy: cfg.Retry.WithDefaults(),
		LastID: cfg.LastID, numbers: numbers{from: cfg.LastID},
	}
	k.plainWaiting = waiting{queue: queue{more: len(cfg.Limits) - 1}, dueIndex: -1, crowdedIndex: -1}
	k.plain = lane{key: key{weight: 1, lane: &k.plain}, waiting: &k.plainWaiting, limits: &k.perKeyBudgets, position: -1}
	k.lanes.none = &waiting{queue: queue{more: k.plainWaiting.more + len(cfg.PerKey.Limits)}, dueIndex: -1, crowdedIndex: -1}
	k.nextMove, k.lanes.epoch = bucket.Forever, 1
	k.lanes.patience = cmp.Or(cfg.PerKey.Patience, DefaultPatience)
	var err error
	if k.retries, err = newRetryBudget(cfg.RetryBudget, 0); err != nil {
		return nil, err
	}
	if k.retriesPerKey, err = newRetryBudget(cfg.PerKey.RetryBudget, fullForEver); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Limits)) {
		b, err := bucket.NewAt(cfg.Limits[name], 0, cfg.Origin)
		if level, ok := cfg.Levels[name]; ok {
			b, err = bucket.Restore(cfg.Limits[name], level, 0, cfg.Origin)
		}
		if err != nil {
			return nil, err
		}
		k.Budgets = append(k.Budgets, Budget{Name: name, Configured: b.Limit(), Bucket: b})
		if shared, ok := cfg.Shared[name]; ok {
			k.share(len(k.Budgets)-1, shared, b.HeldUntil())
		}
	}
	k.noteQuotas()
	k.noteScarce()
	k.noteBounds()
	for _, name := range slices.Sorted(maps.Keys(cfg.PerKey.Limits)) {
		b, err := bucket.New(cfg.PerKey.Limits[name], fullForEver)
		if err != nil {
			return nil, err
		}
		k.perKeyBudgets = append(k.perKeyBudgets, Budget{Name: name, Configured: b.Limit(), Bucket: b})
		k.strictKeys = k.strictKeys || b.Limit().Strict
	}
	return k, nil
}
