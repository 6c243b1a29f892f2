package scheduler

import (
	"fmt"
	"time"

	"example.com/fairlead/bucket"
)

// Pause stops granting until [Scheduler.Resume]. Running calls go on, and calls may still arrive
// and back off. The budget stands still, so that after the pause queued calls come at the rate of
// the refill, not as a thundering herd. Only resets come as ever, if the limit has a Reset. Pause fails
// only with [ErrClosed].
func (s *Scheduler) Pause() error {
	return s.control(func(o *owner, now time.Duration) error {
		o.core.Pause(now, bucket.Forever)
		return nil
	})
}

// PauseUntil pauses as [Scheduler.Pause] does, until t on the scheduler's clock. Calls whose
// deadlines come before their turn end at once. PauseUntil replaces a pause that is on. If t is
// not in the future, it ends that pause.
func (s *Scheduler) PauseUntil(t time.Time) error {
	return s.control(func(o *owner, now time.Duration) error {
		o.core.Pause(now, t.Sub(s.origin))
		return nil
	})
}

// Resume ends a pause of either kind. It does not shorten a hold by a server's Retry-After. Calls
// whose deadlines come before their turn end at once.
func (s *Scheduler) Resume() error {
	return s.control(func(o *owner, now time.Duration) error {
		o.core.Resume(now)
		return nil
	})
}

// SetLimit changes the only budget: see [Scheduler.SetLimitOf].
func (s *Scheduler) SetLimit(l bucket.Limit) error { return s.SetLimitOf("", l) }

// SetLimitOf changes one of several budgets, at this instant. Tokens have come at the old rate
// until now. The level carries over up to a lower capacity, and a higher capacity adds no tokens.
// Queued calls with a cost above the new capacity end with a [bucket.CostError], and those whose
// deadlines now come before their turn with a [DeadlineError]. SetLimitOf fails without changing
// anything if the limit is invalid, with [ErrNoBudget], or with [ErrClosed].
func (s *Scheduler) SetLimitOf(budget string, l bucket.Limit) error {
	i, err := s.budget(budget)
	if err != nil {
		return err
	}
	if err := l.Validate(); err != nil {
		return err
	}
	return s.control(func(o *owner, now time.Duration) error {
		if l.Reset != (bucket.Reset{}) {
			o.readWall(now)
		}
		err := o.core.SetLimit(now, i, l)
		if err == nil {
			s.limits.Store(limitsOf(o.core.Budgets))
		}
		return err
	})
}

// Learn sets the limit of a budget ("" if there is only one) and what remains of it, as a server
// reports them. Unlike [Scheduler.Observe], Learn may raise the limit and the level above the
// configuration, so use it only with servers that you trust. What running calls have paid is
// subtracted from remaining, since the server may not have counted them yet. Responses may arrive
// out of order: ignore any that is older than the last one applied. A negative remaining means
// unknown, and only the limit is applied. If only the From of the Reset differs, and by 5 s at most, the
// present resets stay, since the server's clock may be a little off. Learn fails as
// [Scheduler.SetLimitOf] does.
func (s *Scheduler) Learn(budget string, l bucket.Limit, remaining int64) error {
	i, err := s.budget(budget)
	if err != nil {
		return err
	}
	if err := l.Validate(); err != nil {
		return err
	}
	return s.control(func(o *owner, now time.Duration) error {
		o.knowAll(now) // since Learn subtracts what they have paid
		if l.Reset != (bucket.Reset{}) {
			o.readWall(now)
		}
		err := o.core.Learn(now, i, l, remaining)
		if err == nil {
			s.limits.Store(limitsOf(o.core.Budgets))
		}
		return err
	})
}

// Observe lowers the level of a budget ("" if there is only one) to what a server says remains of
// it, for example in a header. It never raises the level. A negative remaining means unknown, as
// in package headers, and changes nothing. Observe fails with [ErrNoBudget] or [ErrClosed].
func (s *Scheduler) Observe(budget string, remaining int64) error {
	i, err := s.budget(budget)
	if err != nil {
		return err
	}
	return s.control(func(o *owner, now time.Duration) error {
		o.core.Observe(now, i, remaining)
		return nil
	})
}

// SetMaxInFlight changes [Config.MaxInFlight]. 0 means no cap. New slots are filled at once. If
// more calls run than the new cap allows, they go on, and no other starts until enough have
// ended. SetMaxInFlight fails if n is negative, and with [ErrClosed].
func (s *Scheduler) SetMaxInFlight(n int) error {
	if n < 0 {
		return fmt.Errorf("scheduler: SetMaxInFlight(%d): it must be positive, or 0 for no cap", n)
	}
	return s.control(func(o *owner, now time.Duration) error {
		o.core.SetMaxInFlight(now, n)
		return nil
	})
}

// SetMaxQueued changes [Config.MaxQueued]. 0 means no bound. Calls that wait for room are
// admitted if there is some now, and queued calls stay. SetMaxQueued fails if n is negative, and
// with [ErrClosed].
func (s *Scheduler) SetMaxQueued(n int) error {
	if n < 0 {
		return fmt.Errorf("scheduler: SetMaxQueued(%d): it must be positive, or 0 for no bound", n)
	}
	return s.control(func(o *owner, now time.Duration) error {
		o.core.SetMaxQueued(now, n)
		s.bounded.Store(n > 0 || s.keyBounded)
		return nil
	})
}

// control makes a change on the owner, and waits until it is made.
func (s *Scheduler) control(change func(*owner, time.Duration) error) error {
	err, ok := ask(s, change)
	if !ok {
		return ErrClosed
	}
	return err
}
