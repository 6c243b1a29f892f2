package scheduler

import (
	"errors"
	"log/slog"
	"runtime/debug"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/core"
)

var errOnEndAlone = retry.Permanent(errors.New("scheduler: OnEnd is for Submit and Stream: Do returns the outcome itself, and the holder of a reservation ends it"))

// OnEnd calls f once when the call has ended, for [Scheduler.Submit] and [Stream]. It calls f if and only if
// the call was accepted, so that Submit returned the handle. By then the call's last event is published and
// [Handle.Done] is closed. f runs on a goroutine of the scheduler, may block and may call anything, except that
// [Scheduler.Shutdown] and [Scheduler.WaitIdle] wait for it. Close does not. The functions of several calls run
// in no order and at the same time. A panic in f is logged (see [Config.Logger]) and has no other effect. While
// the call waits, OnEnd costs no goroutine. Of several OnEnd the last counts. Nil stands for no function.
func OnEnd(f func(*Handle)) Option {
	if f == nil {
		return func(o *options) { o.onEnd = nil }
	}
	post := func(h *Handle) { h.s.workers.addEnd(h, f) } // one for all calls with this option
	return func(o *options) { o.onEnd = post }
}

// setOnEnd makes f called when the prepared call has ended.
func (c *call) setOnEnd(f func(*Handle)) error {
	h := c.handle()
	if h == nil || c.Kind == core.Reserved {
		return errOnEndAlone
	}
	if first := h.extras().notify; first != nil { // of Stream
		h.notify = func(h *Handle) { first(h); f(h) }
	} else {
		h.notify = f
	}
	return nil
}

// runEnd calls a function of OnEnd.
func (s *Scheduler) runEnd(h *Handle, f func(*Handle)) {
	returned := false
	defer func() {
		if p := recover(); p != nil {
			returned = true
			s.logEndPanic(h, &PanicError{In: "OnEnd", Value: p, Stack: debug.Stack()})
		}
		if returned { // else it called Goexit, and the worker exits
			s.workers.back()
		}
		if s.workers.ending.Add(-1) == 0 && s.successes.urgent.Load() {
			s.post(message{op: opTick})
		}
	}()
	f(h)
	returned = true
}

// logEndPanic logs a panic of a function of OnEnd.
func (s *Scheduler) logEndPanic(h *Handle, p *PanicError) {
	if s.logger != nil {
		guard(func() {
			s.logger.Error("OnEnd panicked", slog.Uint64("call", h.call.ID), slog.String("panic", p.Error()))
		})
	}
}
