package bucket

import "time"

// Packed is what changes in a [Bucket], without its limit and its [Ledger]. A program that has many
// buckets of one limit, such as one for each user, keeps 32 bytes for each of them and a single Bucket
// to work with. Packed is for limits without a [Reset]. The zero Packed is a bucket that was empty at
// the instant 0. To change the limit, unpack each of them into a copy of the old Bucket, call
// [Bucket.SetLimit], and pack it again.
type Packed struct {
	level                int64
	frac                 uint64
	refilledTo, lastSeen time.Duration
}

// Pack returns what [Bucket.Unpack] needs. It changes nothing. With a Reset the period is not part of it.
func (b *Bucket) Pack() Packed {
	return Packed{level: b.level, frac: b.frac, refilledTo: b.refilledTo, lastSeen: b.lastSeen}
}

// Unpack makes b the bucket that was packed as p. Its latest instant seen becomes that of p, even if it
// is earlier. The ledger starts again, with the level of p as Initial.
//
// The caller must see to it that p comes from a bucket of the same limit. Otherwise the level is cut to
// the capacity, and the fraction of a token may be off by almost a token. With a Reset, b keeps its own
// period, so its resets come at the wrong time or not at all.
func (b *Bucket) Unpack(p Packed) {
	b.level, b.frac = p.level, min(p.frac, b.per-1)
	if b.level >= b.limit.Capacity {
		b.level, b.frac = b.limit.Capacity, min(p.frac, b.maxFrac)
	}
	b.refilledTo, b.lastSeen = p.refilledTo, p.lastSeen
	b.ledger = Ledger{Initial: b.level}
}

// AsNew reports whether the bucket is full as if no token had ever been taken. Then no hold is on, and
// only its ledger tells it from one that was made full at any earlier instant and advanced to the
// latest instant seen. So a program with many buckets need not keep it, and can make it again later. A
// bucket that [New] has just made may not be AsNew, since the fraction of a token that a full bucket
// holds comes only with the next nanosecond. With a [Reset] AsNew is false.
func (b *Bucket) AsNew() bool {
	return b.level == b.limit.Capacity && b.frac == b.maxFrac && !b.held() && b.quota.calendar == nil
}
