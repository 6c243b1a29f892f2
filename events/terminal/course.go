package terminal

import (
	"time"

	"example.com/fairlead/scheduler"
)

// course is what has been seen of a scheduler: values alone, from which everything follows that is
// shown.
type course struct {
	first, now scheduler.Snapshot
	worked     time.Duration // from first to now, without holds and pauses
	lastEnd    time.Duration // worked, when the last call had ended
	busy       time.Duration // how long attempts have run, all taken together
	recent     []mark        // of about the last recently, the oldest first
}

// mark is how many calls had ended at an instant.
type mark struct {
	at    time.Time
	ended uint64
}

// recently is the time that the shown rate is about.
const recently = 10 * time.Second

func begin(snap scheduler.Snapshot) *course {
	return &course{first: snap, now: snap, recent: []mark{{snap.At, snap.Totals.Ended()}}}
}

// see takes a look at how things are now.
func (c *course) see(snap scheduler.Snapshot) {
	was := c.now
	c.now = snap
	c.busy += time.Duration(was.Running+snap.Running) * max(0, snap.At.Sub(was.At)) / 2
	if !was.Paused || !was.PausedUntil.IsZero() {
		c.worked += max(0, snap.At.Sub(latest(was.At, was.HeldUntil, was.PausedUntil)))
	}
	if snap.Totals.Ended() != was.Totals.Ended() {
		c.lastEnd = c.worked
	}
	c.recent = append(c.recent, mark{snap.At, snap.Totals.Ended()})
	for len(c.recent) > 2 && snap.At.Sub(c.recent[1].at) >= recently {
		c.recent = c.recent[1:]
	}
}

func latest(t time.Time, more ...time.Time) time.Time {
	for _, m := range more {
		if m.After(t) {
			t = m
		}
	}
	return t
}

// elapsed is the time since the first look.
func (c *course) elapsed() time.Duration { return c.now.At.Sub(c.first.At) }

// ended is how many calls have ended since the first look, and failed how many of them have not
// succeeded.
func (c *course) ended() (ended, failed int64) {
	was, is := c.first.Totals, c.now.Totals
	ended = int64(is.Ended() - was.Ended())
	return ended, ended - int64(is.Succeeded-was.Succeeded)
}

// rate is how many calls have ended in a second of late.
func (c *course) rate() float64 {
	from := c.recent[0]
	return perSecond(int64(c.now.Totals.Ended()-from.ended), c.now.At.Sub(from.at))
}

// meanRate is how many calls have ended in a second of all.
func (c *course) meanRate() float64 {
	ended, _ := c.ended()
	return perSecond(ended, c.elapsed())
}

func perSecond(n int64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

// eta is how long it will take until so many more calls have ended, if that can be told. The
// scheduler's own counts say what a call costs and how long it takes; remaining is the only number
// that is anybody else's.
func (c *course) eta(remaining int64) (eta time.Duration, ok bool) {
	if remaining <= 0 {
		return 0, true
	}
	if c.now.Paused && c.now.PausedUntil.IsZero() {
		return 0, false
	}
	hold := latest(c.now.At, c.now.HeldUntil, c.now.PausedUntil).Sub(c.now.At)
	ended, _ := c.ended()
	quota, work := c.quotaTime(float64(remaining)), c.workTime(float64(remaining))
	return seconds(hold.Seconds() + max(quota, work)), ended > 0 || quota > 0
}

// quotaTime is how many seconds the budgets need for the rest, 0 if they have enough.
//
// An attempt pays when it starts, and a call gets back what was too much when it ends. If the cost
// were what was paid per call that has ended, those that run would be paid for twice: at first,
// when a burst has started and next to nothing has ended, by far the most.
func (c *course) quotaTime(remaining float64) float64 {
	ended, _ := c.ended()
	attempts, running := float64(c.now.Totals.Attempts-c.first.Totals.Attempts), float64(c.now.Running)
	if attempts == 0 {
		return 0
	}
	perCall := (attempts - running + 1) / float64(ended+1) // attempts; 1 as long as nothing is known
	starts := max(0, perCall*remaining-running)            // still to come
	ends := max(0, remaining-running)                      // before the last start, about
	longest := 0.0
	for i, b := range c.now.Budgets {
		if i >= len(c.first.Budgets) {
			break
		}
		was := c.first.Budgets[i].Ledger
		need := starts*float64(b.Ledger.Spent-was.Spent)/attempts -
			ends*float64(b.Ledger.Refunded-was.Refunded)/float64(max(1, ended)) - float64(b.Available)
		limit := b.Limit.WithDefaults()
		longest = max(longest, need/(float64(limit.Refill)*c.now.Rate)*limit.Per.Seconds())
	}
	if longest > 0 { // and the last one has to run
		longest += c.busy.Seconds() / max(1, attempts-running/2)
	}
	return longest
}

// workTime is how many seconds the rest takes at the pace so far.
//
// The pace is that up to the last end, so that the time counts down until the next: calls that
// began together end together. When that is overdue, the pace is at best what it will be when all
// that runs ends now.
func (c *course) workTime(remaining float64) float64 {
	n, _ := c.ended()
	ended, running := float64(n), min(float64(c.now.Running), remaining)
	if ended == 0 {
		return 0
	}
	atPace := c.lastEnd.Seconds()*remaining/ended - (c.worked - c.lastEnd).Seconds()
	atBest := c.worked.Seconds() * (remaining - running) / (ended + running)
	return max(atPace, atBest)
}

func seconds(s float64) time.Duration {
	const most = 1 << 62 // as a Duration: a century and a half
	return time.Duration(min(s*float64(time.Second), most))
}
