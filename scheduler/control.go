package scheduler

import (
	"fmt"
	"time"

	"example.com/fairlead/bucket"
)

// Pause lets no attempt start until [Scheduler.Resume]. What runs goes on, and calls
// may come and back off as ever. The budget stands still, too: it has afterwards what
// it had before, so that what waits is not let go at once but goes on at the rate at
// which it would have. It fails only with [ErrClosed].
func (s *Scheduler) Pause() error {
	return s.control(func(o *owner, now time.Duration) error {
		o.core.pause(now, bucket.Forever)
		return nil
	})
}

// PauseUntil is a [Scheduler.Pause] that ends by itself at t, by the scheduler's clock.
// Calls whose deadlines come before their turn then end at once. It takes the place
// of a pause that is on; one to a t that has come ends it.
func (s *Scheduler) PauseUntil(t time.Time) error {
	return s.control(func(o *owner, now time.Duration) error {
		o.core.pause(now, t.Sub(s.origin))
		return nil
	})
}

// Resume ends a pause, of either kind. A server's wait is not cut short by it. Calls
// whose deadlines would come before their turn end at once.
func (s *Scheduler) Resume() error {
	return s.control(func(o *owner, now time.Duration) error {
		o.core.resume(now)
		return nil
	})
}

// SetLimit changes the one budget: see [Scheduler.SetLimitOf].
func (s *Scheduler) SetLimit(l bucket.Limit) error { return s.SetLimitOf("", l) }

// SetLimitOf changes one of several budgets. What waits is planned anew at this instant. Refill
// counts at the old rate up to now; the level carries over, but for what is above a
// lower capacity; a higher one adds no tokens. Calls that wait with a cost above the
// new capacity end with a [bucket.CostError], and those whose deadlines would now come
// before their turn with a [DeadlineError]. It fails, and changes nothing, if the limit
// is invalid, with [ErrNoBudget], and with [ErrClosed].
func (s *Scheduler) SetLimitOf(budget string, l bucket.Limit) error {
	i, err := s.budget(budget)
	if err != nil {
		return err
	}
	return s.control(func(o *owner, now time.Duration) error {
		err := o.core.setLimit(now, i, l)
		if err == nil {
			s.limits.Store(o.core.budgets.limits())
		}
		return err
	})
}

// Learn tells what a server has said of a budget ("" if there is but one): what its limit
// is, and what is left of it. Unlike [Scheduler.Observe] it is believed also where that is
// more than was configured, so it is for those who trust the server to know better, and
// nobody in between to lie. What calls that run have paid is taken off what is left: the
// server may not have heard of them. Answers can overtake each other: it is for whoever
// learns from several at once to leave out those that are older than one that was
// learned from. Of a remaining below 0, which stands for what is not known, the limit
// alone is learned. It fails as [Scheduler.SetLimitOf] does.
func (s *Scheduler) Learn(budget string, l bucket.Limit, remaining int64) error {
	i, err := s.budget(budget)
	if err != nil {
		return err
	}
	return s.control(func(o *owner, now time.Duration) error {
		o.knowAll(now) // for what they have paid
		err := o.core.learn(now, i, l, remaining)
		if err == nil {
			s.limits.Store(o.core.budgets.limits())
		}
		return err
	})
}

// Observe tells what a server has said is left of a budget ("" if there is but one), for
// example in a header. A level above it is lowered to it; it is never raised. Less than
// nothing stands for what is not known, as in package headers, and changes nothing. It
// fails with [ErrNoBudget] and [ErrClosed].
func (s *Scheduler) Observe(budget string, remaining int64) error {
	i, err := s.budget(budget)
	if err != nil {
		return err
	}
	return s.control(func(o *owner, now time.Duration) error {
		o.core.observe(now, i, remaining)
		return nil
	})
}

// SetMaxInFlight changes [Config.MaxInFlight]; 0 means no cap. More slots are filled
// at once. If there are fewer than calls run, those go on, and no other starts until
// enough have finished. It fails if n is negative, and with [ErrClosed].
func (s *Scheduler) SetMaxInFlight(n int) error {
	if n < 0 {
		return fmt.Errorf("scheduler: SetMaxInFlight(%d): it must be positive, or 0 for no cap", n)
	}
	return s.control(func(o *owner, now time.Duration) error {
		o.core.setMaxInFlight(now, n)
		return nil
	})
}

// SetMaxQueued changes [Config.MaxQueued]; 0 means no bound. Calls that wait for room
// are let in as far as there is some now; those that are in stay. It fails if n is
// negative, and with [ErrClosed].
func (s *Scheduler) SetMaxQueued(n int) error {
	if n < 0 {
		return fmt.Errorf("scheduler: SetMaxQueued(%d): it must be positive, or 0 for no bound", n)
	}
	return s.control(func(o *owner, now time.Duration) error {
		o.core.setMaxQueued(now, n)
		s.bounded.Store(n > 0)
		return nil
	})
}

// control has the owner change something, and waits until it has.
func (s *Scheduler) control(change func(*owner, time.Duration) error) error {
	err, ok := ask(s, change)
	if !ok {
		return ErrClosed
	}
	return err
}
