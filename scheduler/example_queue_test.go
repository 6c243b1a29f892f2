package scheduler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/scheduler"
)

// newQueue returns a scheduler for examples of queued calls.
func newQueue(cfg scheduler.Config) *scheduler.Scheduler {
	s, err := scheduler.New(cfg)
	if err != nil {
		panic(err)
	}
	return s
}

// hourly is a limit that refills too slowly to matter in an example.
var hourly = bucket.Per(1, time.Hour)

func noop(context.Context) error { return nil }

// say returns a function that prints what.
func say(what string) func(context.Context) error {
	return func(context.Context) error {
		fmt.Println(what)
		return nil
	}
}

// wait submits a call and returns its handle.
func wait(s *scheduler.Scheduler, fn func(context.Context) error, opts ...scheduler.Option) *scheduler.Handle {
	h, err := s.Submit(context.Background(), fn, opts...)
	if err != nil {
		panic(err)
	}
	return h
}

// A call with a priority is served as if it had come earlier.
func ExamplePriority() {
	s := newQueue(scheduler.Config{MaxInFlight: 1})
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

// A queued call becomes urgent. It keeps its arrival, so it is ahead of later calls of its new priority.
func ExampleHandle_SetPriority() {
	s := newQueue(scheduler.Config{MaxInFlight: 1})
	defer s.Close()
	_ = s.Pause()
	calls := []*scheduler.Handle{
		wait(s, say("first")),
		wait(s, say("second")),
		wait(s, say("urgent"), scheduler.Priority(1)),
	}
	if err := calls[1].SetPriority(1); err != nil {
		panic(err)
	}
	_ = s.Resume()
	for _, h := range calls {
		<-h.Done()
	}
	// Output:
	// second
	// urgent
	// first
}

func ExampleQueueFullError() {
	s := newQueue(scheduler.Config{Limit: hourly, Level: &bucket.State{}, MaxQueued: 2, Overflow: scheduler.RefuseNew})
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
	s := newQueue(scheduler.Config{Limit: hourly, Level: &bucket.State{}, MaxQueued: 2, Overflow: scheduler.DropLowest})
	defer s.Close()
	wait(s, noop)
	last := wait(s, noop)
	urgent := wait(s, noop, scheduler.Priority(1))
	<-last.Done()
	fmt.Println(errors.Is(last.Err(), scheduler.ErrQueueFull), urgent.Estimate().Position)
	// Output: true 1
}

func ExampleNoWait() {
	s := newQueue(scheduler.Config{Limit: hourly})
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

// A call that can do without its turn waits for it, but not for long. Its function takes as long as it likes.
func ExampleMaxWait() {
	s := newQueue(scheduler.Config{Limit: bucket.PerSecond(50)})
	defer s.Close()
	_ = s.PauseUntil(s.Now().Add(10 * time.Millisecond))
	fmt.Println(s.Do(context.Background(), say("10 ms later"), scheduler.MaxWait(time.Minute)))
	_ = s.PauseUntil(s.Now().Add(time.Hour))
	err := s.Do(context.Background(), noop, scheduler.MaxWait(time.Minute))
	fmt.Println(errors.Is(err, scheduler.ErrWouldWait))
	// Output:
	// 10 ms later
	// <nil>
	// true
}

// A job that would have to wait for long goes back to its job queue, until the instant of its turn. Here a pause
// is the reason. With a rate-limited server, it is a hold.
func ExampleRetryAt() {
	s := newQueue(scheduler.Config{Limit: bucket.PerSecond(50)})
	defer s.Close()
	_ = s.PauseUntil(s.Now().Add(time.Hour))
	err := s.Do(context.Background(), noop, scheduler.MaxWait(time.Second))
	if at, known := scheduler.RetryAt(err); known {
		fmt.Println("again in", at.Sub(s.Now()).Round(time.Minute))
	}
	// Output: again in 1h0m0s
}

func ExampleWouldWaitError() {
	s := newQueue(scheduler.Config{Limit: bucket.PerSecond(50)})
	defer s.Close()
	_ = s.Pause()
	err := s.Do(context.Background(), noop, scheduler.NoWait())
	var would *scheduler.WouldWaitError
	fmt.Println(errors.As(err, &would), would.For)
	fmt.Println(err)
	// Output:
	// true hold
	// scheduler: the call would have to wait for the end of a hold or pause
}

// A call whose turn would come after its deadline ends at once, except with WaitUntilDeadline.
func ExampleWaitUntilDeadline() {
	s := newQueue(scheduler.Config{Limit: hourly, Level: &bucket.State{}})
	defer s.Close()
	ahead := wait(s, noop)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fmt.Println(errors.Is(s.Do(ctx, noop), context.DeadlineExceeded))

	h, err := s.Submit(ctx, noop, scheduler.Cost(0), scheduler.WaitUntilDeadline())
	if err != nil {
		panic(err)
	}
	ahead.Cancel() // the call ahead leaves, so waiting was worth it
	<-h.Done()
	fmt.Println(h.Err())
	// Output:
	// true
	// <nil>
}

// An estimate can be shown to a waiting user.
func ExampleEstimate() {
	noon := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	e := scheduler.Estimate{Position: 3, Wait: 90 * time.Second, At: noon.Add(90 * time.Second)}
	fmt.Println(e)
	fmt.Println("your turn is at", e.At.Format(time.TimeOnly))
	// Output:
	// number 3 in the queue, about 1m30s to wait
	// your turn is at 12:01:30
}

// A waiting call can be asked for its estimate at any time. Here another call goes ahead of it.
func ExampleHandle_Estimate() {
	s := newQueue(scheduler.Config{Clock: clocktest.NewMock(), Limit: bucket.PerSecond(10), Level: &bucket.State{}})
	defer s.Close()
	h := wait(s, noop, scheduler.Cost(10))
	fmt.Println(h.Estimate())
	wait(s, noop, scheduler.Cost(5), scheduler.Priority(1))
	fmt.Println(h.Estimate())
	// Output:
	// number 1 in the queue, about 1s to wait
	// number 2 in the queue, about 1.5s to wait
}

// Estimate returns how long a call would wait if it came now. It takes no tokens.
func ExampleScheduler_Estimate() {
	s := newQueue(scheduler.Config{Clock: clocktest.NewMock(), Limit: bucket.PerSecond(10), Level: &bucket.State{}})
	defer s.Close()
	wait(s, noop, scheduler.Cost(10))
	fmt.Println(s.Estimate(scheduler.Cost(3)))
	fmt.Println(s.Estimate(scheduler.Cost(3), scheduler.Priority(1)))
	// Output:
	// number 2 in the queue, about 1.3s to wait <nil>
	// number 1 in the queue, about 300ms to wait <nil>
}

// Times say how a call spent its time.
func ExampleHandle_Times() {
	mock := clocktest.NewMock()
	s := newQueue(scheduler.Config{Clock: mock, Limit: bucket.PerSecond(1).Burst(1), Level: &bucket.State{}})
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

// A report is sent at nine, behind the calls that wait then.
func ExampleNotBefore() {
	mock := clocktest.NewMock()
	s := newQueue(scheduler.Config{Clock: mock, Limit: bucket.PerSecond(1)})
	defer s.Close()
	nine := mock.Now().Add(9 * time.Hour)
	h := wait(s, say("report"), scheduler.Name("report"), scheduler.NotBefore(nine))
	snap := s.Snapshot()
	fmt.Println(snap.Later, "later, the next in", snap.NextLater.Sub(snap.At))
	clocktest.Advance(s, mock, 9*time.Hour)
	<-h.Done()
	fmt.Println(h.Times())
	// Output:
	// 1 later, the next in 9h0m0s
	// report
	// 9h0m0s (later 9h0m0s)
}

// With Delay, work can submit its own next run.
func ExampleDelay() {
	mock := clocktest.NewMock()
	s := newQueue(scheduler.Config{Clock: mock, Limit: bucket.PerSecond(1)})
	defer s.Close()
	runs := 0
	var poll func(context.Context) error
	poll = func(context.Context) error {
		if runs++; runs < 3 {
			wait(s, poll, scheduler.Delay(time.Minute))
		}
		return nil
	}
	wait(s, poll)
	clocktest.Advance(s, mock, time.Hour)
	_ = s.WaitIdle(context.Background())
	fmt.Println(runs, "runs")
	// Output: 3 runs
}

func ExampleScheduler_Pause() {
	s := newQueue(scheduler.Config{Limit: bucket.PerSecond(50)})
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

// A test on a mock clock moves it to the next instant at which the scheduler will do something.
func ExampleScheduler_Sync() {
	mock := clocktest.NewMock()
	s := newQueue(scheduler.Config{Clock: mock, Limit: bucket.PerMinute(1), Level: &bucket.State{}})
	defer s.Close()
	h := wait(s, noop)
	next, ok := s.Sync()
	fmt.Println(next.Sub(mock.Now()), ok)
	mock.Set(next)
	<-h.Done()
	fmt.Println(h.Times())
	// Output:
	// 1m0s true
	// 1m0s (tokens 1m0s)
}

// A tool that moves a mock clock waits until no function runs: see clocktest.Advance.
func ExampleScheduler_Running() {
	mock := clocktest.NewMock()
	s := newQueue(scheduler.Config{Clock: mock})
	defer s.Close()
	asleep := make(chan struct{})
	wait(s, func(context.Context) error { close(asleep); mock.Sleep(time.Hour); return nil })
	<-asleep
	functions, timers := s.Running()
	fmt.Println(functions, "function runs, and the scheduler waits for", timers, "timers")
	clocktest.Advance(s, mock, time.Hour)
	// Output: 1 function runs, and the scheduler waits for 0 timers
}

func ExampleScheduler_PauseUntil() {
	mock := clocktest.NewMock()
	s := newQueue(scheduler.Config{Clock: mock})
	defer s.Close()
	_ = s.PauseUntil(mock.Now().Add(time.Minute))
	h := wait(s, noop)
	fmt.Println(h.Estimate())
	clocktest.Advance(s, mock, time.Minute)
	<-h.Done()
	fmt.Println(h.Times())
	// Output:
	// number 1 in the queue, about 1m0s to wait
	// 1m0s (hold 1m0s)
}

// A new limit applies at once, also to queued calls.
func ExampleScheduler_SetLimit() {
	mock := clocktest.NewMock()
	s := newQueue(scheduler.Config{Clock: mock, Limit: bucket.PerMinute(1), Level: &bucket.State{}})
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
	s := newQueue(scheduler.Config{MaxInFlight: 1})
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
	s := newQueue(scheduler.Config{Limit: hourly, Level: &bucket.State{}, MaxQueued: 1, Overflow: scheduler.RefuseNew})
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

// The calls that Shutdown returns go on in the next process, here without the budget that made them wait.
func ExampleResumed() {
	work := map[string]func(context.Context) error{"a": say("a"), "b": say("b"), "c": say("c")}
	s := newQueue(scheduler.Config{Limit: hourly, Level: &bucket.State{}})
	wait(s, work["a"], scheduler.Name("a"))
	wait(s, work["b"], scheduler.Name("b"))
	wait(s, work["c"], scheduler.Name("c"), scheduler.Priority(1))
	over, cancel := context.WithCancel(context.Background())
	cancel()
	left, _ := s.Shutdown(over)
	file, _ := json.Marshal(left)

	s = newQueue(scheduler.Config{MaxInFlight: 1})
	defer s.Close()
	left = nil
	_ = json.Unmarshal(file, &left)
	var calls []*scheduler.Handle
	for _, u := range left {
		calls = append(calls, wait(s, work[u.Name], scheduler.Resumed(u)))
	}
	for _, h := range calls {
		<-h.Done()
	}
	fmt.Println("call", calls[0].Call(), "was first")
	// Output:
	// c
	// a
	// b
	// call 3 was first
}
