package journal

import (
	"errors"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/internal/safetext"
)

// feed writes what the scheduler has changed, until it is closed.
func (j *Journal) feed() {
	defer close(j.fed)
	for {
		changes, err := j.s.Changes(background)
		if err != nil {
			break
		}
		b, accepted, p := j.collect(changes)
		if p == nil {
			continue
		}
		err = j.committed(p)
		if j.finish(accepted, err); err == nil {
			j.over(b.changes)
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.isFed = true
	for _, a := range j.accepting {
		if a.record != nil && !a.writing {
			j.settle(a, j.closedErr())
		}
	}
}

// collect begins to commit what has changed: calls that were accepted, and attempts that have ended. It returns no put if
// nothing has.
func (j *Journal) collect(changes scheduler.Changes) (b batch, accepted []*accepting, p *put) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range changes.Calls {
		c := &changes.Calls[i]
		a, r := j.accepting[c.Call], j.running[c.Call]
		switch {
		case a != nil && a.writing: // it is on its way into the file
		case a != nil:
			if a.change = c; a.record != nil && j.write(&b, a) {
				accepted = append(accepted, a)
			}
		case r != nil && c.End == 0 && c.Attempts < r.record.attempts: // the next attempt has begun
		case r != nil:
			b.add(j.after(r.record, r, c, changes.At))
		case c.Call <= j.lastFound && c.End == 0: // it was resumed
		default:
			found, err := j.file.record(c.Call)
			switch {
			case err == nil:
				b.add(j.after(found, nil, c, changes.At))
			case errors.Is(err, errAbsent): // Submit does not have its number yet
				a = newAccepting()
				a.change, j.accepting[c.Call] = c, a
			default:
				j.damaged(c.Call, err)
			}
		}
	}
	if len(b.changes) > 0 {
		p = j.commits.begin(b) // under the lock, so that the beginning of the next attempt comes after it
	}
	return b, accepted, p
}

// add adds a change if there is one.
func (b *batch) add(c *change) {
	if c != nil {
		b.changes = append(b.changes, *c)
	}
}

// after returns what to write when an attempt or a queued call has ended, or nil if there is nothing to write. r is nil for
// a call that does not run.
func (j *Journal) after(before *record, r *run, c *scheduler.Change, at time.Time) *change {
	switch {
	case c.State == "backing off":
		next := *before
		next.state, next.attempts, next.due, next.lastErr, next.crashes = backingOff, c.Attempts, c.Due, c.Err, 0
		return &change{record: &next}
	case c.End == 0 && r != nil && (c.State == "queued" || c.Attempts > before.attempts): // the backoff is over already
		next := *before
		next.state, next.lastErr, next.crashes = waiting, c.Err, 0
		return &change{record: &next}
	case r != nil && c.End == events.Canceled: // the attempt did not begin, and r is the previous one, which failed
		next := *before
		next.state, next.lastErr, next.crashes = waiting, r.failure(), 0
		return &change{record: &next}
	case c.End == 0 || c.End == events.Canceled:
		return nil
	case c.End == events.Succeeded:
		_, result := r.outcome()
		return endOf(before, result, at)
	}
	next := *before
	next.attempts = c.Attempts
	return deadOf(&next, c.End, safetext.Of(c.Outcome), at)
}

// endOf returns the change of a call that has succeeded.
func endOf(before *record, result []byte, at time.Time) *change {
	next := *before
	next.state, next.endedAt, next.lastErr, next.due = ended, at, "", time.Time{}
	return &change{record: &next, result: result}
}

// deadOf returns the change of a call that becomes a dead letter.
func deadOf(before *record, end events.Kind, reason string, at time.Time) *change {
	next := *before
	next.state, next.endedAt, next.lastErr, next.due = dead, at, reason, time.Time{}
	next.end = ""
	if end != 0 {
		next.end = end.String()
	}
	return &change{record: &next}
}

// over notes that the ends of attempts are in the file, and wakes the goroutines that wait for these calls.
func (j *Journal) over(changes []change) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range changes {
		n := c.record.number
		if c.forget {
			continue
		}
		switch c.record.state {
		case ended, dead:
			if c.record.state == dead {
				j.dead[n] = true
			}
			j.wake(n, &c)
		case backingOff, waiting:
		default:
			continue
		}
		delete(j.suspects, n)
		if r := j.running[n]; r != nil && r.record.attempts <= c.record.attempts {
			delete(j.running, n)
		}
		if j.isClosing {
			j.wake(n, nil) // it will not end any more
		}
	}
}
