package scheduler

import (
	"fmt"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler/internal/core"
)

// limitsOf returns the limits in force, for goroutines other than the owner.
func limitsOf(k *core.Core) *[]namedLimit {
	b := k.Budgets
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

// budget returns the index of the budget with this name.
func (s *Scheduler) budget(name string) (int, error) {
	s.mustBeMade()
	all := *s.limits.Load()
	for i := range all {
		if all[i].name == name {
			return i, nil
		}
	}
	if len(all) == 1 {
		return 0, fmt.Errorf("%w %q: there is one budget, and its name is %q", ErrNoBudget, name, all[0].name)
	}
	var names []string
	for _, one := range all {
		names = append(names, one.name)
	}
	return 0, fmt.Errorf("%w %q: there are %q", ErrNoBudget, name, names)
}

// HasBudget reports whether there is a budget with this name. The name of the budget of
// [Config.Limit] is "". HasBudget does not ask the owner.
func (s *Scheduler) HasBudget(name string) bool {
	_, err := s.budget(name)
	return err == nil
}

// Levels returns the levels of the named budgets, for [Config.Levels].
func (s Snapshot) Levels() map[string]bucket.State {
	levels := map[string]bucket.State{}
	for _, b := range s.Budgets {
		if b.Name != "" {
			levels[b.Name] = b.Level
		}
	}
	return levels
}
