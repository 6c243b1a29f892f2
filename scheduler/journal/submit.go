package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"example.com/fairlead/scheduler"
)

// accepting is a call on its way into the file. The scheduler has accepted it or is about to. Submit and feed learn of that
// in either order.
type accepting struct {
	record  *record // nil until Submit has its number
	payload []byte
	forget  *record // a dead letter that this call replaces
	change  *scheduler.Change
	writing bool // a goroutine has taken it to commit it
	removes bool // it is no call, but a dead letter that is being forgotten

	heard *accepting    // the one that feed or the handler made before Submit had the number
	done  chan struct{} // closed when the call is in the file, or never will be
	err   error         // why it will not
}

func newAccepting() *accepting { return &accepting{done: make(chan struct{})} }

// Submit accepts a call and returns its ID. When it returns nil, the call is on disk and is going to be made: in this process,
// or in a later one that opens the file.
//
// If it returns an error, the call was not accepted, unless the error is [ErrInDoubt]. The ID is returned also then,
// since a Submit of the same call with that ID is safe. ctx ends the wait for the disk, and not the call. Submit fails
// with the errors of [scheduler.Scheduler.Submit], such as a [scheduler.QueueFullError], and with [ErrOtherCall], a
// [DeadError], [ErrClosed] and [ErrFailed].
func (j *Journal) Submit(ctx context.Context, c Call) (id string, err error) {
	if ctx == nil {
		return c.ID, errNilContext
	}
	if err := c.check(j.cfg.Handlers); err != nil {
		return c.ID, err
	}
	if c.ID == "" {
		c.ID = rand.Text()
	}
	if ctx.Err() != nil {
		return c.ID, context.Cause(ctx)
	}
	a, first, err := j.enter(&c)
	if err != nil || a == nil {
		return c.ID, err
	}
	if first {
		j.accept(a, &c)
	}
	return c.ID, a.await(ctx)
}

// await waits until the call is in the file, or ctx is done.
func (a *accepting) await(ctx context.Context) error {
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
		select {
		case <-a.done: // it is known
			return a.err
		default:
		}
		return fmt.Errorf("%w: %w", ErrInDoubt, context.Cause(ctx))
	}
}

// enter begins a Submit, or joins one with the same ID that is under way. It returns nil without an error for a call
// that was accepted before.
func (j *Journal) enter(c *Call) (a *accepting, first bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.err(); err != nil {
		return nil, false, err
	}
	if a := j.byID[c.ID]; a != nil && a.removes {
		return nil, false, &DeadError{a.record.letter()}
	} else if a != nil {
		return a, false, sameCall(a.record, c)
	}
	r, err := j.find(c.ID)
	switch {
	case err != nil:
		return nil, false, err
	case r == nil:
	case r.state == dead:
		return nil, false, &DeadError{r.letter()}
	default:
		return nil, false, sameCall(r, c)
	}
	a = newAccepting()
	a.payload = slices.Clone(c.Payload) // the caller may change its own when ctx has ended the wait
	a.record = &record{id: c.ID, handler: c.Handler, key: c.Key, payload: bodyOf(c.Payload)}
	j.byID[c.ID] = a
	return a, true, nil
}

// sameCall returns an error if a call is not the one that a record has.
func sameCall(r *record, c *Call) error {
	if r.handler == c.Handler && r.key == c.Key && r.payload == bodyOf(c.Payload) {
		return nil
	}
	return fmt.Errorf("%w: %q: a call has its own handler, payload and key: give another one another ID", ErrOtherCall, c.ID)
}

// accept lets the scheduler accept a call, and begins to write it.
func (j *Journal) accept(a *accepting, c *Call) {
	h, err := j.s.Submit(background, j.work, c.options()...)
	if err != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.settle(a, j.refusal(err))
		return
	}
	number := h.Call()
	if number == 0 { // it is refused
		err := h.Wait(background)
		j.mu.Lock()
		defer j.mu.Unlock()
		j.settle(a, j.refusal(err))
		return
	}
	if b := j.claim(number, a); b != nil {
		go func() { j.finish([]*accepting{a}, j.put(*b)) }() // so that the caller can stop waiting
	}
}

// refusal returns the error of a call that the scheduler has refused.
func (j *Journal) refusal(err error) error {
	if errors.Is(err, scheduler.ErrClosed) {
		return j.closedErr()
	}
	return err
}

// background is the context of calls, which no caller can end.
var background = context.Background()

// claim gives a call that the scheduler has accepted its number. If feed has heard of the call before, claim returns what
// is to be committed.
func (j *Journal) claim(number uint64, a *accepting) *batch {
	j.mu.Lock()
	defer j.mu.Unlock()
	if a.record.number = number; j.isFed {
		a.heard = j.accepting[number]
		j.settle(a, j.closedErr())
		return nil
	}
	a.heard = j.accepting[number]
	j.accepting[number] = a
	if a.heard == nil || a.heard.change == nil {
		return nil // feed is going to hear of it
	}
	a.change = a.heard.change
	if b := new(batch); j.write(b, a) {
		return b
	}
	return nil
}

// write adds a call that the scheduler has accepted to a batch, unless it has ended already.
func (j *Journal) write(b *batch, a *accepting) bool {
	if a.change.End != 0 {
		j.settle(a, a.change.Outcome)
		return false
	}
	a.writing = true
	a.record.accept(&a.change.Unfinished)
	if a.forget != nil {
		b.changes = append(b.changes, change{record: a.forget, forget: true})
	}
	b.changes = append(b.changes, change{record: a.record, payload: a.payload})
	return true
}

// finish settles calls whose commit has ended.
func (j *Journal) finish(list []*accepting, err error) {
	if c := new(commitError); errors.As(err, &c) && c.inDoubt {
		err = fmt.Errorf("%w: %w", ErrInDoubt, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, a := range list {
		if err == nil {
			if a.forget != nil {
				j.ids.remove(a.forget.id, a.forget.number)
				delete(j.dead, a.forget.number)
			}
			j.ids.add(a.record.id, a.record.number)
		}
		j.settle(a, err)
	}
}

// settle wakes the goroutines that wait for a call to be in the file.
func (j *Journal) settle(a *accepting, err error) {
	if a.record.number != 0 {
		delete(j.accepting, a.record.number)
	}
	delete(j.byID, a.record.id)
	a.err, a.payload = err, nil
	close(a.done)
	if a.heard != nil {
		a.heard.err = err
		close(a.heard.done)
	}
}
