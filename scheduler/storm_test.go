package scheduler

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// delay yields, sleeps, or does nothing.
func delay(rnd *rand.Rand) {
	switch rnd.IntN(6) {
	case 0:
		for range rnd.IntN(10) {
			runtime.Gosched()
		}
	case 1:
		time.Sleep(time.Duration(rnd.IntN(80)) * time.Microsecond)
	}
}

// act makes calls of all kinds, one after the other.
func (st *stormRun) act(rnd *rand.Rand) {
	for range stormActions {
		if delay(rnd); st.closed.Load() {
			return
		}
		ctx, cancel := context.WithCancel(context.Background())
		switch rnd.IntN(6) {
		case 0:
			time.AfterFunc(time.Duration(rnd.IntN(2000))*time.Microsecond, cancel)
		case 1:
			ctx, cancel = context.WithTimeout(context.Background(), time.Duration(rnd.IntN(5000))*time.Microsecond)
		case 2:
			ctx = context.Background()
		}
		switch rnd.IntN(10) {
		case 0, 1, 2:
			st.do(ctx, rnd)
		case 3:
			st.hurry(ctx, rnd)
		case 4, 5:
			st.submit(ctx, rnd)
		case 6:
			st.stream(ctx, rnd)
		case 7, 8:
			st.reserve(ctx, rnd)
		case 9:
			st.reenter(rnd)
		}
		cancel()
	}
}

// options draws options and returns what they make of the call.
func (st *stormRun) options(rnd *rand.Rand) (opts []Option, is stormCall) {
	is.cost = 1
	if rnd.IntN(2) == 0 {
		return nil, is // a plain call
	}
	if rnd.IntN(2) == 0 {
		is.cost = rnd.Int64N(4)
		opts = append(opts, Cost(is.cost))
	}
	if is.key = st.key(rnd); is.key != "" {
		opts = append(opts, Key(is.key), Weight(1+rnd.IntN(3)))
	}
	if rnd.IntN(3) == 0 {
		priority := rnd.IntN(5) - 2
		opts = append(opts, Priority(priority), Name(strconv.Itoa(priority))) // so that the observer knows the priority
	}
	if rnd.IntN(8) == 0 {
		opts = append(opts, NoWait())
	}
	if rnd.IntN(8) == 0 {
		opts = append(opts, MaxWait(time.Duration(rnd.IntN(2000))*time.Microsecond))
	}
	if rnd.IntN(8) == 0 {
		opts = append(opts, WaitUntilDeadline())
	}
	if rnd.IntN(8) == 0 {
		opts = append(opts, Delay(time.Duration(rnd.IntN(2000))*time.Microsecond))
	}
	return opts, is
}

// progress draws a progress function that uses the scheduler.
func (st *stormRun) progress(rnd *rand.Rand) Option {
	rnd = fork(rnd)
	return OnProgress(func(p Progress) {
		delay(rnd)
		switch rnd.IntN(20) {
		case 0:
			panic("progress")
		case 1:
			st.reenter(rnd)
		}
	})
}

var errStorm = errors.New("storm")

// work draws the function of one call. Attempts of one call never run at the same time.
func (st *stormRun) work(rnd *rand.Rand, is stormCall) func(context.Context) error {
	rnd = fork(rnd)
	var busy atomic.Bool
	return func(ctx context.Context) error {
		if busy.Swap(true) {
			st.fault("two attempts of one call run at the same time")
		}
		defer busy.Store(false)
		defer st.runs(is)()
		delay(rnd)
		switch rnd.IntN(24) {
		case 0:
			panic("storm")
		case 1:
			runtime.Goexit()
		case 2:
			return errFinal
		case 3, 4:
			return retry.Transient(errStorm)
		case 5:
			return retry.After(errStorm, time.Duration(rnd.IntN(400))*time.Microsecond)
		case 6, 7:
			st.reenter(rnd)
		case 8:
			if ctx.Done() != nil && rnd.IntN(4) == 0 {
				select {
				case <-ctx.Done():
				case <-time.After(time.Millisecond):
				}
				return errFinal
			}
		}
		st.succeeded.Add(1)
		return nil
	}
}

// judge is the classifier of all calls.
func (st *stormRun) judge(err error) retry.Verdict {
	st.mu.Lock()
	n := st.rnd.IntN(20)
	st.mu.Unlock()
	switch n {
	case 0:
		runtime.Gosched()
	case 1:
		st.s.Snapshot()
	case 2:
		panic("classifier")
	}
	return retry.Classify(err)
}

// do calls Do or Value, on another goroutine since the function may exit.
func (st *stormRun) do(ctx context.Context, rnd *rand.Rand) {
	opts, is := st.options(rnd)
	if rnd.IntN(5) == 0 {
		opts = append(opts, st.progress(rnd))
	}
	value, fn := rnd.IntN(3) == 0, st.work(rnd, is)
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer func() { _ = recover() }()
		if !value {
			st.ended(st.s.Do(ctx, fn, opts...))
			return
		}
		v, err := Value(ctx, st.s, func(ctx context.Context) (int, error) { return 7, fn(ctx) }, opts...)
		if st.ended(err); err == nil && v != 7 {
			st.fault("Value returned %d", v)
		}
	}()
	<-over
}

// hurry makes many plain calls in a row, which opens the fast path.
func (st *stormRun) hurry(ctx context.Context, rnd *rand.Rand) {
	for range rnd.IntN(30) {
		err := st.s.Do(ctx, func(context.Context) error {
			defer st.runs(stormCall{cost: 1})()
			if delay(rnd); rnd.IntN(10) == 0 {
				return retry.Transient(errStorm)
			}
			st.succeeded.Add(1)
			return nil
		})
		st.ended(err)
	}
}

// submit submits some calls and cancels some of them.
func (st *stormRun) submit(ctx context.Context, rnd *rand.Rand) {
	var handles []*Handle
	ends, panics := make(chan *Handle, 8), rnd.IntN(10) == 0
	tell := OnEnd(func(h *Handle) {
		if !h.ended() {
			st.fault("OnEnd of a call that has not ended")
		}
		if ends <- h; panics {
			panic("OnEnd")
		}
	})
	for range 1 + rnd.IntN(4) {
		opts, is := st.options(rnd)
		opts = append(opts, tell)
		if rnd.IntN(5) == 0 {
			opts = append(opts, st.progress(rnd))
		}
		h, err := st.s.Submit(ctx, st.work(rnd, is), opts...)
		if err != nil {
			st.ended(err)
			continue
		}
		handles = append(handles, h)
		delay(rnd)
	}
	for _, h := range handles {
		if rnd.IntN(4) == 0 {
			go h.Cancel()
		}
		if rnd.IntN(4) == 0 {
			h.Estimate()
		}
		if h := <-ends; !slices.Contains(handles, h) {
			st.fault("OnEnd of a call that Submit did not return")
		}
		_ = h.Wait(context.Background())
		if h.Err() == nil && h.Attempts() < 1 {
			st.fault("a success in %d attempts", h.Attempts())
		}
		st.ended(h.Err())
	}
	if len(ends) > 0 {
		st.fault("OnEnd of one call was called twice")
	}
}

// stream makes a stream, and may leave its loop early.
func (st *stormRun) stream(ctx context.Context, rnd *rand.Rand) {
	inputs := []int{0, 1, 2, 3, 4, 5}[:rnd.IntN(7)]
	leaves := rnd.IntN(12)
	opts := []StreamOption{LookAhead(1 + rnd.IntN(4)), Ordered()}[:1+rnd.IntN(2)]
	if rnd.IntN(2) == 0 {
		opts[0] = Parallel(1 + rnd.IntN(4))
	}
	var results []int
	var works []func(context.Context) error
	var keys [][]Option
	for range inputs {
		key := st.key(rnd)
		works, keys = append(works, st.work(rnd, stormCall{1, key})), append(keys, []Option{Key(key)})
	}
	opts = append(opts, OptionsFor(func(i int) []Option { return keys[i] }))
	fn := func(ctx context.Context, i int) (int, error) { return i, works[i](ctx) }
	for r := range Stream(ctx, st.s, slices.Values(inputs), fn, opts...) {
		results = append(results, r.Input)
		st.ended(r.Err)
		if delay(rnd); len(results) > leaves {
			st.unseen.Add(int64(len(inputs)))
			return
		}
	}
	slices.Sort(results)
	if ctx.Err() == nil && st.cut == 0 && !slices.Equal(results, inputs) {
		st.fault("a stream of %v yielded %v", inputs, results)
	}
}

// reserve makes a reservation and ends it once or twice.
func (st *stormRun) reserve(ctx context.Context, rnd *rand.Rand) {
	opts, is := st.options(rnd)
	r, err := st.s.Reserve(ctx, opts...)
	if err != nil {
		st.ended(err)
		return
	}
	if rnd.IntN(8) == 0 {
		st.unsure.Add(1)
		go r.Cancel()
		go r.Done(nil)
		delay(rnd)
		return
	}
	<-r.Ready()
	if r.Err() != nil {
		st.ended(r.Err())
		return
	}
	if rnd.IntN(4) == 0 {
		r.Cancel() // the grant is given back
		return
	}
	over := st.runs(is)
	delay(rnd)
	outcome := []error{nil, nil, errFinal, retry.Transient(errStorm)}[rnd.IntN(4)]
	over()
	if outcome == nil {
		st.succeeded.Add(1)
		st.told.Add(1)
	}
	r.Done(outcome)
	r.Cancel()
}

// reenter uses the scheduler from any place, and waits for no call that might wait for it.
func (st *stormRun) reenter(rnd *rand.Rand) {
	switch rnd.IntN(5) {
	case 0:
		st.snapshot()
	case 1:
		is := stormCall{1, st.key(rnd)}
		st.ended(st.s.Do(context.Background(), func(context.Context) error {
			defer st.runs(is)()
			st.succeeded.Add(1)
			return nil
		}, NoWait(), Key(is.key)))
	case 2:
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel() // it may wait for room, and so for its caller
		if h, err := st.s.Submit(ctx, func(context.Context) error { defer st.runs(stormCall{cost: 1})(); return errFinal }); err == nil {
			h.Cancel()
		}
	case 3:
		sub := st.s.Subscribe(events.Of(events.Retrying))
		delay(rnd)
		sub.Close()
	case 4:
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Microsecond)
		defer cancel()
		_ = st.s.WaitIdle(ctx)
	}
}

// meddle reconfigures the scheduler until the run is over.
func (st *stormRun) meddle(rnd *rand.Rand, over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		default:
			time.Sleep(time.Duration(rnd.IntN(2000)) * time.Microsecond)
		}
		err := st.meddleWithKeys(rnd)
		switch rnd.IntN(8) {
		case 0:
			err = errors.Join(err, st.s.Pause())
			delay(rnd)
			err = errors.Join(err, st.s.Resume())
		case 1:
			err = errors.Join(err, st.s.PauseUntil(time.Now().Add(time.Duration(rnd.IntN(1000))*time.Microsecond)))
		case 2:
			fewer := st.slots
			if st.lease {
				fewer /= 4 // a long queue would leave no lease
			}
			err = errors.Join(err, st.s.SetMaxInFlight(st.slots-rnd.IntN(fewer)))
		case 3:
			err = errors.Join(err, st.s.SetMaxQueued(rnd.IntN(12)))
		case 4:
			err = errors.Join(err, st.s.SetLimit(st.limit(rnd)))
		case 5:
			st.snapshot()
		case 6:
			st.s.Sync()
		case 7:
			_, failed := st.s.Estimate(Cost(2))
			err = errors.Join(err, failed)
		}
		if err != nil && !(st.cut > 0 && errors.Is(err, ErrClosed)) {
			st.fault("a change failed: %v", err)
		}
	}
}

// limit draws a limit that is not above the first. With a subscriber to all calls it is the first.
func (st *stormRun) limit(rnd *rand.Rand) bucket.Limit {
	if !st.lease {
		return bucket.Per(1, st.every).Burst(st.tokens)
	}
	return bucket.Per(1, st.every*time.Duration(1+rnd.IntN(2))).Burst(st.tokens - rnd.Int64N(st.tokens/2))
}

// comeAndGo subscribes again and again, and reads a little.
func (st *stormRun) comeAndGo(rnd *rand.Rand, over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		default:
		}
		kinds := events.Of(events.Retrying, events.Held, events.Failed)
		if !st.lease {
			kinds = events.All
		}
		sub := st.s.Subscribe(kinds)
		last := uint64(0)
		for range rnd.IntN(100) {
			select {
			case ev := <-sub.C:
				if ev.Kind != 0 && ev.Seq <= last {
					st.fault("event %d came after %d", ev.Seq, last)
				}
				last = ev.Seq
			case <-time.After(time.Millisecond):
			}
		}
		time.Sleep(time.Duration(rnd.IntN(5)) * time.Millisecond)
		sub.Close()
	}
}

// stall reads events so slowly that most are lost, and adds up how many were missed.
func (st *stormRun) stall(rnd *rand.Rand, sub *events.Subscription) {
	var last, total uint64
	for ev := range sub.C {
		if ev.Seq <= last {
			st.fault("event %d came after %d", ev.Seq, last)
		}
		last = ev.Seq
		if total += 1 + ev.Missed; total > last {
			st.fault("%d events seen or missed, up to number %d", total, last)
		}
		if rnd.IntN(20) == 0 {
			time.Sleep(time.Duration(rnd.IntN(5)) * time.Millisecond)
		}
	}
	if total != last {
		st.fault("%d events seen or missed, of %d", total, last)
	}
}
