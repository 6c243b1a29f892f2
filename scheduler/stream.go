package scheduler

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"slices"
	"sync"

	"example.com/fairlead/events"
)

// DefaultLookAhead is how many inputs [Stream] has in hand at most unless told
// otherwise: read, but their results not yet taken.
const DefaultLookAhead = 1024

// MaxLookAhead is the largest value for [LookAhead], since the room for results is allocated as
// a whole.
const MaxLookAhead = 1 << 24

// Result is the outcome for one input of [Stream].
type Result[In, Out any] struct {
	Index    int // of the input, from 0
	Input    In
	Value    Out // what the last attempt returned
	Err      error
	Call     uint64       // its number, as in events and reports; 0 if it was refused
	Attempts int          // how many were made
	Times    events.Times // what the call has spent its time on
}

// streamOptions are the options that only Stream has.
type streamOptions struct {
	ordered   bool
	lookAhead *int
	each      any // func(In) []Option
}

func (o *options) forStream() *streamOptions {
	if o.stream == nil {
		o.stream = &streamOptions{}
	}
	return o.stream
}

// Ordered makes [Stream] yield results in the order of their inputs. A result then
// waits for those before it, and takes up look-ahead meanwhile.
func Ordered() Option {
	return func(o *options) { o.forStream().ordered = true }
}

// LookAhead bounds how many inputs [Stream] has in hand: read, but their results not
// yet taken. It must be from 1 to [MaxLookAhead].
func LookAhead(n int) Option {
	return func(o *options) { o.forStream().lookAhead = &n }
}

// OptionsFor gives every input of [Stream] options of its own, such as its cost, besides
// those of all. In must be the type of Stream's inputs.
func OptionsFor[In any](f func(In) []Option) Option {
	return func(o *options) { o.forStream().each = f }
}

// Stream runs call for every input, each as a call of its own, and yields the
// results as they come, or with [Ordered] in the order of the inputs. Every input
// that was read yields exactly one result, whatever happens to it. It holds no more
// than a bounded number of inputs at a time ([LookAhead]), so that a file of any
// length runs in constant memory.
//
// Inputs are read on a goroutine of their own, so that results don't wait for the
// next input. When ctx is done, no more are read, and what waits ends with the
// context's error; an input that is being read by then is waited for, since it will
// have a result. When the loop over the results is left early, what waits or runs
// is cancelled, and Stream returns when the functions have; input that blocks
// is not waited for. A panic of the input comes out of the loop. To finish what was
// read and read no more, end the input. Where the inputs are the results of another
// Stream, cancel that one's context when you leave the loop early.
//
// With [Config.MaxInFlight], calls that the function makes of the same scheduler can deadlock:
// see there.
//
// Stream panics if an argument is nil or an option wrong: LookAhead is out of its range, or
// OptionsFor has another In. A function of OptionsFor that panics spoils the result of that input
// alone.
func Stream[In, Out any](ctx context.Context, s *Scheduler, inputs iter.Seq[In], call func(context.Context, In) (Out, error), opts ...Option) iter.Seq[Result[In, Out]] {
	switch {
	case ctx == nil:
		panic(errNilContext.Error())
	case inputs == nil:
		panic(errNilInputs.Error())
	case call == nil:
		panic(errNilFunc.Error())
	}
	st := &stream[In, Out]{s: s, inputs: inputs, call: call, lookAhead: DefaultLookAhead}
	st.configure(opts)
	return func(yield func(Result[In, Out]) bool) {
		ctx, cancel := context.WithCancel(guardContext(ctx))
		r := &streamRun[In, Out]{
			stream:   st,
			slots:    make(chan struct{}, st.lookAhead),
			finished: make(chan *Result[In, Out], st.lookAhead),
			read:     make(chan struct{}),
		}
		defer r.stop(cancel)
		go r.feed(ctx)
		r.yieldAll(yield)
	}
}

// stream is what the runs of one Stream have in common.
type stream[In, Out any] struct {
	s         *Scheduler
	inputs    iter.Seq[In]
	call      func(context.Context, In) (Out, error)
	opts      []Option
	ordered   bool
	lookAhead int
	each      func(In) []Option
}

func (st *stream[In, Out]) configure(opts []Option) {
	var all options
	for i, opt := range opts {
		if opt == nil {
			panic(fmt.Sprintf("scheduler: option %d is nil", i+1))
		}
		opt(&all)
		var alone options
		if opt(&alone); alone.stream == nil {
			st.opts = append(st.opts, opt)
		}
	}
	o := all.stream
	if o == nil {
		return
	}
	st.ordered = o.ordered
	if o.lookAhead != nil {
		if st.lookAhead = *o.lookAhead; st.lookAhead < 1 || st.lookAhead > MaxLookAhead {
			panic(fmt.Sprintf("scheduler: LookAhead(%d): it must be from 1 to %d", st.lookAhead, MaxLookAhead))
		}
	}
	if o.each != nil {
		each, ok := o.each.(func(In) []Option)
		if !ok {
			panic(fmt.Sprintf("scheduler: OptionsFor has a %T, but the inputs of this Stream want a %T", o.each, st.each))
		}
		st.each = each
	}
}

// streamRun is one loop over the results.
type streamRun[In, Out any] struct {
	*stream[In, Out]
	slots    chan struct{}         // one entry for each input in hand
	finished chan *Result[In, Out] // has room for all of them
	taken    int                   // how many were received from finished

	mu      sync.Mutex // held while an input is submitted
	started int        // how many were
	stopped bool       // no more may be

	read       chan struct{} // closed when there is no more input; guards what follows
	inputPanic *PanicError   // the input panicked
}

// feed reads the input and submits it. It takes a slot before it reads.
func (r *streamRun[In, Out]) feed(ctx context.Context) {
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
			return ctx.Err() == nil
		case <-ctx.Done():
			return false
		}
	}
	if slot() {
		for in := range r.inputs {
			if !r.start(ctx, in) || !slot() {
				break
			}
		}
	}
	returned = true
}

// start submits one input, or reports that no more may be.
func (r *streamRun[In, Out]) start(ctx context.Context, in In) bool {
	opts, err := r.optionsFor(in) // the user's code: so not under the lock
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return false
	}
	result := &Result[In, Out]{Index: r.started, Input: in}
	r.started++
	if err == nil {
		err = r.submit(ctx, result, opts)
	}
	if err != nil {
		result.Err = err
		r.finished <- result
	}
	return true
}

// optionsFor are the options for one input, or the panic of the function of OptionsFor.
func (r *streamRun[In, Out]) optionsFor(in In) (opts []Option, err error) {
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

// submit hands in the call for one input, whose result it will fill in.
func (r *streamRun[In, Out]) submit(ctx context.Context, result *Result[In, Out], opts []Option) error {
	_, err := r.s.submit(ctx, func(ctx context.Context) error {
		var err error
		result.Value, err = r.call(ctx, result.Input)
		return err
	}, func(h *Handle) {
		result.Err, result.Call, result.Attempts, result.Times = h.call.err, h.call.id, h.call.attempt, h.call.times()
		r.finished <- result
	}, opts)
	return err
}

// yieldAll yields all results, until the loop is left.
func (r *streamRun[In, Out]) yieldAll(yield func(Result[In, Out]) bool) {
	read, total := r.read, -1 // the total is not known before all is read
	deliver := func(result *Result[In, Out]) bool {
		<-r.slots
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

// inOrder keeps results back until those before them have been delivered.
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

// stop cancels what is left when the loop is left early, and waits for it.
func (r *streamRun[In, Out]) stop(cancel context.CancelFunc) {
	cancel() // first of all: Submit may wait for room, and hold the lock
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	for ; r.taken < r.started; r.taken++ {
		<-r.finished
	}
}
