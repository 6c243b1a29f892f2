package main

import (
	"container/heap"
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Floors of calls that wait, or that are handed to another goroutine.
const (
	// bare is the least that a goroutine could do for another.
	bare = "request and reply over channels"

	// floorOwner does for each call what the owner's path can't do without: the two hand-overs, two
	// readings of the clock, the gate of Close, and a list of calls that have ended.
	floorOwner = "floor: the same with a clock, a gate and a list"

	// floorDo is a goroutine for each caller, and one that answers them in order and on time.
	floorDo = "floor: a goroutine each, and one that answers on time"

	// floorSleep is one caller that computes when its token is there, and blocks a thread until then.
	floorSleep = "floor: a thread that sleeps in the kernel"

	// floorSubmit is the least that could run functions at a rate, with a handle for each.
	floorSubmit = "floor: functions in a slice, run on time"

	// floorJob is the least that a function with a handle takes while it waits for its next attempt.
	floorJob = "floor: functions in a heap, run on time"
)

// request asks for an answer.
type request struct {
	reply   chan struct{}
	after   *request // its neighbor in a list
	granted time.Duration
}

func newRequests() *sync.Pool {
	return &sync.Pool{New: func() any { return &request{reply: make(chan struct{}, 1)} }}
}

func openBare() func() bool {
	inbox, pool := make(chan *request, 128), newRequests()
	go func() {
		for r := range inbox {
			r.reply <- struct{}{}
		}
	}()
	return func() bool {
		r := pool.Get().(*request)
		inbox <- r
		<-r.reply
		pool.Put(r)
		return true
	}
}

// bareOwner is an owner that grants each request at once.
type bareOwner struct {
	inbox chan *request
	gate  sync.RWMutex // keeps a caller from sending after a Close
	ended atomic.Pointer[request]
	count atomic.Uint32
	pool  *sync.Pool
	last  time.Duration // when it last handed over
}

func openFloorOwner() func() bool {
	o := &bareOwner{inbox: make(chan *request, 128), pool: newRequests()}
	go o.run()
	return o.call
}

func (o *bareOwner) run() {
	begin := time.Now()
	for r := range o.inbox {
		now := time.Since(begin)
		for e := o.ended.Swap(nil); e != nil; {
			next := e.after
			e.after = nil
			o.pool.Put(e)
			e = next
		}
		r.granted = now
		r.reply <- struct{}{}
		o.last = time.Since(begin)
		if len(o.inbox) == 0 {
			runtime.Gosched() // cheaper than to fall asleep
		}
	}
}

func (o *bareOwner) call() bool {
	r := o.pool.Get().(*request)
	o.gate.RLock()
	o.inbox <- r
	o.gate.RUnlock()
	<-r.reply
	unwinds := true
	defer func() {
		if unwinds {
			o.inbox <- r
		}
	}()
	err := nothing(context.Background())
	unwinds = false
	for {
		latest := o.ended.Load()
		r.after = latest
		if o.ended.CompareAndSwap(latest, r) {
			break
		}
	}
	o.count.Add(1)
	return err == nil
}

// openFloorDo returns a wait in which one goroutine has the queue and the clock, and answers each
// caller over a channel. The limit's burst is 1.
func openFloorDo(l limit) taker {
	inbox, pool := make(chan *request, 128), newRequests()
	go answerOnTime(l, inbox)
	return taker{wait: func(ctx context.Context) error {
		r := pool.Get().(*request)
		inbox <- r
		if done := ctx.Done(); done == nil {
			<-r.reply
		} else {
			select {
			case <-r.reply:
			case <-done:
				return ctx.Err()
			}
		}
		pool.Put(r)
		return nil
	}}
}

func answerOnTime(l limit, inbox chan *request) {
	begin, timer := time.Now(), time.NewTimer(time.Hour)
	var queue []*request
	var free, armed time.Duration // when the next token is there, and when the timer goes off
	for {
		select {
		case r := <-inbox:
			queue = append(queue, r)
			for range len(inbox) {
				queue = append(queue, <-inbox)
			}
		case <-timer.C:
		}
		now := time.Since(begin)
		for len(queue) > 0 && free <= now {
			queue[0].reply <- struct{}{}
			queue = queue[1:]
			free += l.interval()
		}
		if len(queue) == 0 {
			free = max(free, now)
		} else if armed != free {
			armed = free
			timer.Reset(free - now)
		}
	}
}

// openFloorSleep returns a wait for one caller, who blocks a thread until the next token is there.
func openFloorSleep(l limit) taker {
	begin, free := time.Now(), time.Duration(0)
	return taker{wait: func(context.Context) error {
		free = max(free, time.Since(begin)-time.Duration(l.burst-1)*l.interval())
		for now := time.Since(begin); now < free; now = time.Since(begin) {
			kernelSleep(free - now)
		}
		free += l.interval()
		return nil
	}}
}

// handle is what a submitted function leaves to its submitter.
type handle struct {
	fn   func()
	done atomic.Bool
}

// onTime runs functions at a limit's rate: one goroutine looks once a millisecond which are due, and
// another runs them.
type onTime struct {
	mu    sync.Mutex
	queue []*handle
}

func openFloorSubmit(l limit) *onTime {
	q := new(onTime)
	due := make(chan []*handle, 16)
	go q.watch(l, due)
	go func() {
		for batch := range due {
			for _, h := range batch {
				h.fn()
				h.done.Store(true)
			}
		}
	}()
	return q
}

func (q *onTime) submit(fn func()) *handle {
	h := &handle{fn: fn}
	q.mu.Lock()
	q.queue = append(q.queue, h)
	q.mu.Unlock()
	return h
}

func (q *onTime) watch(l limit, due chan<- []*handle) {
	begin := time.Now()
	for done := 0; ; time.Sleep(time.Millisecond) {
		tokens := l.burst + int(l.perSecond()*time.Since(begin).Seconds()) - done
		q.mu.Lock()
		n := min(tokens, len(q.queue))
		batch := q.queue[:n]
		q.queue = q.queue[n:]
		q.mu.Unlock()
		if done += n; n > 0 {
			due <- batch
		}
	}
}

// backingOff is a function that has failed, with what its submitter may ask of it.
type backingOff struct {
	ctx      context.Context
	fn       func(context.Context) error
	err      error
	attempts int
	done     atomic.Bool
}

// backoffs has the functions that wait for their next attempt, the first one due first.
type backoffs []backoffEntry

type backoffEntry struct {
	due  time.Duration
	call *backingOff
}

func (b backoffs) Len() int           { return len(b) }
func (b backoffs) Less(i, j int) bool { return b[i].due < b[j].due }
func (b backoffs) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }
func (b *backoffs) Push(e any)        { *b = append(*b, e.(backoffEntry)) }
func (b *backoffs) Pop() any {
	last := (*b)[len(*b)-1]
	*b = (*b)[:len(*b)-1]
	return last
}

// runBackoffs runs functions until all have succeeded. Each failure doubles a function's wait.
func runBackoffs(list []*backingOff, initial time.Duration) {
	var waiting backoffs
	begin := time.Now()
	attempt := func(c *backingOff) {
		c.attempts++
		if c.err = c.fn(c.ctx); c.err == nil {
			c.done.Store(true)
			return
		}
		heap.Push(&waiting, backoffEntry{time.Since(begin) + initial<<(c.attempts-1), c})
	}
	for i, c := range list {
		attempt(c)
		list[i] = nil
	}
	for len(waiting) > 0 {
		now := time.Since(begin)
		if waiting[0].due > now {
			time.Sleep(waiting[0].due - now)
			continue
		}
		attempt(heap.Pop(&waiting).(backoffEntry).call)
	}
}
