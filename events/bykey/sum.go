package bykey

import (
	"time"

	"example.com/fairlead/events/internal/mean"
)

const (
	defaultKeys = 1000
	searched    = 8 // keys that are compared when one has to be dropped
)

// sum is a Key that is being added up. Its Since and Mean are those of the last report.
type sum struct {
	Key
	times mean.Sum
	line  []waiter // calls in the order in which they were queued, and some that do not wait any more
}

// place says where an open call is.
type place struct {
	sum   *sum
	since time.Time
	runs  bool // it waits otherwise
}

// waiter is a call that was queued at an instant.
type waiter struct {
	call  uint64
	since time.Time
}

func (k *sum) open() int { return k.Waiting + k.Running }

// leave notes that a call is no more where it was.
func (k *sum) leave(p place) {
	if p.runs {
		k.Running--
	} else {
		k.Waiting--
	}
}

func (k *sum) forgetCalls() { k.Waiting, k.Running, k.line = 0, 0, nil }

// spend adds what an attempt has paid.
func (k *sum) spend(cost int64) { k.Spent = saturated(k.Spent, max(0, cost)) }

// queue adds a call to the line. Once in a while it drops those that have left.
func (k *sum) queue(call uint64, since time.Time, open map[uint64]place) {
	if len(k.line) >= 2*k.Waiting+16 {
		kept := k.line[:0]
		for _, w := range k.line {
			if k.has(w, open) {
				kept = append(kept, w)
			}
		}
		k.line = kept
	}
	k.line = append(k.line, waiter{call, since})
}

// has reports whether a call of the line still waits.
func (k *sum) has(w waiter, open map[uint64]place) bool {
	p, ok := open[w.call]
	return ok && !p.runs && p.since.Equal(w.since)
}

// first returns when the call that has waited longest was queued, or the zero time.
func (k *sum) first(open map[uint64]place) time.Time {
	for len(k.line) > 0 && !k.has(k.line[0], open) {
		k.line = k.line[1:]
	}
	if len(k.line) == 0 {
		return time.Time{}
	}
	return k.line[0].since
}

func (k *sum) report(open map[uint64]place) Key {
	r := k.Key
	r.Since, r.Mean = k.first(open), k.times.Mean()
	return r
}

// plus adds another key.
func (k *sum) plus(other *sum) {
	k.Waiting += other.Waiting
	k.Running += other.Running
	if k.Since.IsZero() || !other.Since.IsZero() && other.Since.Before(k.Since) {
		k.Since = other.Since
	}
	k.Attempts += other.Attempts
	k.Spent = saturated(k.Spent, other.Spent)
	k.Succeeded += other.Succeeded
	k.Failed += other.Failed
	k.Refused += other.Refused
	k.times = k.times.Plus(other.times)
}

// find returns the sum for a key, or that of the others.
func (s *Sums) find(key string) *sum {
	if k := s.keys[key]; k != nil {
		return k
	}
	most := s.MaxKeys
	if most <= 0 {
		most = defaultKeys
	}
	k := &sum{Key: Key{Key: key}}
	if len(s.list) < most {
		s.list = append(s.list, k)
		s.keys[key] = k
		return k
	}
	i := s.unloaded()
	if i < 0 {
		return &s.others
	}
	s.others.plus(s.list[i])
	delete(s.keys, s.list[i].Key.Key)
	s.list[i], s.keys[key] = k, k
	return k
}

// unloaded returns the index of a key without open calls that had few attempts, or -1. It looks at some keys
// after the last that it has looked at.
func (s *Sums) unloaded() int {
	best := -1
	for range min(searched, len(s.list)) {
		i := s.next
		s.next = (s.next + 1) % len(s.list)
		if s.list[i].open() == 0 && (best < 0 || s.list[i].Attempts < s.list[best].Attempts) {
			best = i
		}
	}
	return best
}
