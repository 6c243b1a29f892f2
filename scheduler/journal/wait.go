package journal

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"example.com/fairlead/events"
)

// find returns the record of the call with an ID, or nil. It does not find one that has ended too long ago, which stays
// in the file until a commit removes it.
func (j *Journal) find(id string) (found *record, err error) {
	for _, n := range j.ids.candidates(id) {
		r, err := j.file.record(n)
		switch {
		case errors.Is(err, errAbsent):
		case err != nil:
			return nil, err
		case r.id != id || r.state == ended && j.s.Now().Sub(r.endedAt) > j.cfg.KeepFor:
		case found == nil || found.number < r.number:
			found = r
		}
	}
	return found, nil
}

// Wait waits until the call with an ID has ended, and returns its result: see [Result]. If the call is or becomes a dead
// letter, it returns a [DeadError]. If ctx is done before, it returns the error of ctx. Once Close has begun, it fails with
// [ErrClosed] for a call that does not run. It also fails with [ErrUnknown], [ErrNoHandler] and [ErrFailed], and for a
// handler that waits for its own call. A handler that waits for another call keeps its slot of MaxInFlight.
func (j *Journal) Wait(ctx context.Context, id string) ([]byte, error) {
	if ctx == nil {
		return nil, errNilContext
	}
	if r := j.inside(ctx); r != nil && r.info.ID == id {
		return nil, fmt.Errorf("journal: the handler of call %q would wait for itself: wait in another goroutine, with another context", id)
	}
	for {
		w, r, err := j.waitFor(id)
		switch {
		case err != nil:
			return nil, err
		case w == nil && r.state == dead:
			return nil, &DeadError{r.letter()}
		case w == nil:
			if result, err := j.file.result(r.number); !errors.Is(err, errAbsent) {
				return result, err
			}
			continue // it was forgotten meanwhile
		}
		if err := j.outside(ctx, w.woken); err != nil {
			return nil, err
		}
		select {
		case <-w.woken:
			if w.end != nil {
				return w.outcome()
			}
		default:
		}
	}
}

// waiter is for the goroutines that wait for the end of a call.
type waiter struct {
	woken chan struct{} // closed when the call has ended, or may have
	end   *change       // how it has ended, since the file may forget it at once
}

// outcome returns the outcome of a call that has ended.
func (w *waiter) outcome() ([]byte, error) {
	if w.end.record.state == dead {
		return nil, &DeadError{w.end.record.letter()}
	}
	return append([]byte{}, w.end.result...), nil
}

// outside waits for a channel, until ctx is done or no call ends any more. If ctx is that of a handler, other handlers
// may run meanwhile.
func (j *Journal) outside(ctx context.Context, wait <-chan struct{}) error {
	if r := j.inside(ctx); r != nil {
		r.way.stepOut()
		defer r.way.stepIn()
	}
	select {
	case <-wait:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-j.broken:
	case <-j.fed:
	}
	return nil
}

// waitFor returns the record of a call that has ended, or a waiter for its end.
func (j *Journal) waitFor(id string) (*waiter, *record, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if a := j.byID[id]; a != nil {
		if j.failed != nil || j.isFed {
			return nil, nil, j.closedErr()
		}
		return &waiter{woken: a.done}, nil, nil
	}
	r, err := j.find(id)
	switch {
	case err != nil:
		return nil, nil, err
	case r == nil:
		return nil, nil, fmt.Errorf("%w: %q", ErrUnknown, id)
	case r.state == dead || r.state == ended:
		return nil, r, nil
	case j.absent[r.number]:
		return nil, nil, fmt.Errorf("%w: %q", ErrNoHandler, r.handler)
	case j.failed != nil || j.isFed || j.isClosing && j.running[r.number] == nil: // it will not end any more
		return nil, nil, j.closedErr()
	}
	w := j.waiters[r.number]
	if w == nil {
		w = &waiter{woken: make(chan struct{})}
		j.waiters[r.number] = w
	}
	return w, nil, nil
}

// wake wakes the goroutines that wait for the end of a call. If end is nil, they look at the call again.
func (j *Journal) wake(number uint64, end *change) {
	if w := j.waiters[number]; w != nil {
		w.end = end
		close(w.woken)
		delete(j.waiters, number)
	}
}

// letter returns the dead letter of a record.
func (r *record) letter() Letter {
	l := Letter{ID: r.id, Handler: r.handler, Key: r.key, Attempts: r.attempts, At: r.endedAt, Reason: cut(r.lastErr)}
	for k := range events.Kind(32) {
		if k.Ends() && k.String() == r.end {
			l.End = k
		}
	}
	return l
}

// Dead returns the dead letters, the first call first. An error ends the loop.
func (j *Journal) Dead() iter.Seq2[Letter, error] {
	return func(yield func(Letter, error) bool) {
		j.mu.Lock()
		numbers := slices.Sorted(maps.Keys(j.dead))
		j.mu.Unlock()
		for _, n := range numbers {
			l, is, err := j.letter(n)
			if err != nil {
				yield(Letter{}, err)
				return
			}
			if is && !yield(l, nil) {
				return
			}
		}
	}
}

// letter reads the dead letter with a number, and reports whether it still is one.
func (j *Journal) letter(number uint64) (l Letter, is bool, err error) {
	r, err := j.file.record(number)
	if err == nil && r.state == dead {
		l, is = r.letter(), true
		l.Payload, err = j.file.payload(number)
	}
	if errors.Is(err, errAbsent) {
		return Letter{}, false, nil
	}
	return l, is, err
}

// Again makes a dead letter a call again, with a new number, and attempts from the first. When it returns nil, that is on
// disk. Errors are those of [Journal.Submit], [ErrUnknown] and [ErrNotDead].
func (j *Journal) Again(ctx context.Context, id string) error {
	if ctx == nil {
		return errNilContext
	}
	a, c, err := j.revive(id)
	if err != nil {
		return err
	}
	j.accept(a, c)
	return a.await(ctx)
}

// revive begins to submit a dead letter again.
func (j *Journal) revive(id string) (*accepting, *Call, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r, err := j.letterOf(id)
	if err != nil {
		return nil, nil, err
	}
	payload, err := j.file.payload(r.number)
	if err != nil {
		return nil, nil, err
	}
	a := newAccepting()
	a.payload, a.forget = payload, r
	a.record = &record{id: id, handler: r.handler, key: r.key, payload: r.payload, maybeRan: r.attempts > 0}
	c := &Call{ID: id, Handler: r.handler, Payload: payload, Key: r.key, Priority: r.priority, Cost: r.cost, Costs: j.cfg.costsOf(r)}
	if err := c.check(j.cfg.Handlers); err != nil {
		return nil, nil, err
	}
	j.byID[id] = a
	return a, c, nil
}

// letterOf returns the record of a dead letter.
func (j *Journal) letterOf(id string) (*record, error) {
	if err := j.err(); err != nil {
		return nil, err
	}
	r, err := j.find(id)
	switch {
	case err != nil:
		return nil, err
	case r == nil:
		return nil, fmt.Errorf("%w: %q", ErrUnknown, id)
	case r.state != dead || j.byID[id] != nil:
		return nil, fmt.Errorf("%w: %q", ErrNotDead, id)
	}
	return r, nil
}

// Forget removes a dead letter from the file. Its ID is free then. Errors are [ErrUnknown], [ErrNotDead], [ErrClosed]
// and [ErrFailed].
func (j *Journal) Forget(id string) error {
	j.mu.Lock()
	r, err := j.letterOf(id)
	if err == nil {
		a := newAccepting()
		a.record, a.removes = r, true
		j.byID[id] = a // so that no other goroutine revives it
	}
	j.mu.Unlock()
	if err != nil {
		return err
	}
	err = j.put(batch{changes: []change{{record: r, forget: true}}})
	j.mu.Lock()
	defer j.mu.Unlock()
	if err == nil {
		j.ids.remove(id, r.number)
		delete(j.dead, r.number)
	}
	j.settle(j.byID[id], err)
	return err
}
