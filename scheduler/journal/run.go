package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/internal/safetext"
)

// run makes one attempt of a call. All calls have this function, as j.work, so a call that waits takes little memory.
func (j *Journal) run(ctx context.Context) error {
	err := j.attempt(ctx)
	if errors.Is(err, ErrClosed) && !errors.Is(err, scheduler.ErrNotStarted) && j.closes() {
		<-ctx.Done() // Close cancels it, and does not wait for it
		err = context.Cause(ctx)
	}
	return err
}

// closes reports whether Close has begun.
func (j *Journal) closes() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.isClosing
}

// attempt runs the handler of a call.
func (j *Journal) attempt(ctx context.Context) error {
	info, _ := scheduler.CallInfo(ctx)
	if err := j.mayRun(); err != nil {
		return err
	}
	defer j.runs.Done()
	before, payload, err := j.load(info.Call)
	if err != nil {
		return err
	}
	way := j.gate.pass(j.isSuspect(info.Call))
	defer way.end()
	r, err := j.begin(before, info, way)
	if err != nil {
		return err
	}
	succeeded := false
	defer func() { r.finish(succeeded) }()
	err = j.cfg.Handlers[before.handler](context.WithValue(ctx, runKey{}, r), payload)
	if succeeded = err == nil; !succeeded {
		r.failedWith(err)
	}
	if errors.Is(err, scheduler.ErrNotStarted) { // it has begun, so the call must not end as if it had not
		err = retry.Permanent(errors.New(safetext.Of(err)))
	}
	return err
}

// notStarted is the error of an attempt that can't begin.
func notStarted(why error) error { return fmt.Errorf("%w: %w", scheduler.ErrNotStarted, why) }

// mayRun counts a handler as running, unless the journal is closing.
func (j *Journal) mayRun() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.err(); err != nil {
		return notStarted(err)
	}
	j.runs.Add(1)
	return nil
}

func (j *Journal) isSuspect(number uint64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.suspects[number]
}

// load returns what the file has of a call that was granted. It waits until the call is in the file.
func (j *Journal) load(number uint64) (*record, []byte, error) {
	j.mu.Lock()
	a := j.accepting[number]
	var r *record
	if a == nil {
		var err error
		if r, err = j.file.record(number); errors.Is(err, errAbsent) { // neither Submit nor feed has its number yet
			a = newAccepting()
			j.accepting[number] = a
		} else if err != nil {
			j.mu.Unlock()
			return nil, nil, retry.Permanent(err)
		} else if earlier := j.running[number]; earlier != nil { // the end of that attempt may not be in the file yet
			r.state, r.lastErr, r.crashes, r.maybeRan = backingOff, earlier.failure(), 0, earlier.record.maybeRan
		}
	}
	j.mu.Unlock()
	if a != nil {
		if <-a.done; a.err != nil {
			return nil, nil, notStarted(a.err)
		}
		var err error
		if r, err = j.file.record(number); err != nil {
			return nil, nil, retry.Permanent(err)
		}
	}
	payload, err := j.file.payload(number)
	if err != nil {
		return nil, nil, retry.Permanent(err)
	}
	r.maybeRan = r.maybeRan || r.state == running
	return r, payload, nil
}

// begin commits that an attempt begins.
func (j *Journal) begin(before *record, info scheduler.Info, way *passage) (*run, error) {
	next := *before
	r := &run{journal: j, record: &next, way: way, info: Info{ID: next.id, Handler: next.handler, Key: next.key, Attempt: info.Attempt, Repeated: next.maybeRan}}
	next.state, next.attempts, next.due = running, info.Attempt, time.Time{}
	if next.first.IsZero() {
		next.first = info.Granted
	}
	if way.suspect {
		next.crashes++ // it counts if the end of this attempt is not committed
	}
	j.mu.Lock()
	if err := j.err(); err != nil {
		j.mu.Unlock()
		return nil, notStarted(err)
	}
	j.running[next.number] = r
	p := j.commits.begin(batch{changes: []change{{record: &next}}})
	j.mu.Unlock()
	if err := j.committed(p); err != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.running, next.number)
		return nil, notStarted(err)
	}
	return r, nil
}

// failedWith notes the error of the handler.
func (r *run) failedWith(err error) {
	text := safetext.Of(err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = text
}

func (r *run) failure() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}
