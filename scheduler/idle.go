package scheduler

import (
	"context"
	"errors"
	"slices"
	"time"

	"example.com/fairlead/retry"
)

var errIdleInside = retry.Permanent(errors.New("scheduler: WaitIdle inside a call would wait for that call: use it outside of the scheduler's calls"))

// WaitIdle waits until no accepted call is later (see [NotBefore]), queued, backs off, runs or is reserved, and
// no function of [OnEnd] runs. Work that submits more work, such as a crawler, is over then. If ctx is done before, it returns the
// error of ctx. If the scheduler is closed before, it returns [ErrClosed].
//
// Inside a call, with that call's context, WaitIdle returns an error at once. Don't use it in a function of
// [Scheduler.Do] without [Cost] or [CostOf], or of OnEnd, since it would wait for that function. While a goroutine is in
// WaitIdle there is no fast path, so Do is slower.
func (s *Scheduler) WaitIdle(ctx context.Context) error {
	switch {
	case ctx == nil:
		return errNilContext
	case ctx.Err() != nil:
		return causeOf(ctx)
	case s.insideCall(ctx):
		return errIdleInside
	}
	idle := make(chan struct{})
	if s.post(message{op: opAsk, do: func(o *owner, _ time.Duration) { o.idles = append(o.idles, idle) }}) {
		select {
		case <-idle:
			return nil
		case <-ctx.Done():
			s.post(message{op: opAsk, do: func(o *owner, _ time.Duration) {
				o.idles = slices.DeleteFunc(o.idles, func(c chan struct{}) bool { return c == idle })
			}})
			return causeOf(ctx)
		case <-s.done:
		}
	}
	<-s.done
	if len(s.unfinished) > 0 || s.workers.ending.Load() > 0 {
		return ErrClosed
	}
	return nil
}

// insideCall reports whether ctx is that of a call of this scheduler that runs.
func (s *Scheduler) insideCall(ctx context.Context) bool {
	a, _ := ctx.Value(insideKey{s}).(*attempt)
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.done
}

// ended reports whether every accepted call has ended, and every function of OnEnd has returned.
func (o *owner) ended() bool {
	return o.s.workers.ending.Load() == 0 && o.core.Drained()
}

// idle reports whether, moreover, no call is about to be accepted. A function of OnEnd or of Do may have
// submitted one just before it returned. Its message is in the inbox then.
func (o *owner) idle() bool { return o.ended() && len(o.s.inbox) == 0 }

// notifyIdle tells the goroutines that wait for the end of all calls.
func (o *owner) notifyIdle() {
	if o.drains != nil && o.ended() {
		closeAll(&o.drains)
	}
	if len(o.idles) > 0 && o.idle() {
		closeAll(&o.idles)
	}
}

// closeAll closes the channels and forgets them.
func closeAll(channels *[]chan struct{}) {
	for _, c := range *channels {
		close(c)
	}
	*channels = nil
}
