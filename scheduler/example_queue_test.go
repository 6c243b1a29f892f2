package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/scheduler"
)

// hourly is a budget of which an example sees no more than what is in it at the start.
var hourly = bucket.Per(1, time.Hour)

func noop(context.Context) error { return nil }

// say is a function that says that it runs.
func say(what string) func(context.Context) error {
	return func(context.Context) error {
		fmt.Println(what)
		return nil
	}
}

// wait hands in a call and returns what to wait for.
func wait(s *scheduler.Scheduler, fn func(context.Context) error, opts ...scheduler.Option) *scheduler.Handle {
	h, err := s.Submit(context.Background(), fn, opts...)
	if err != nil {
		panic(err)
	}
	return h
}

// A call with a priority is served as though it had come earlier.
func ExamplePriority() {
	s := newExample(scheduler.Config{MaxInFlight: 1})
	defer s.Close()
	_ = s.Pause()
	calls := []*scheduler.Handle{
		wait(s, say("first")),
		wait(s, say("second")),
		wait(s, say("urgent"), scheduler.Priority(1)),
		wait(s, say("no hurry"), scheduler.Priority(-1)),
		wait(s, say("third")),
	}
	_ = s.Resume()
	for _, h := range calls {
		<-h.Done()
	}
	// Output:
	// urgent
	// first
	// second
	// third
	// no hurry
}

func ExampleQueueFullError() {
	s := newExample(scheduler.Config{Limit: hourly, Level: &bucket.State{}, MaxQueued: 2, Overflow: scheduler.RefuseNew})
	defer s.Close()
	wait(s, noop)
	wait(s, noop)
	err := s.Do(context.Background(), noop)
	var full *scheduler.QueueFullError
	fmt.Println(errors.Is(err, scheduler.ErrQueueFull), errors.As(err, &full))
	fmt.Println(full.Queued, full.Max, full.Wait.Round(time.Hour))
	// Output:
	// true true
	// 2 2 3h0m0s
}

// With DropLowest, an urgent call takes the place of the one that ranks last.
func ExampleOverflow() {
	s := newExample(scheduler.Config{Limit: hourly, Level: &bucket.State{}, MaxQueued: 2, Overflow: scheduler.DropLowest})
	defer s.Close()
	wait(s, noop)
	last := wait(s, noop)
	urgent := wait(s, noop, scheduler.Priority(1))
	<-last.Done()
	fmt.Println(errors.Is(last.Err(), scheduler.ErrQueueFull), urgent.Estimate().Position)
	// Output: true 1
}

func ExampleNoWait() {
	s := newExample(scheduler.Config{Limit: hourly})
	defer s.Close()
	for range 2 {
		err := s.Do(context.Background(), say("done"), scheduler.NoWait())
		fmt.Println(errors.Is(err, scheduler.ErrWouldWait))
	}
	// Output:
	// done
	// false
	// true
}

func ExampleWouldWaitError() {
	s := newExample(scheduler.Config{})
	defer s.Close()
	_ = s.Pause()
	err := s.Do(context.Background(), noop, scheduler.NoWait())
	var would *scheduler.WouldWaitError
	fmt.Println(errors.As(err, &would), would.For)
	fmt.Println(err)
	// Output:
	// true hold
	// call would have to wait for the end of a hold or pause; its tokens will be there in about 0s
}

// Without it, a call whose turn would come too late ends at once.
func ExampleWaitUntilDeadline() {
	s := newExample(scheduler.Config{Limit: hourly, Level: &bucket.State{}})
	defer s.Close()
	ahead := wait(s, noop)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fmt.Println(errors.Is(s.Do(ctx, noop), context.DeadlineExceeded))

	h, err := s.Submit(ctx, noop, scheduler.Cost(0), scheduler.WaitUntilDeadline())
	if err != nil {
		panic(err)
	}
	ahead.Cancel() // the call ahead leaves, and so it is worth having waited
	<-h.Done()
	fmt.Println(h.Err())
	// Output:
	// true
	// <nil>
}

// An estimate says where a call is in the queue and how long it will be.
func ExampleEstimate() {
	mock := clocktest.NewMock()
	s := newExample(scheduler.Config{Clock: mock, Limit: bucket.PerSecond(10), Level: &bucket.State{}})
	defer s.Close()
	wait(s, noop, scheduler.Cost(5))
	h := wait(s, noop, scheduler.Cost(10))
	fmt.Println(h.Estimate())
	next, err := s.Estimate(scheduler.Cost(3)) // for a call that is not made
	fmt.Println(next, err)
	urgent, err := s.Estimate(scheduler.Cost(3), scheduler.Priority(1))
	fmt.Println(urgent, err)
	// Output:
	// number 2 in the queue, about 1.5s to wait
	// number 3 in the queue, about 1.8s to wait <nil>
	// number 1 in the queue, about 300ms to wait <nil>
}

// Times say what a call has spent its time on.
func ExampleHandle_Times() {
	mock := clocktest.NewMock()
	s := newExample(scheduler.Config{Clock: mock, Limit: bucket.PerSecond(1).Burst(1), Level: &bucket.State{}})
	defer s.Close()
	first, second := wait(s, noop), wait(s, noop)
	clocktest.Advance(s, mock, time.Second)
	<-first.Done()
	clocktest.Advance(s, mock, time.Second)
	<-second.Done()
	fmt.Println(first.Times())
	fmt.Println(second.Times())
	// Output:
	// 1s (tokens 1s)
	// 2s (queue 1s, tokens 1s)
}

func ExampleScheduler_Pause() {
	s := newExample(scheduler.Config{})
	defer s.Close()
	_ = s.Pause()
	h := wait(s, say("at last"))
	fmt.Println("waiting:", s.Snapshot().Queued)
	_ = s.Resume()
	<-h.Done()
	// Output:
	// waiting: 1
	// at last
}

func ExampleScheduler_HoldUntil() {
	mock := clocktest.NewMock()
	s := newExample(scheduler.Config{Clock: mock})
	defer s.Close()
	_ = s.HoldUntil(mock.Now().Add(time.Minute))
	h := wait(s, noop)
	fmt.Println(h.Estimate())
	clocktest.Advance(s, mock, time.Minute)
	<-h.Done()
	fmt.Println(h.Times())
	// Output:
	// number 1 in the queue, about 1m0s to wait
	// 1m0s (hold 1m0s)
}

// A new limit counts from now on, for what waits, too.
func ExampleScheduler_SetLimit() {
	mock := clocktest.NewMock()
	s := newExample(scheduler.Config{Clock: mock, Limit: bucket.PerMinute(1), Level: &bucket.State{}})
	defer s.Close()
	h := wait(s, noop)
	fmt.Println(h.Estimate())
	_ = s.SetLimit(bucket.PerSecond(1))
	fmt.Println(h.Estimate())
	fmt.Println(s.SetLimit(bucket.PerSecond(-1).Burst(5)))
	// Output:
	// number 1 in the queue, about 1m0s to wait
	// number 1 in the queue, about 1s to wait
	// bucket: limit's Refill is -1: it must be at least 1 token every Per (a Window needs a burst from 1 to n)
}

func ExampleScheduler_SetMaxInFlight() {
	s := newExample(scheduler.Config{MaxInFlight: 1})
	defer s.Close()
	release := make(chan struct{})
	for range 3 {
		wait(s, func(context.Context) error { <-release; return nil })
	}
	fmt.Println(s.Snapshot().Running, s.Snapshot().Queued)
	_ = s.SetMaxInFlight(2)
	fmt.Println(s.Snapshot().Running, s.Snapshot().Queued)
	close(release)
	// Output:
	// 1 2
	// 2 1
}

func ExampleScheduler_SetMaxQueued() {
	s := newExample(scheduler.Config{Limit: hourly, Level: &bucket.State{}, MaxQueued: 1, Overflow: scheduler.RefuseNew})
	defer s.Close()
	wait(s, noop)
	_, err := s.Submit(context.Background(), noop)
	fmt.Println(errors.Is(err, scheduler.ErrQueueFull))
	_ = s.SetMaxQueued(2)
	_, err = s.Submit(context.Background(), noop)
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// A reservation has its place in the queue, and its holder does the work when it likes.
func ExampleScheduler_Reserve() {
	s := newExample(scheduler.Config{Limit: hourly.Burst(10)})
	defer s.Close()
	r, err := s.Reserve(context.Background(), scheduler.Cost(7))
	if err != nil {
		panic(err)
	}
	defer r.Cancel() // does nothing after Done
	<-r.Ready()
	fmt.Println(r.Err(), s.Snapshot().Available)
	r.Done(nil)
	fmt.Println(s.Snapshot().Totals.Succeeded)
	// Output:
	// <nil> 3
	// 1
}

// One that is cancelled gives all back.
func ExampleReservation() {
	s := newExample(scheduler.Config{Limit: hourly.Burst(10)})
	defer s.Close()
	r, err := s.Reserve(context.Background(), scheduler.Cost(7))
	if err != nil {
		panic(err)
	}
	<-r.Ready()
	r.Cancel()
	fmt.Println(s.Snapshot().Available)
	// Output: 10
}

// What a shutdown has left can be handed in again, in the order of the report.
func ExampleUnfinished_resume() {
	work := map[string]func(context.Context) error{"a": say("a"), "b": say("b"), "c": say("c")}
	s := newExample(scheduler.Config{Limit: hourly, Level: &bucket.State{}})
	wait(s, work["a"], scheduler.Name("a"))
	wait(s, work["b"], scheduler.Name("b"))
	wait(s, work["c"], scheduler.Name("c"), scheduler.Priority(1))
	over, cancel := context.WithCancel(context.Background())
	cancel()
	left, _ := s.Shutdown(over)

	s = newExample(scheduler.Config{MaxInFlight: 1})
	defer s.Close()
	var calls []*scheduler.Handle
	for _, u := range left {
		calls = append(calls, wait(s, work[u.Name], scheduler.Name(u.Name), scheduler.Cost(u.Cost)))
	}
	for _, h := range calls {
		<-h.Done()
	}
	// Output:
	// c
	// a
	// b
}
