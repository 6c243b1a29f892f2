package clock_test

import (
	"fmt"
	"time"

	"example.com/fairlead/clock"
	"example.com/fairlead/clock/clocktest"
)

// session is what code that takes its time from a clock looks like.
type session struct {
	clock   clock.Clock
	expires time.Time
}

func (s *session) renew()        { s.expires = s.clock.Now().Add(30 * time.Minute) }
func (s *session) expired() bool { return !s.clock.Now().Before(s.expires) }

// A program gives it the system's clock, and a test one that it moves itself.
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

// Code that takes a Clock runs on real time and on a test's.
func ExampleClock() {
	uptime := func(c clock.Clock, since time.Time) time.Duration { return c.Now().Sub(since) }

	mock := clocktest.NewMock()
	booted := mock.Now()
	mock.Add(90 * time.Minute)
	fmt.Println(uptime(mock, booted))
	// Output: 1h30m0s
}

// A tick is a hint: look at the clock, and arm the timer again if it came too early.
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
