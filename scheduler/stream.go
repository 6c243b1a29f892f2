package scheduler

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/scheduler/internal/core"
)

// Result is the outcome for one input of [Stream].
type Result[In, Out any] struct {
	Index    int // of the input, from 0
	Input    In
	Value    Out // what the last attempt returned
	Err      error
	Call     uint64       // the call's number, as in events and reports; 0 if it was refused
	Key      string       // the call's [Key]; "" if the call was refused
	Attempts int          // attempts made
	Times    events.Times // how the call spent its time
}

// Stream runs call for each input, as a call of its own, and yields the results as they come, or
// in the order of the inputs with [Ordered]. Each input that was read yields exactly one result. An error
// concerns one input, unless [StopOnError] is given. [Parallel] bounds how many functions run at once.
// Stream holds a bounded number of inputs ([LookAhead]), so that a file of any length runs in
// constant memory. As with [Scheduler.Do], an error that is not marked is not retried. The context of
// call ends when call returns, so work that call submits in turn needs another one, such as ctx or one
// of [context.WithoutCancel].
//
// Inputs are read on a separate goroutine, so results don't wait for the next input. When ctx is
// done, Stream reads no more inputs, and waiting calls end with the context's error. Stream waits
// for an input that is being read then, since it will have a result. A deadline of ctx counts for each
// input: one whose turn would come later has a [DeadlineError] at once, and Stream reads the next. So with
// a long input, give a deadline together with [WaitUntilDeadline] or StopOnError. When the loop over the
// results is left early, Stream cancels all calls and returns when their functions have. It does
// not wait for input that blocks. A panic of the input comes out of the loop. To finish the
// inputs that were read and read no more, end the input. If the inputs are the results of another
// Stream, cancel that one's context when you leave the loop early.
//
// With [Config.MaxInFlight], calls of the same scheduler made by the function can deadlock: see
// there.
//
// Stream panics if an argument is nil or an option is invalid, such as a LookAhead out of range
// or an OptionsFor with another In. If a function of OptionsFor panics, only that input's result
// is an error.
func Stream[In, Out any](ctx context.Context, s *Scheduler, inputs iter.Seq[In], call func(context.Context, In) (Out, error), opts ...StreamOption) iter.Seq[Result[In, Out]] {
	s.mustBeMade()
	switch {
	case ctx == nil:
		panic(errNilContext.Error())
	case inputs == nil:
		panic(errNilInputs.Error())
	case call == nil:
		panic(errNilFunc.Error())
	}
	st := &stream[In, Out]{s: s, inputs: inputs, call: call}
	st.configure(opts)
	return func(yield func(Result[In, Out]) bool) {
		ctx, cancel := context.WithCancelCause(guardContext(ctx))
		r := &streamRun[In, Out]{
			stream:   st,
			ctx:      ctx,
			cancel:   cancel,
			slots:    make(chan struct{}, st.lookAhead),
			finished: make(chan *Result[In, Out], st.lookAhead),
			read:     make(chan struct{}),
		}
		if st.limited && st.parallel < st.lookAhead {
			r.places = newPlaces(st.parallel)
		}
		defer r.stop()
		go r.feed()
		r.yieldAll(yield)
	}
}

// stream has what the runs of one Stream have in common.
type stream[In, Out any] struct {
	s      *Scheduler
	inputs iter.Seq[In]
	call   func(context.Context, In) (Out, error)
	streamOptions
	each func(In) []Option // the optionsFor
}

func (st *stream[In, Out]) configure(opts []StreamOption) {
	o := &st.streamOptions
	o.lookAhead = DefaultLookAhead
	for i, opt := range opts {
		if one, ok := opt.(Option); opt == nil || ok && one == nil {
			panic(fmt.Sprintf("scheduler: option %d is nil", i+1))
		}
		opt.addTo(o)
	}
	if o.lookAhead < 1 || o.lookAhead > MaxLookAhead {
		panic(fmt.Sprintf("scheduler: LookAhead(%d): it must be from 1 to %d", o.lookAhead, MaxLookAhead))
	}
	if o.limited && o.parallel < 1 {
		panic(fmt.Sprintf("scheduler: Parallel(%d): it must be at least 1", o.parallel))
	}
	if o.optionsFor != nil {
		each, ok := o.optionsFor.(func(In) []Option)
		if !ok {
			panic(fmt.Sprintf("scheduler: OptionsFor has a %T, but the inputs of this Stream want a %T", o.optionsFor, st.each))
		}
		st.each = each
	}
}

// streamRun is one loop over the results.
type streamRun[In, Out any] struct {
	*stream[In, Out]
	ctx      context.Context // of all calls
	cancel   context.CancelCauseFunc
	stopper                        // of StopOnError
	slots    chan struct{}         // one entry for each input in hand
	places   *places               // nil without Parallel
	finished chan *Result[In, Out] // has room for all results
	taken    int                   // how many results were received from finished

	mu      sync.Mutex // held while an input is submitted
	started int        // how many inputs were submitted
	stopped bool       // no more inputs may be submitted

	read       chan struct{} // closed when there is no more input; guards what follows
	inputPanic *PanicError   // the input panicked
}

// feed reads the input and submits it. It takes a slot before it reads.
func (r *streamRun[In, Out]) feed() {
	defer close(r.read)
	returned := false
	defer func() {
		if p := recover(); p != nil {
			r.inputPanic = &PanicError{In: "input", Value: p, Stack: debug.Stack()}
		} else if !returned {
			r.inputPanic = &PanicError{In: "input", Value: ErrGoexit}
		}
	}()
	slot := func() bool {
		select {
		case r.slots <- struct{}{}:
			return r.ctx.Err() == nil
		case <-r.ctx.Done():
			return false
		}
	}
	if slot() {
		for in := range r.inputs {
			if !r.start(in) || !slot() {
				break
			}
		}
	}
	returned = true
}

// start submits one input. It returns false if no more may be submitted.
func (r *streamRun[In, Out]) start(in In) bool {
	opts, err := r.callOptions(in) // outside of the lock, since it is user code
	placed := err == nil && r.places != nil && r.places.take(r.ctx, r.s)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return false
	}
	result := &Result[In, Out]{Index: r.started, Input: in}
	r.started++
	if err == nil {
		err = r.submit(result, opts)
	}
	if err != nil {
		result.Err = err
		r.end(result)
		if placed {
			r.giveBack()
		}
	}
	return true
}

// callOptions returns the options for one input, or the panic of the function of OptionsFor.
func (r *streamRun[In, Out]) callOptions(in In) (opts []Option, err error) {
	if r.each == nil {
		return r.opts, nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{In: "OptionsFor", Value: p, Stack: debug.Stack()}
		}
	}()
	return append(slices.Clip(r.opts), r.each(in)...), nil
}

// submit submits the call for one input. The call sets the result.
func (r *streamRun[In, Out]) submit(result *Result[In, Out], opts []Option) error {
	_, err := r.s.submit(r.ctx, func(ctx context.Context) error {
		var err error
		result.Value, err = r.call(ctx, result.Input)
		return err
	}, func(h *Handle) {
		result.Err, result.Call, result.Key, result.Attempts, result.Times = h.call.Err(), h.call.ID, h.call.Key(), h.call.AttemptsMade(), h.call.Times()
		r.end(result)
	}, r.places, opts)
	return err
}

// end hands over the result of a call that has ended. It does not wait, since the owner calls it.
func (r *streamRun[In, Out]) end(result *Result[In, Out]) {
	if result.Err != nil && r.stopOnError {
		r.failed(result.Index, result.Err, r.cancel, func() { r.finished <- result })
	} else {
		r.finished <- result
	}
}

// giveBack frees the place of a call that was not accepted.
func (r *streamRun[In, Out]) giveBack() {
	if c := r.places.end(nil); c != nil {
		r.s.post(message{op: opAsk, do: func(o *owner, now time.Duration) { o.comeBack(now, []*core.Call{c}) }})
	}
}

// yieldAll yields all results, until the loop is left.
func (r *streamRun[In, Out]) yieldAll(yield func(Result[In, Out]) bool) {
	read, total := r.read, -1 // the total is not known until all inputs are read
	deliver := func(result *Result[In, Out]) bool {
		<-r.slots
		result.Err = r.explained(r.ctx, result.Index, result.Err, result.Attempts)
		return yield(*result)
	}
	if r.ordered {
		deliver = inOrder(deliver)
	}
	for r.taken != total {
		select {
		case <-read:
			read, total = nil, r.started
		case result := <-r.finished:
			r.taken++
			if !deliver(result) {
				return
			}
		}
	}
	if r.inputPanic != nil {
		panic(r.inputPanic)
	}
}

// inOrder delays results until those before them have been delivered.
func inOrder[In, Out any](deliver func(*Result[In, Out]) bool) func(*Result[In, Out]) bool {
	next, early := 0, map[int]*Result[In, Out]{}
	return func(result *Result[In, Out]) bool {
		early[result.Index] = result
		for early[next] != nil {
			result := early[next]
			delete(early, next)
			next++
			if !deliver(result) {
				return false
			}
		}
		return true
	}
}

// stop cancels the remaining calls when the loop is left early, and waits for them.
func (r *streamRun[In, Out]) stop() {
	r.cancel(nil) // first, since Submit may wait for room with the lock held
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	for ; r.taken < r.started; r.taken++ {
		<-r.finished
	}
	r.canceled.Wait()
}
