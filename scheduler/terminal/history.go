package terminal

import (
	"math"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// history sums up the snapshots of a scheduler that were taken so far. All that is shown is computed
// from it.
type history struct {
	first, now scheduler.Snapshot
	worked     time.Duration // time from first to now, without holds and pauses
	lastEnd    time.Duration // worked, when the last call ended
	busy       time.Duration // how long attempts have run, added up
	recent     []mark        // of about the last rateWindow, the oldest first
	keys       loads         // at the time of now
}

// mark is the number of calls that had ended at an instant.
type mark struct {
	at    time.Time
	ended uint64
}

// rateWindow is the time over which the shown rate is measured.
const rateWindow = 10 * time.Second

func newHistory(snap scheduler.Snapshot) *history {
	return &history{first: snap, now: snap, recent: []mark{{snap.At, snap.Totals.Ended()}}}
}

// add adds a later snapshot.
func (h *history) add(snap scheduler.Snapshot) {
	was := h.now
	h.now = snap
	h.busy += time.Duration(was.Running+snap.Running) * max(0, snap.At.Sub(was.At)) / 2
	if !was.Paused || !was.PausedUntil.IsZero() {
		h.worked += max(0, snap.At.Sub(latest(was.At, was.HeldUntil, was.PausedUntil)))
	}
	if snap.Totals.Ended() != was.Totals.Ended() {
		h.lastEnd = h.worked
	}
	h.recent = append(h.recent, mark{snap.At, snap.Totals.Ended()})
	for len(h.recent) > 2 && snap.At.Sub(h.recent[1].at) >= rateWindow {
		h.recent = h.recent[1:]
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

// elapsed returns the time since the first snapshot.
func (h *history) elapsed() time.Duration { return h.now.At.Sub(h.first.At) }

// ended returns how many calls have ended since the first snapshot, and how many of these failed.
func (h *history) ended() (ended, failed int64) {
	was, is := h.first.Totals, h.now.Totals
	ended = int64(is.Ended() - was.Ended())
	return ended, ended - int64(is.Succeeded-was.Succeeded)
}

// rate returns how many calls ended per second of late.
func (h *history) rate() float64 {
	from := h.recent[0]
	return perSecond(int64(h.now.Totals.Ended()-from.ended), h.now.At.Sub(from.at))
}

// meanRate returns how many calls ended per second since the first snapshot.
func (h *history) meanRate() float64 {
	ended, _ := h.ended()
	return perSecond(ended, h.elapsed())
}

func perSecond(n int64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

// eta estimates how long it takes until that many more calls have ended, and reports whether it can.
// It takes the cost and the length of a call from the scheduler's counts.
func (h *history) eta(remaining int64) (eta time.Duration, ok bool) {
	if remaining <= 0 {
		return 0, true
	}
	if h.now.Paused && h.now.PausedUntil.IsZero() {
		return 0, false
	}
	hold := latest(h.now.At, h.now.HeldUntil, h.now.PausedUntil).Sub(h.now.At)
	ended, _ := h.ended()
	quota, work := h.quotaTime(float64(remaining)), h.workTime(float64(remaining))
	return seconds(hold.Seconds() + max(quota, work)), ended > 0 || quota > 0
}

// quotaTime returns how many seconds the budgets need for the remaining calls, or 0 if they have
// enough tokens.
//
// An attempt pays when it starts, and its call gets a refund when it ends. Dividing what was paid
// by the calls that have ended would count running calls twice. That matters most at first, when a
// burst has started and almost none of it has ended.
func (h *history) quotaTime(remaining float64) float64 {
	ended, _ := h.ended()
	attempts, running := float64(h.now.Totals.Attempts-h.first.Totals.Attempts), float64(h.now.Running)
	if attempts == 0 {
		return 0
	}
	perCall := (attempts - running + 1) / float64(ended+1) // attempts a call needs; 1 until some have ended
	starts := max(0, perCall*remaining-running)            // attempts still to start
	ends := max(0, remaining-running)                      // calls that end before the last start, about
	longest := 0.0
	for i, b := range h.now.Budgets {
		if i >= len(h.first.Budgets) {
			break
		}
		was := h.first.Budgets[i].Ledger
		need := starts*float64(b.Ledger.Spent-was.Spent)/attempts -
			ends*float64(b.Ledger.Refunded-was.Refunded)/float64(max(1, ended)) - float64(b.Available)
		longest = max(longest, refillTime(b, need, h.now.Rate))
	}
	if longest > 0 { // the last attempt has to run, too
		longest += h.busy.Seconds() / max(1, attempts-running/2)
	}
	return longest
}

// refillTime returns how many seconds a budget needs for tokens that it does not have yet, at a part of
// its rate.
func refillTime(b scheduler.Budget, need, rate float64) float64 {
	limit := b.Limit.WithDefaults()
	if limit.Reset == (bucket.Reset{}) {
		return need / (float64(limit.Refill) * rate) * limit.Per.Seconds()
	}
	tokens, err := bucket.Restore(limit, b.Level, 0, b.Level.At)
	if err != nil || need <= 0 {
		return 0
	}
	return tokens.Ready(b.Available + int64(min(math.Ceil(need), math.MaxInt32))).Seconds()
}

// workTime returns how many seconds the remaining calls take at the present pace.
//
// The pace is measured up to the last end, so that the estimate counts down until the next one. That
// suits calls that start together and end together. When the next end is overdue, the estimate is at
// least what it would be if all running calls ended now.
func (h *history) workTime(remaining float64) float64 {
	n, _ := h.ended()
	ended, running := float64(n), min(float64(h.now.Running), remaining)
	if ended == 0 {
		return 0
	}
	atPace := h.lastEnd.Seconds()*remaining/ended - (h.worked - h.lastEnd).Seconds()
	atBest := h.worked.Seconds() * (remaining - running) / (ended + running)
	return max(atPace, atBest)
}

func seconds(s float64) time.Duration {
	const most = 1 << 62 // a Duration of 146 years
	return time.Duration(min(s*float64(time.Second), most))
}
