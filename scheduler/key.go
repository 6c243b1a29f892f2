package scheduler

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/core"
)

// Key says on whose behalf the call is made: a tenant, customer, host, model or API key. Keys share the
// budgets and slots of the scheduler fairly, by what their calls cost. So a single call of one key does not
// wait behind thousands of another. Within a key calls keep their order, and [Priority] ranks them. Between
// keys only [Weight] counts. [Config.PerKey] gives each key limits of its own.
//
// Key("") is a call without a key. All such calls together are treated as those of one more key, without
// limits of its own. A call of [Scheduler.Do] with a key does not take the fast path. If a scheduler has as
// many keys as it may have, a call with a new one fails with a [TooManyKeysError].
func Key(key string) Option {
	return func(o *options) { o.key = key }
}

// Weight sets the weight of the call's key, from 1 to 1,000,000. While calls of two keys wait, tokens are
// shared in the ratio of their weights. A key has the weight of the call that came last with it, and a call
// without Weight has weight 1. A new weight counts at once, also for calls that wait. Without a [Key] it is
// the weight of all calls without a key. A call with another weight fails at once.
func Weight(w int) Option {
	return func(o *options) { o.weight, o.weightSet = w, true }
}

// setKey sets the key of a call, and its weight. For calls without either it sets nothing.
func (c *call) setKey(o *options) error {
	if o.weightSet && (o.weight < 1 || o.weight > core.MaxWeight) {
		return retry.Permanent(fmt.Errorf("scheduler: Weight(%d): it must be from 1 to %d", o.weight, core.MaxWeight))
	}
	if o.key != "" || o.weightSet {
		c.SetKey(o.key, int64(max(1, o.weight)))
	}
	return nil
}

// KeyBudget is the name of the budget of [PerKey.Limit].
const KeyBudget = "key"

// PerKey configures what each key has for itself: see [Key]. With the zero PerKey a key has its fair share
// of what all keys have in common, and nothing else. Calls without a key have nothing of it.
type PerKey struct {
	// Limit is a budget of each key, with the name [KeyBudget]. An attempt pays its [Cost] from it too,
	// unless [CostOf] says otherwise. A call whose key lacks tokens delays no call of another key. Zero
	// means no budget. With [bucket.Unlimited] only those keys have a limit that
	// [Scheduler.SetLimitOfKey] gives one. A limit with a Reset is not supported yet.
	Limit bucket.Limit

	// Limits are several budgets of each key by name, instead of Limit. Their names differ from those
	// of [Config.Limits]. There may be at most 6 budgets, those that all keys share included. Nil
	// means the one of Limit, if any.
	Limits bucket.Limits

	// MaxInFlight caps the calls of each key whose functions run at the same time. A call that is made
	// inside another with the same key needs a slot of its own. If there would never be one, it ends
	// with a [DeadlockError], as for [Config.MaxInFlight]. Zero means no cap.
	MaxInFlight int

	// MaxQueued bounds the calls of each key that wait for their first attempt. With RefuseNew a call
	// beyond it is refused, and with DropLowest a call of the same key makes room.
	// [Config.Overflow] must be one of them. Zero means no bound.
	MaxQueued int

	// MaxKeys is how many keys are remembered at most. A key is forgotten when it has no calls, all its
	// tokens and no settings, so that this changes nothing. Zero means 1,000,000.
	MaxKeys int

	// Patience is how long the first call of a key may compete with other keys for what all share.
	// After that it goes first. So keys with one call each, such as user ids, can't starve a key that has
	// used its share. Zero means 10 s.
	Patience time.Duration

	// Holds says whom a wait holds that a server asks for, such as a Retry-After, if its
	// [retry.Verdict] does not: [retry.ScopeKey] for the calls of the same key, or [retry.ScopeAll].
	// A wait that names a budget that all share holds all calls, and so does that of a call without a
	// key. Zero means ScopeKey.
	Holds retry.Scope

	// RetryBudget limits how many retries the calls of each key make together, so that a key whose
	// server is down does not use up [Config.RetryBudget] for all. Each key has it in full at first. A
	// retry takes 1 from both, or nothing from either. If one does not have it, the call ends with a
	// [retry.ExhaustedError] that names the budget. Its Wait must be false: retries can wait only for
	// Config.RetryBudget, in one order, and those of each key would need an order of their own. Nil means
	// no limit.
	RetryBudget *retry.Budget
}

// defaultMaxKeys is the MaxKeys of a zero PerKey.
const defaultMaxKeys = 1_000_000

// limits returns the budgets of each key, by name.
func (p PerKey) limits() bucket.Limits {
	if p.Limit != (bucket.Limit{}) {
		return bucket.Limits{KeyBudget: p.Limit}
	}
	return p.Limits
}

// core returns the configuration of the core.
func (p PerKey) core() core.PerKey {
	return core.PerKey{
		Limits: p.limits(), MaxInFlight: p.MaxInFlight, MaxQueued: p.MaxQueued, MaxKeys: cmp.Or(p.MaxKeys, defaultMaxKeys),
		Patience: p.Patience, HoldsAll: p.Holds == retry.ScopeAll, RetryBudget: p.RetryBudget,
	}
}

// checkPerKey returns all faults in what keys have for themselves.
func (cfg Config) checkPerKey() error {
	p := cfg.PerKey
	faults := []error{cfg.checkKeyLimits()}
	add := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("scheduler: Config.PerKey."+format, args...))
	}
	if p.MaxInFlight < 0 {
		add("MaxInFlight is %d: it must be positive, or 0 for no cap", p.MaxInFlight)
	}
	if p.MaxQueued < 0 {
		add("MaxQueued is %d: it must be positive, or 0 for no bound", p.MaxQueued)
	}
	if p.MaxQueued > 0 && cfg.Overflow == WaitForRoom {
		add("MaxQueued needs Config.Overflow: set RefuseNew or DropLowest, since a call can't wait for room of its key")
	}
	if p.MaxKeys < 0 {
		add("MaxKeys is %d: it must be positive, or 0 for %d", p.MaxKeys, defaultMaxKeys)
	}
	if p.Patience < 0 {
		add("Patience is %v: it must be positive, or 0 for %v", p.Patience, core.DefaultPatience)
	}
	if p.Holds != retry.ScopeDefault && p.Holds != retry.ScopeKey && p.Holds != retry.ScopeAll {
		add("Holds is %q: it must be ScopeKey, ScopeAll, or 0 for ScopeKey", p.Holds)
	}
	if p.RetryBudget != nil {
		if err := p.RetryBudget.Validate(); err != nil {
			add("RetryBudget: %w", err)
		}
		if p.RetryBudget.Wait {
			add("RetryBudget: Budget.Wait is true: a retry can wait only for Config.RetryBudget, so set it there or leave it out")
		}
	}
	return errors.Join(faults...)
}

// checkKeyLimits returns all faults in the limits of each key.
func (cfg Config) checkKeyLimits() error {
	p := cfg.PerKey
	var faults []error
	add := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("scheduler: Config.PerKey."+format, args...))
	}
	if p.Limit != (bucket.Limit{}) && len(p.Limits) > 0 {
		add("Limit is for one budget of each key, and Limits for several: set only one of them")
	}
	own := p.limits()
	if shared := max(1, len(cfg.Limits)); len(own) > 0 && shared+len(own) > core.MaxBudgets {
		add("Limits: a call would pay from %d budgets, %d of them shared by all keys: there may be at most %d", shared+len(own), shared, core.MaxBudgets)
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		field := fmt.Sprintf("Limits[%q]", name)
		if p.Limit != (bucket.Limit{}) {
			field = "Limit"
		}
		if name == "" {
			add("Limits has a budget without a name: use Limit for a single budget")
		}
		if _, ok := cfg.Limits[name]; ok {
			add("%s: Config.Limits has a budget %q too: give that another name", field, name)
		}
		if err := checkKeyLimit(own[name]); err != nil {
			add("%s: %w", field, err)
		}
	}
	return errors.Join(faults...)
}

// checkKeyLimit returns an error if a limit can't be that of a key.
func checkKeyLimit(l bucket.Limit) error {
	if l.Reset != (bucket.Reset{}) {
		return errors.New("not supported yet: a limit of a key with a Reset: give it a Refill")
	}
	return l.Validate()
}
