package scheduler

import (
	"fmt"
	"slices"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler/internal/core"
)

// limitsOf returns the limits of budgets, for goroutines other than the owner.
func limitsOf(b []core.Budget) *[]namedLimit {
	all := make([]namedLimit, len(b))
	for i := range b {
		all[i] = namedLimit{b[i].Name, b[i].Configured}
	}
	return &all
}

type namedLimit struct {
	name  string
	limit bucket.Limit
}

// indexOf returns the index of the limit with this name, or -1.
func indexOf(all []namedLimit, name string) int {
	return slices.IndexFunc(all, func(one namedLimit) bool { return one.name == name })
}

// budget returns the index of the budget with this name that all calls share.
func (s *Scheduler) budget(name string) (int, error) {
	s.mustBeMade()
	shared := *s.limits.Load()
	switch i := indexOf(shared, name); {
	case i >= 0:
		return i, nil
	case indexOf(s.keyLimits, name) >= 0:
		return 0, fmt.Errorf("%w %q for all calls: each key has one of its own: use SetLimitOfKey, LearnKey or ObserveKey", ErrNoBudget, name)
	}
	return 0, noBudget(name, shared)
}

// anyBudget returns the index of the budget with this name. Those that all calls share come first, and then
// those of each key.
func (s *Scheduler) anyBudget(name string) (int, error) {
	s.mustBeMade()
	shared := *s.limits.Load()
	if i := indexOf(s.keyLimits, name); i >= 0 {
		return len(shared) + i, nil
	}
	if i := indexOf(shared, name); i >= 0 {
		return i, nil
	}
	return 0, noBudget(name, slices.Concat(shared, s.keyLimits))
}

// checkPayer returns an error if the i-th budget is one that each key has, and the call has no key.
func (s *Scheduler) checkPayer(c *call, i int, budget string) error {
	if i >= len(*s.limits.Load()) && c.Key() == "" {
		return fmt.Errorf("%w %q for a call without a key: each key has one, so give the call a Key", ErrNoBudget, budget)
	}
	return nil
}

// noBudget returns the error for a name that no budget has.
func noBudget(name string, all []namedLimit) error {
	if len(all) == 1 {
		return fmt.Errorf("%w %q: there is one budget, and its name is %q", ErrNoBudget, name, all[0].name)
	}
	var names []string
	for _, one := range all {
		names = append(names, one.name)
	}
	return fmt.Errorf("%w %q: there are %q", ErrNoBudget, name, names)
}

// HasBudget reports whether there is a budget with this name, which all calls share or each key has. The
// name of the budget of [Config.Limit] is "", and that of [PerKey.Limit] is [KeyBudget]. HasBudget does not
// ask the owner.
func (s *Scheduler) HasBudget(name string) bool {
	_, err := s.anyBudget(name)
	return err == nil
}

// HasKeyBudget reports whether each key has a budget with this name of its own: see [PerKey]. The name of
// that of [PerKey.Limit] is [KeyBudget]. HasKeyBudget does not ask the owner.
func (s *Scheduler) HasKeyBudget(name string) bool {
	s.mustBeMade()
	return indexOf(s.keyLimits, name) >= 0
}

// Levels returns the levels of the named budgets, for [Config.Levels]. With [Config.Limit] there are none: save Level.
func (s Snapshot) Levels() map[string]bucket.State {
	levels := map[string]bucket.State{}
	for _, b := range s.Budgets {
		if b.Name != "" {
			levels[b.Name] = b.Level
		}
	}
	return levels
}
