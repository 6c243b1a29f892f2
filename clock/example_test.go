package clock_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/fairlead/clock"
	"example.com/fairlead/clock/clocktest"
)

// session is an example of code that gets the time from a clock.
type session struct {
	clock   clock.Clock
	expires time.Time
}

func (s *session) renew()        { s.expires = s.clock.Now().Add(30 * time.Minute) }
func (s *session) expired() bool { return !s.clock.Now().Before(s.expires) }

// A program uses the system clock. A test uses a mock and moves it.
func Example() {
	production := &session{clock: clock.System()}
	production.renew()
	fmt.Println(production.expired())

	mock := clocktest.NewMock()
	tested := &session{clock: mock}
	tested.renew()
	mock.Add(29 * time.Minute)
	fmt.Println(tested.expired())
	mock.Add(time.Minute)
	fmt.Println(tested.expired())
	// Output:
	// false
	// false
	// true
}

func ExampleSystem() {
	timer := clock.System().NewTimer(0) // zero or less is due at once
	defer timer.Stop()
	<-timer.C()
	fmt.Println("tick")
	// Output: tick
}

func ExamplePlain() {
	timer := clock.Plain().NewTimer(time.Millisecond) // opens no file descriptor, and may be a millisecond late
	defer timer.Stop()
	<-timer.C()
	fmt.Println("tick")
	// Output: tick
}

// Code that takes a Clock works with real time and with a test's time.
func ExampleClock() {
	uptime := func(c clock.Clock, since time.Time) time.Duration { return c.Now().Sub(since) }

	mock := clocktest.NewMock()
	booted := mock.Now()
	mock.Add(90 * time.Minute)
	fmt.Println(uptime(mock, booted))
	// Output: 1h30m0s
}

// A tick is only a hint. Look at the clock, and reset the timer if the tick came too early.
func ExampleTimer() {
	waitUntil := func(c clock.Clock, instant time.Time) {
		timer := c.NewTimer(instant.Sub(c.Now()))
		defer timer.Stop()
		for c.Now().Before(instant) {
			<-timer.C()
			timer.Reset(instant.Sub(c.Now()))
		}
	}

	mock := clocktest.NewMock()
	done := make(chan struct{})
	noon := mock.Now().Add(12 * time.Hour)
	go func() {
		defer close(done)
		waitUntil(mock, noon)
		fmt.Println("it is noon")
	}()
	mock.Set(noon)
	<-done
	// Output: it is noon
}

// A context that ends after a time on a clock, which may be a mock.
func ExampleAfterFunc() {
	mock := clocktest.NewMock()
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := clock.AfterFunc(mock, time.Minute, func() { cancel(errors.New("too late")) })
	defer stop()
	mock.Add(time.Minute)
	<-ctx.Done()
	fmt.Println(context.Cause(ctx))
	// Output: too late
}
