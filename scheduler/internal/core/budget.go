package core

import (
	"time"

	"example.com/fairlead/bucket"
)

// Budget is a bucket of this scheduler alone, or this process's stock of a shared bucket. Its methods do what those of
// a bucket do.
type Budget struct {
	Name       string
	Configured bucket.Limit // as configured; the bucket's own may be lower: see adaptiveRate
	bucket.Bucket
	stock *stock // replaces the bucket, which then has only the limit; nil if the budget is not shared
}

// Available returns how many whole tokens there are, negative in debt.
func (b *Budget) Available() int64 {
	if b.stock != nil {
		return b.stock.here
	}
	return b.Bucket.Available()
}

// Ledger returns the ledger at the latest instant.
func (b *Budget) Ledger() bucket.Ledger {
	if b.stock != nil {
		return b.stock.ledger
	}
	return b.Bucket.Ledger()
}

// HeldUntil returns the instant before which no token leaves, since a server sent a Retry-After.
func (b *Budget) HeldUntil() time.Duration {
	if b.stock != nil {
		return b.stock.holdEnds()
	}
	return b.Bucket.HeldUntil()
}

// Advance adds the tokens that have come by an instant.
func (b *Budget) Advance(at time.Duration) {
	if b.stock != nil {
		b.stock.advance(at)
		return
	}
	b.Bucket.Advance(at)
}

// Skip lets time pass for a bucket that stands still. A stock can't: the other processes go on.
func (b *Budget) Skip(at time.Duration) {
	if b.stock != nil {
		b.stock.advance(at)
		return
	}
	b.Bucket.Skip(at)
}

// Postpone advances a bucket whose last n tokens were handed over late. A stock has nothing to make up for,
// since its tokens were sold.
func (b *Budget) Postpone(at time.Duration, n int64) {
	if b.stock != nil {
		b.stock.advance(at)
		return
	}
	b.Bucket.Postpone(at, n)
}

// Ready returns the first instant at which n tokens will certainly be there. For a stock it is
// [bucket.Forever] if they have not been bought.
func (b *Budget) Ready(n int64) time.Duration {
	if b.stock != nil {
		return b.stock.ready(n)
	}
	return b.Bucket.Ready(n)
}

// earliest returns the first instant at which n tokens can be there.
func (b *Budget) earliest(n int64) time.Duration {
	if b.stock != nil {
		return b.stock.earliest(n, b.Configured)
	}
	return b.Bucket.Ready(n)
}

// expected returns the instant at which n tokens are expected.
func (b *Budget) expected(n int64) time.Duration {
	if b.stock != nil {
		return b.stock.expected(n, b.Configured)
	}
	return b.Bucket.Ready(n)
}

// Take takes n tokens if they are there.
func (b *Budget) Take(at time.Duration, n int64) bool {
	if b.stock != nil {
		return b.stock.take(at, n)
	}
	return b.Bucket.Take(at, n)
}

// RefundFrom gives back n tokens that were taken at the instant taken.
func (b *Budget) RefundFrom(at, taken time.Duration, n int64) {
	if b.stock != nil {
		b.stock.refund(at, n, b.Configured.Capacity)
		return
	}
	b.Bucket.RefundFrom(at, taken, n)
}

// settle takes more tokens even if they are not there, or refunds -more of them. It returns how many it has taken, since
// the debt is bounded.
func (b *Budget) settle(now time.Duration, more int64) int64 {
	switch {
	case b.stock == nil:
		return settle(&b.Bucket, now, more)
	case more > 0:
		more = min(more, addCosts(b.stock.here, b.Configured.Capacity))
		b.stock.charge(now, more)
	default:
		b.stock.refund(now, -more, b.Configured.Capacity)
	}
	return more
}

// SetLevel sets the level to n. A stock's level is only lowered.
func (b *Budget) SetLevel(at time.Duration, n int64) {
	if b.stock != nil {
		b.stock.setLevel(at, n)
		return
	}
	b.Bucket.SetLevel(at, n)
}

// Hold gives up the tokens and spends none before an instant.
func (b *Budget) Hold(at, until time.Duration) {
	if b.stock != nil {
		b.stock.serverHolds(at, until)
		return
	}
	b.Bucket.Hold(at, until)
}
