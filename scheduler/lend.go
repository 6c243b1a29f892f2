package scheduler

import (
	"time"

	"example.com/fairlead/events"
)

// lender is the owner's side of the till. While plain calls come often and nobody is
// queued, the owner lends the tokens in the bucket. They stay in the bucket's account
// until they have been taken; the owner learns how many were, and not when. It accounts
// for them as though they had been taken last, after all that came in meanwhile. That
// is never more than was there; what it can lose is the refill of one interval, and
// that only if the bucket ran full in it. So it looks again when the bucket would be
// full, but no more often than every loanInterval; if nothing was taken by then, the
// loan is over and there is no timer any more.
//
// While nothing is lent, calls that took from an earlier loan say when they are over,
// so that the owner knows of all that runs.
type lender struct {
	lent   bool
	left   uint64        // tokens in the till when the owner last looked
	taken  uint64        // the word's count then
	slots  uint64        // as in the loan
	used   bool          // some were taken since the loan was last renewed
	renews time.Duration // when to look again
	latest time.Duration // when the latest plain call came to the owner
	streak int           // how many have come shortly after one another
}

const (
	// loanInterval is the least time between two renewals of a loan.
	loanInterval = time.Millisecond

	// loanStreak is how many plain calls, each within an interval of the one before,
	// make it worth while to lend, and smallestLoan how many tokens do.
	loanStreak   = 3
	smallestLoan = 16
)

// perCall are the kinds of events of calls that succeed. Whoever wants them is to have
// those of all calls: so nothing is lent meanwhile.
var perCall = events.Of(events.Queued, events.Granted, events.Started, events.Succeeded)

// cameBy notes that a plain call has come to the owner.
func (l *lender) cameBy(now time.Duration) {
	if now-l.latest > loanInterval {
		l.streak = 0
	}
	l.streak++
	l.latest = now
}

// look accounts for what was taken since the last time.
func (o *owner) look(now time.Duration) {
	if o.loan.lent || o.core.inTill > 0 {
		o.account(now, o.s.till.word.Load())
	}
}

func (o *owner) account(now time.Duration, word uint64) {
	if !o.loan.lent {
		o.core.advance(now) // a slot that is free now was not so before
	}
	o.core.inTill = int(inFlight(word))
	if n := o.loan.left - word&tillTokens; n > 0 {
		o.core.taken(now, int64(n))
		o.loan.left -= n
		o.loan.used = true
	}
	o.loan.taken = taken(word)
}

// lend lends what there is, or more of it if the loan is to be renewed.
func (o *owner) lend() {
	l, k, t := &o.loan, o.core, &o.s.till
	slots := k.lendableSlots()
	if l.lent && k.now < l.renews && slots == l.slots {
		return
	}
	more := min(k.budgets.least(), mostLent) - int64(l.left)
	if !l.lent && (l.streak < loanStreak || more < smallestLoan || slots == 0 || !k.lendable()) {
		return
	}
	add := uint64(max(more, 0))
	l.left += add
	if !l.lent { // counts as one taken, so that the word is not what it was in an earlier loan: see take
		l.taken = (l.taken + 1) % (1 << 20)
		add += tillTaken
	}
	t.loan.Store(&loan{taken: l.taken, lastID: k.lastID, since: k.now, slots: slots})
	t.word.And(^uint64(tillNotify))
	t.word.Add(add)
	l.lent, l.slots = true, slots
	l.renews = max(k.budgets.full(), after(k.now, loanInterval))
}

// recall ends the loan. From here on the bucket is the owner's alone, and calls in
// flight say when they are over.
func (o *owner) recall(now time.Duration) {
	if o.loan.lent {
		o.s.till.word.Or(tillNotify) // first: so that none is over unseen
		o.account(now, o.s.till.word.And(^uint64(tillTokens)))
		if !o.loan.used {
			o.loan.streak = 0 // nobody cares: so it takes a new streak for the next loan
		}
		o.loan.lent, o.loan.left, o.loan.used = false, 0, false
	}
}

// fromTill lets a plain call through by the till, if that is open after all: so calls
// that come in numbers don't shut it for each other.
func (o *owner) fromTill(now time.Duration, c *call) bool {
	o.loan.cameBy(now)
	if !o.loan.lent {
		return false
	}
	got, ok := o.s.till.take()
	if ok {
		c.reply <- reply{kind: replyTicket, ticket: got}
	}
	return ok
}

// adopt takes over a call that was let through by the till and is no success, or was
// not even started.
func (o *owner) adopt(now time.Duration, c *call, err error) {
	o.s.till.put()
	o.look(now)
	o.core.adopt(now, c)
	if c.made == 0 {
		c.left = true
		o.core.abandon(now, c, err)
	} else {
		v := o.core.verdict(c)
		c.left = !v.Retryable()
		o.core.finish(now, c, err, v)
	}
}

// renew is for when the timer goes off: a loan that nobody has used is over.
func (o *owner) renew(now time.Duration) {
	if !o.loan.lent || now < o.loan.renews {
		return
	}
	if o.loan.used {
		o.loan.used = false
	} else {
		o.recall(now)
	}
}
