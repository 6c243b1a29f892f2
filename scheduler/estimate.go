package scheduler

import (
	"fmt"
	"time"

	"example.com/fairlead/scheduler/internal/core"
	"example.com/fairlead/scheduler/internal/durations"
)

// Estimate says when a call is expected to start.
//
// For a queued call it is exact to the nanosecond if no call goes ahead of it (by priority, or as
// a retry with seniority), fails or leaves, and the scheduler is not paused or reconfigured. It
// counts tokens only, since how long running calls keep their slots is not known. A pause without
// a known end counts as if it ended now. With several budgets the wait is a lower bound, since
// one budget may be full while calls wait for another. With a Reset it is one, too, if the next call
// costs more than is left of a period. In JSON, Wait and AtLeast are in nanoseconds.
//
// With keys, Position is the place among the calls of the same key. Wait is the likely wait if the keys go
// on to share as they do now. It may be too long if other keys run out of calls, and too short if more keys
// come. AtLeast is a lower bound, the wait if no other key got any tokens. A call ends at once with a
// [DeadlineError] only if its deadline comes before that.
//
// With a [Config.Store], Wait is the likely wait if the processes go on to share as they do now, and AtLeast
// the wait if this process got all tokens. While the store is away, the wait is not known: At is then zero,
// and Wait the same as AtLeast.
type Estimate struct {
	Position int           `json:"position"`    // place in the queue of its key, from 1; 0 if the call does not wait
	Wait     time.Duration `json:"wait"`        // from now
	AtLeast  time.Duration `json:"at_least"`    // from now, if no other key gets any tokens; without keys the same as Wait
	At       time.Time     `json:"at,omitzero"` // now + Wait, on the scheduler's clock; zero if the call does not wait or the wait is not known
}

// String returns a few words, such as "number 3 in the queue, about 1.2s to wait".
func (e Estimate) String() string {
	if e.Position == 0 {
		return "not waiting"
	}
	if e.At.IsZero() {
		return fmt.Sprintf("number %d in the queue", e.Position)
	}
	return fmt.Sprintf("number %d in the queue, about %v to wait", e.Position, durations.Round(e.Wait))
}

// estimate returns the core's estimate as an Estimate.
func (o *owner) estimate(e core.Estimate) Estimate {
	if e.Position == 0 {
		return Estimate{}
	}
	est := Estimate{Position: e.Position, Wait: e.Wait, AtLeast: e.AtLeast}
	if !e.Unknown {
		est.At = o.core.Time(core.After(o.core.Now, e.Wait))
	}
	return est
}

// Estimate returns when a call with these options would start if it were made now. Only [Cost],
// [CostOf], [Priority], [Key], [NotBefore] and [Delay] make a difference. Nothing is taken or changed.
// Estimate fails for a cost that can never be granted, and with [ErrClosed].
func (s *Scheduler) Estimate(opts ...Option) (Estimate, error) {
	s.mustBeMade()
	c := call{Call: core.Call{Cost: 1}}
	if err := s.apply(&c, opts); err != nil {
		return Estimate{}, err
	}
	var est Estimate
	err := s.control(func(o *owner, now time.Duration) error {
		if err := o.checkOwn(now, &c.Call); err != nil {
			return err
		}
		est = o.estimate(o.core.DryRun(now, &c.Call))
		return nil
	})
	return est, err
}
