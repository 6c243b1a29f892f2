package scheduler

import (
	"errors"
	"fmt"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/core"
)

var errNoKey = retry.Permanent(errors.New("scheduler: the key is empty: calls without a key have no settings of their own"))

// PauseKey grants no call of a key until t on the scheduler's clock, or until [Scheduler.ResumeKey] if t is
// zero. Meanwhile the key's own budgets stand still. Running calls go on, and other keys are not delayed. A
// queued call of the key ends at once if its deadline comes before its turn. PauseKey replaces an earlier
// pause of the key, and ends it if t has passed. It fails for an empty key, with a [TooManyKeysError], and
// with [ErrClosed].
func (s *Scheduler) PauseKey(key string, t time.Time) error {
	until := time.Duration(bucket.Forever)
	if !t.IsZero() {
		until = t.Sub(s.origin)
	}
	return s.pauseKey(key, until)
}

// ResumeKey ends a pause of a key by [Scheduler.PauseKey]. It does not shorten a hold by a server's
// Retry-After, or a pause of all calls. It fails for an empty key, and with [ErrClosed].
func (s *Scheduler) ResumeKey(key string) error {
	return s.pauseKey(key, 0)
}

func (s *Scheduler) pauseKey(key string, until time.Duration) error {
	return s.controlKey(key, func(k *core.Core, now time.Duration) error {
		if until <= now && k.StateOf(now, key).PausedUntil == 0 { // so the key need not be remembered
			return nil
		}
		return k.PauseKey(now, key, until)
	})
}

// SetLimitOfKey changes the limit of a budget of one key: see [PerKey]. The budget "" is the key's only one.
// The new limit applies to waiting calls at once, as with [Scheduler.SetLimitOf]. It stays until
// [Scheduler.ForgetKey]. A key with another limit than that of PerKey is remembered even without calls.
// SetLimitOfKey fails, and changes nothing, for an empty key, for a limit that is invalid or has a Reset,
// with [ErrNoBudget] if PerKey has no such budget, with a [TooManyKeysError], and with [ErrClosed].
func (s *Scheduler) SetLimitOfKey(key, budget string, l bucket.Limit) error {
	i, err := s.keyBudget(budget)
	if err == nil {
		err = checkKeyLimit(l)
	}
	if err != nil {
		return err
	}
	return s.controlKey(key, func(k *core.Core, now time.Duration) error { return k.SetLimitOfKey(now, key, i, l) })
}

// ForgetKey undoes [Scheduler.SetLimitOfKey], [Scheduler.LearnKey] and [Scheduler.PauseKey] for a key, which
// then has the limits of [PerKey] again. Its calls stay, and so do its debt and a hold by a server's
// Retry-After. ForgetKey fails for an empty key, and with [ErrClosed].
func (s *Scheduler) ForgetKey(key string) error {
	return s.controlKey(key, func(k *core.Core, now time.Duration) error {
		k.ForgetKey(now, key)
		return nil
	})
}

// ObserveKey lowers the level of a key's budget ("" if it has only one) to what a server says remains of
// it, as [Scheduler.Observe] does for budgets that all share. A negative remaining means unknown, and
// changes nothing. ObserveKey fails for an empty key, and with [ErrNoBudget], a [TooManyKeysError], or
// [ErrClosed].
func (s *Scheduler) ObserveKey(key, budget string, remaining int64) error {
	i, err := s.keyBudget(budget)
	if err != nil {
		return err
	}
	return s.controlKey(key, func(k *core.Core, now time.Duration) error { return k.ObserveKey(now, key, i, remaining) })
}

// LearnKey sets the limit of a key's budget ("" if it has only one) and what remains of it, as a trusted
// server reports them: see [Scheduler.Learn]. A negative remaining means unknown. The limit stays until
// [Scheduler.ForgetKey]. LearnKey fails as [Scheduler.SetLimitOfKey] does.
func (s *Scheduler) LearnKey(key, budget string, l bucket.Limit, remaining int64) error {
	i, err := s.keyBudget(budget)
	if err == nil {
		err = checkKeyLimit(l)
	}
	if err != nil {
		return err
	}
	return s.controlKey(key, func(k *core.Core, now time.Duration) error { return k.LearnKey(now, key, i, l, remaining) })
}

// controlKey makes a change of a key on the owner, and waits until it is made.
func (s *Scheduler) controlKey(key string, change func(*core.Core, time.Duration) error) error {
	s.mustBeMade()
	if key == "" {
		return errNoKey
	}
	return s.control(func(o *owner, now time.Duration) error { return publicError(change(o.core, now)) })
}

// keyBudget returns the index of a budget that each key has.
func (s *Scheduler) keyBudget(name string) (int, error) {
	s.mustBeMade()
	if len(s.keyLimits) == 0 {
		return 0, fmt.Errorf("%w of a key: set Config.PerKey.Limit, perhaps to bucket.Unlimited", ErrNoBudget)
	}
	if name == "" && len(s.keyLimits) == 1 {
		name = s.keyLimits[0].name
	}
	i := indexOf(s.keyLimits, name)
	if i < 0 {
		return 0, noBudget(name, s.keyLimits)
	}
	return len(*s.limits.Load()) + i, nil
}

// KeySnapshot is the state of one key at one instant, as plain values that can be written as JSON. It has
// no history, since a key without calls is forgotten.
type KeySnapshot struct {
	At     time.Time `json:"at"`
	Key    string    `json:"key"`
	Weight int       `json:"weight"` // that of its latest call: see [Weight]

	Queued     int `json:"queued"`     // calls that wait for their turn, tokens or a slot
	Running    int `json:"running"`    // calls whose function runs
	Unfinished int `json:"unfinished"` // calls that have not ended, also those that back off or arrive later

	Budgets []OwnBudget `json:"budgets,omitzero"` // those of [PerKey], by name

	Paused      bool      `json:"paused,omitzero"`       // by [Scheduler.PauseKey]
	PausedUntil time.Time `json:"paused_until,omitzero"` // when that will end, if it is known
	HeldUntil   time.Time `json:"held_until,omitzero"`   // the end of a hold of this key by a server's Retry-After; zero if there is none
}

// OwnBudget is the state of a budget that one key has for itself.
type OwnBudget struct {
	Name      string       `json:"name"`
	Available int64        `json:"available"` // whole tokens; negative in debt
	Limit     bucket.Limit `json:"limit"`
	Level     bucket.State `json:"level"` // in a form that survives a restart: see [Scheduler.RestoreKey]
}

// SnapshotOf returns the state of a key at this instant, after everything that this goroutine has done so
// far. A key that is not remembered is as new: it has no calls and all tokens. The key "" stands for the
// calls without a key. SnapshotOf fails only with [ErrClosed].
func (s *Scheduler) SnapshotOf(key string) (KeySnapshot, error) {
	all, err := s.SnapshotsOf([]string{key})
	if err != nil {
		return KeySnapshot{}, err
	}
	return all[0], nil
}

// SnapshotsOf does what [Scheduler.SnapshotOf] does for several keys, at one instant.
func (s *Scheduler) SnapshotsOf(keys []string) ([]KeySnapshot, error) {
	all, ok := ask(s, func(o *owner, now time.Duration) []KeySnapshot {
		all := make([]KeySnapshot, 0, len(keys))
		for _, key := range keys {
			all = append(all, o.keySnapshot(now, key))
		}
		return all
	})
	if !ok {
		return nil, ErrClosed
	}
	return all, nil
}

// RestoreKey takes up a key as an earlier scheduler has left it, in this process or another, so that a restart does not
// give it more than its limits. The levels of its budgets are those of the snapshot with the refill since then, and a hold by
// a server's Retry-After goes on. Nothing else in the snapshot counts, and neither does a budget that PerKey does not
// have. Restore a key before calls with it are made. RestoreKey fails for an empty key, with a [TooManyKeysError], and with
// [ErrClosed].
//
// Take the snapshots of all keys that the program knows before Shutdown, with [Scheduler.SnapshotsOf]. They do not have
// what calls pay later. So call [Scheduler.Pause] first: then no queued call starts, and Shutdown returns them all.
func (s *Scheduler) RestoreKey(left KeySnapshot) error {
	levels := make(map[string]bucket.State, len(left.Budgets))
	for _, b := range left.Budgets {
		levels[b.Name] = b.Level
	}
	held := time.Duration(0)
	if !left.HeldUntil.IsZero() {
		held = left.HeldUntil.Sub(left.At)
	}
	return s.controlKey(left.Key, func(k *core.Core, now time.Duration) error {
		return k.RestoreKey(now, left.Key, levels, held, left.At)
	})
}

func (o *owner) keySnapshot(now time.Duration, key string) KeySnapshot {
	k := o.core
	state := k.StateOf(now, key)
	s := KeySnapshot{
		At: k.Time(k.Now), Key: key, Weight: int(state.Weight),
		Queued: state.Queued, Running: state.Running, Unfinished: state.Unfinished,
		Paused: state.PausedUntil > k.Now,
	}
	for i := range state.Budgets {
		b := &state.Budgets[i]
		s.Budgets = append(s.Budgets, OwnBudget{b.Name, b.Available(), b.Configured, state.Levels[i]})
	}
	if s.Paused {
		s.PausedUntil = k.TimeOrZero(state.PausedUntil)
	}
	if state.HeldUntil > k.Now {
		s.HeldUntil = k.Time(state.HeldUntil)
	}
	return s
}

// checkOwn returns an error if a call of [Scheduler.Estimate] has a cost that its key could never pay.
func (o *owner) checkOwn(now time.Duration, c *core.Call) error {
	if c.Key() == "" {
		return nil
	}
	costs, shared := c.AllCosts(), len(o.core.Budgets)
	for i, b := range o.core.StateOf(now, c.Key()).Budgets {
		if err := core.CheckCost(b.Name, b.Configured, costs[shared+i]); err != nil {
			return err
		}
	}
	return nil
}
