package core

import (
	"time"

	"example.com/fairlead/bucket"
)

// Keyed reports whether there has been a call with a key or a weight, or an input that names a key.
func (k *Core) Keyed() bool { return k.keyed }

// Queued returns how many calls wait for tokens or a slot.
func (k *Core) Queued() int { return k.queued }

// CallsWaitingForRoom returns how many queued calls have not been admitted.
func (k *Core) CallsWaitingForRoom() int { return k.waitingForRoom.count }

// InFlight returns how many calls run, also by the fast path.
func (k *Core) InFlight() int { return k.running.count + k.InFast }

// BackingOff returns how many calls wait for their backoff to end.
func (k *Core) BackingOff() int { return len(k.backoff) }

// Later returns how many calls have not arrived.
func (k *Core) Later() int { return len(k.later) }

// RunningCalls returns the calls that run, without those of the fast path, in the order of their
// grants.
func (k *Core) RunningCalls() (calls []*Call) {
	for c := k.running.first; c != nil; c = c.detail.next {
		calls = append(calls, c)
	}
	return calls
}

// NextRetry returns when the first backoff ends, or when at the latest the first wait for the retry budget does.
// It returns [bucket.Forever] if there is neither.
func (k *Core) NextRetry() time.Duration { return min(k.backoff.next(), k.nextPayment()) }

// NextLater returns when the first call in state Later arrives, or [bucket.Forever].
func (k *Core) NextLater() time.Duration { return k.later.next() }

// Rate returns the fraction of the configured rates that is in force, from 0 to 1.
func (k *Core) Rate() float64 { return k.adaptive.rate() }

// HeldUntil returns the last instant at which a hold ends. It may have passed.
func (k *Core) HeldUntil() time.Duration { return k.Budgets.heldUntil() }

// LevelOf returns the state of the i-th budget, to be saved. It assumes the configured rate and not an
// adaptive one, since the budget will be restored with that. Of a shared budget the store keeps the tokens, so the
// state has only a hold.
func (k *Core) LevelOf(i int) (level bucket.State) {
	b := &k.Budgets[i]
	if b.stock == nil {
		return b.level(k.Now, k.wall(k.Now))
	}
	if held := b.HeldUntil() - k.Now; held > 0 {
		level = bucket.State{At: k.wall(k.Now).UTC(), Held: held}
	}
	return level
}

// HandoverPending reports whether there are grants that the owner has not handed over: see [Core.HandedOver].
func (k *Core) HandoverPending() bool { return k.handover.pending }
