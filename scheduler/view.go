package scheduler

import (
	"time"

	"example.com/fairlead/bucket"
)

// queued returns how many calls wait for tokens or a slot.
func (k *core) queued() int { return k.queue.len() }

// callsWaitingForRoom returns how many queued calls have not been admitted.
func (k *core) callsWaitingForRoom() int { return k.waitingForRoom.count }

// inFlight returns how many calls run, also by the fast path.
func (k *core) inFlight() int { return k.running.count + k.inFast }

// backingOff returns how many calls wait for their backoff to end.
func (k *core) backingOff() int { return len(k.backoff) }

// runningCalls returns the calls that run, without those of the fast path, in the order of their
// grants.
func (k *core) runningCalls() (calls []*coreCall) {
	for c := k.running.first; c != nil; c = c.detail.next {
		calls = append(calls, c)
	}
	return calls
}

// nextRetry returns when the first backoff ends, or [bucket.Forever].
func (k *core) nextRetry() time.Duration { return k.backoff.next() }

// rate returns the part of the configured rates that is in force.
func (k *core) rate() float64 { return k.adaptive.rate() }

// heldUntil returns when the latest hold ends or ended.
func (k *core) heldUntil() time.Duration { return k.budgets.heldUntil() }

// levelOf returns the state of the i-th budget at its full rate, at which it will be restored.
func (k *core) levelOf(i int) bucket.State { return k.budgets[i].level(k.now, k.time(k.now)) }

// handoverPending reports whether grants wait for their hand-over.
func (k *core) handoverPending() bool { return k.handover.pending }
