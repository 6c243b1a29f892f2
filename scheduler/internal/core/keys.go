package core

import (
	"slices"
	"time"

	"example.com/fairlead/bucket"
)

// These are the inputs that name a key. The name is not empty. An input that changes something of a key that is
// not remembered makes the key.

// named returns the lane of a key, or an error if there are too many keys.
func (k *Core) named(name string) (*lane, error) {
	k.useKeys()
	l := k.lanes.byName[name]
	if l == nil {
		l = k.newLane(name)
		k.look(looksPerCall)
		if k.isFull(l) {
			return nil, &Early{Reason: TooManyKeys, Most: k.perKey.MaxKeys}
		}
		k.remember(l)
	}
	return l, nil
}

// PauseKey grants no call of a key until an instant, and stops the key's budgets meanwhile. It replaces an
// earlier pause of the key, and ends it if the instant has passed.
func (k *Core) PauseKey(now time.Duration, name string, until time.Duration) error {
	k.Advance(now)
	l, err := k.named(name)
	if err != nil {
		return err
	}
	k.account(l)
	k.refresh(l)
	l.pausedUntil = 0
	if until > k.Now {
		l.pausedUntil = until
	}
	k.place(l)
	k.replanLane(l)
	k.advanceNow()
	return nil
}

// SetLimitOfKey changes the limit of a key's budget, which is the i-th, counted from the budgets that all keys
// share. It ends queued calls that the budget could never grant, and those that it would now grant too late.
func (k *Core) SetLimitOfKey(now time.Duration, name string, i int, limit bucket.Limit) error {
	k.Advance(now)
	l, err := k.named(name)
	if err != nil {
		return err
	}
	if err := k.setOwnLimit(l, i, limit); err != nil {
		return err
	}
	k.advanceNow()
	return nil
}

// setOwnLimit sets the limit of a budget of a lane.
func (k *Core) setOwnLimit(l *lane, i int, limit bucket.Limit) error {
	full, err := bucket.New(limit, fullForEver)
	if err != nil {
		return err
	}
	k.account(l)
	k.refresh(l)
	own := i - len(k.Budgets)
	b := l.bucket(own)
	if err := b.SetLimit(k.Now, limit); err != nil {
		return err
	}
	l.own[own] = b.Pack()
	before, after := (*l.limits)[own].Configured, full.Limit()
	if after != before {
		k.noteOwnLimit(l, own, full)
	}
	if after.Capacity < before.Capacity {
		k.endTooBig(l.waiting.each, i, after.Capacity)
	}
	k.place(l)
	k.replanLane(l)
	return nil
}

// noteOwnLimit notes the limit of a budget of a lane. A lane whose limits are those of all keys has none of its
// own, so that it can be forgotten.
func (k *Core) noteOwnLimit(l *lane, i int, full bucket.Bucket) {
	limits := slices.Clone(*l.limits)
	limits[i].Configured, limits[i].Bucket = full.Limit(), full
	if l.limits = &limits; slices.Equal(limits, k.perKeyBudgets) {
		l.limits = &k.perKeyBudgets
	}
	k.strictKeys = k.strictKeys || full.Limit().Strict
}

// ForgetKey takes back what was set for a key by PauseKey and SetLimitOfKey, so that it can be forgotten.
func (k *Core) ForgetKey(now time.Duration, name string) {
	k.Advance(now)
	l := k.lanes.byName[name]
	if l == nil {
		return
	}
	for i := range l.own {
		if all := &k.perKeyBudgets[i]; (*l.limits)[i].Configured != all.Configured {
			if err := k.setOwnLimit(l, len(k.Budgets)+i, all.Configured); err != nil {
				panic("scheduler: the limit of all keys is not valid")
			}
		}
	}
	_ = k.PauseKey(now, name, 0)
}

// ObserveKey lowers the level of a key's budget to what a server says remains. A negative remaining means
// unknown.
func (k *Core) ObserveKey(now time.Duration, name string, i int, remaining int64) error {
	k.Advance(now)
	k.useKeys()
	own := i - len(k.Budgets)
	if remaining < 0 || k.lanes.byName[name] == nil && remaining >= k.perKeyBudgets[own].Available() {
		k.advanceNow()
		return nil
	}
	l, err := k.named(name)
	if err != nil {
		return err
	}
	k.refresh(l)
	if b := l.bucket(own); remaining < b.Available() {
		k.setOwnLevel(l, own, remaining)
	}
	k.advanceNow()
	return nil
}

// setOwnLevel sets the level of a budget of a lane.
func (k *Core) setOwnLevel(l *lane, i int, level int64) {
	k.account(l)
	b := l.bucket(i)
	b.SetLevel(k.Now, level)
	l.own[i] = b.Pack()
	k.place(l)
	k.replanLane(l)
}

// LearnKey sets the limit and the level of a key's budget to what a server says, as Learn does.
func (k *Core) LearnKey(now time.Duration, name string, i int, limit bucket.Limit, remaining int64) error {
	if err := k.SetLimitOfKey(now, name, i, limit); err != nil || remaining < 0 {
		return err
	}
	l := k.lanes.byName[name]
	for c := k.running.first; c != nil; c = c.detail.next {
		if k.laneOf(c) == l {
			remaining = max(0, remaining-c.costOf(i))
		}
	}
	own := i - len(k.Budgets)
	if b := l.bucket(own); l.heldUntil <= k.Now || remaining < b.Available() {
		k.setOwnLevel(l, own, remaining)
	}
	k.advanceNow()
	return nil
}

// RestoreKey gives a key the levels of its budgets and the hold that it had in an earlier life, at an instant of the wall
// clock. Budgets that the key does not have are left out.
func (k *Core) RestoreKey(now time.Duration, name string, levels map[string]bucket.State, held time.Duration, at time.Time) error {
	k.Advance(now)
	l, err := k.named(name)
	if err != nil {
		return err
	}
	k.account(l)
	k.refresh(l)
	wall := k.wall(k.Now)
	for i := range l.own {
		if level, ok := levels[(*l.limits)[i].Name]; ok {
			b, err := bucket.Restore((*l.limits)[i].Configured, level, k.Now, wall)
			if err != nil {
				return err
			}
			l.own[i] = b.Pack()
		}
	}
	if held -= max(0, wall.Sub(at)); held > 0 {
		l.heldUntil = max(l.heldUntil, After(k.Now, held))
	}
	k.place(l)
	k.replanLane(l)
	k.advanceNow()
	return nil
}

// KeyState is the state of one key.
type KeyState struct {
	Weight      int64 // 1 if it has no calls
	Queued      int
	Running     int
	Unfinished  int // calls that have not ended
	Budgets     []Budget
	Levels      []bucket.State // of Budgets
	HeldUntil   time.Duration  // may be in the past
	PausedUntil time.Duration  // 0: not paused
}

// StateOf returns the state of a key. A key that is not remembered is as new.
func (k *Core) StateOf(now time.Duration, name string) KeyState {
	k.Advance(now)
	l := k.lanes.byName[name]
	switch {
	case name == "":
		l = &k.plain
	case l == nil:
		l = k.newLane(name)
	}
	k.refresh(l)
	s := KeyState{
		Weight: 1, Queued: l.waiting.len(), Running: int(l.running), Unfinished: int(l.calls),
		HeldUntil: l.heldUntil, PausedUntil: l.pausedUntil,
	}
	if l == &k.plain {
		s.Running += k.InFast
		s.Unfinished = k.queued + k.InFlight() + len(k.backoff) + len(k.later) - k.lanes.calls
	}
	if s.Unfinished > 0 { // otherwise the next call brings another
		s.Weight = l.weight
	}
	for i := range l.own {
		b := l.bucket(i)
		s.Budgets = append(s.Budgets, Budget{Name: (*l.limits)[i].Name, Configured: (*l.limits)[i].Configured, Bucket: b})
		s.Levels = append(s.Levels, b.State(k.Now, k.wall(k.Now)))
	}
	return s
}

// Keys returns how many keys are remembered.
func (k *Core) Keys() int { return len(k.lanes.all) }

// CompetingKeys returns how many keys have a first call that waits only for what all keys share.
func (k *Core) CompetingKeys() int {
	if k.keyed && k.plain.condition == competes {
		return len(k.lanes.turn) - 1
	}
	return len(k.lanes.turn)
}

// KeysBlocked returns how many keys have a first call that waits for something of its own.
func (k *Core) KeysBlocked() int { return k.lanes.nonEmpty - len(k.lanes.turn) }

// KeyBudgets returns the budgets of a key that is new.
func (k *Core) KeyBudgets() []Budget { return k.perKeyBudgets }
