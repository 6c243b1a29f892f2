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

// Key sets the key of the call, such as the tenant, customer, host, model or API key on whose behalf it is
// made. Keys share the scheduler's budgets and slots fairly, by what their calls cost. So one call of a key
// does not wait behind thousands of calls of another. [Priority] ranks the calls within a key. Between keys
// only [Weight] counts. [Config.PerKey] gives each key limits of its own.
//
// Key("") means no key. All calls without a key share as if they had one key, which has no limits of its
// own. A [Scheduler.Do] with a key does not take the fast path. If [PerKey.MaxKeys] keys are remembered, a
// call with a new key fails with a [TooManyKeysError].
func Key(key string) Option {
	return func(o *options) { o.key = key }
}

// Weight sets the weight of the call's key, from 1 to 1,000,000. While calls of two keys wait, the keys get
// tokens in the ratio of their weights. A key has the weight of its latest call, or 1 if that call has no
// Weight. So give it to every call of the key. A new weight counts at once, also for calls that wait. Without
// a [Key] it is the weight of all calls without a key. If the weight is out of range, the call fails at once.
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

// PerKey configures the limits that each key has of its own: see [Key]. With the zero PerKey, keys have no
// such limits, and share the scheduler fairly. The limits do not apply to calls without a key.
type PerKey struct {
	// Limit is a budget of each key, with the name [KeyBudget]. An attempt pays its [Cost] from it too,
	// unless [CostOf] says otherwise. A call whose key lacks tokens delays no call of another key. With
	// [bucket.Unlimited] a key has no limit until [Scheduler.SetLimitOfKey] gives it one. Zero means no
	// budget, and then SetLimitOfKey fails. A limit with a Reset is not supported yet.
	Limit bucket.Limit

	// Limits are several budgets of each key by name, instead of Limit. Their names differ from those
	// of [Config.Limits]. A call may pay from at most 6 budgets, with those that all keys share. Nil
	// means the one of Limit, if any.
	Limits bucket.Limits

	// MaxInFlight caps the calls of each key whose functions run at the same time. A call that is made
	// inside another with the same key needs a slot of its own. If no slot would ever be free, it ends
	// with a [DeadlockError], as for [Config.MaxInFlight]. A deadlock in which calls of several keys wait for
	// each other's slots is not detected. Zero means no cap.
	MaxInFlight int

	// MaxQueued bounds the calls of each key that wait for their first attempt. With RefuseNew a call
	// beyond it is refused, and with DropLowest a call of the same key makes room.
	// [Config.Overflow] must be one of them. Zero means no bound.
	MaxQueued int

	// MaxKeys is how many keys are remembered at most. A call with one more key is refused with a
	// [TooManyKeysError]. A key that has no calls, full budgets and no settings is forgotten, since it
	// would be the same if it were new. Zero means 1,000,000.
	MaxKeys int

	// Patience is how long the first queued call of a key competes with those of other keys for what all
	// keys share. After that it goes first. Otherwise a stream of new keys with one call each, such as
	// user IDs, could starve a key that has used its share. Zero means 10 s.
	Patience time.Duration

	// Holds says which calls a server's wait holds, such as a Retry-After, if the [retry.Verdict] does
	// not say so. It is [retry.ScopeKey] for the calls of the same key, or [retry.ScopeAll]. If the verdict
	// names a budget that all keys share, or the refused call has no key, the wait holds all calls. Zero
	// means ScopeKey.
	Holds retry.Scope

	// RetryBudget limits how many retries the calls of each key make together, so that a key whose
	// server is down does not use up [Config.RetryBudget] for all. The budget of a key is full at first.
	// A retry takes 1 from both budgets, or nothing from either. If one has less than 1, the call ends
	// with a [retry.ExhaustedError] that names it. Wait must be false, since retries can wait only for
	// Config.RetryBudget. Nil means no limit.
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
		add("MaxQueued needs Config.Overflow: set RefuseNew or DropLowest, since a call can't wait for room in the queue of its key")
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
		return errors.New("the limit of a key can't have a Reset yet: give it a Refill")
	}
	return l.Validate()
}
