package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// newReservation returns a scheduler with 10 tokens and a reservation of 7 of them.
func newReservation() (*scheduler.Scheduler, *scheduler.Reservation) {
	s, err := scheduler.New(scheduler.Config{
		Limit: bucket.Per(1, time.Hour).Burst(10),
		Retry: retry.Policy{MaxRetries: 1, Initial: time.Millisecond},
	})
	if err != nil {
		panic(err)
	}
	r, err := s.Reserve(context.Background(), scheduler.Cost(7))
	if err != nil {
		panic(err)
	}
	return s, r
}

// A reservation waits in the queue. Its holder does the work itself.
func ExampleScheduler_Reserve() {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(50)})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	r, err := s.Reserve(context.Background(), scheduler.Cost(7))
	if err != nil {
		panic(err)
	}
	defer r.Cancel() // does nothing after Done
	<-r.Ready()
	if err := r.Err(); err != nil {
		panic(err)
	}
	fmt.Println("working")
	r.Done(nil)
	fmt.Println(s.Snapshot().Totals.Succeeded)
	// Output:
	// working
	// 1
}

// Cancel refunds the tokens of a reservation.
func ExampleReservation() {
	s, r := newReservation()
	defer s.Close()
	<-r.Ready()
	fmt.Println(s.Snapshot().Available)
	r.Cancel()
	fmt.Println(s.Snapshot().Available)
	// Output:
	// 3
	// 10
}

// The cost is reserved as an estimate, and settled when it is known.
func ExampleReservation_Settle() {
	s, r := newReservation()
	defer s.Close()
	<-r.Ready()
	err := r.Settle("", 2)
	r.Done(nil)
	fmt.Println(s.Snapshot().Available, err)
	// Output: 8 <nil>
}

// A Retry-After that is passed to Done holds all calls.
func ExampleReservation_Done() {
	s, r := newReservation()
	defer s.Close()
	<-r.Ready()
	r.Done(retry.After(errors.New("too many requests"), time.Minute))
	now := s.Snapshot()
	fmt.Println(now.HeldUntil.After(now.At), now.Available)
	// Output: true 0
}

// Retry returns a reservation at the same place in the queue, until the policy allows no more.
func ExampleReservation_Retry() {
	s, err := scheduler.New(scheduler.Config{Retry: retry.Policy{MaxRetries: 1, Initial: time.Millisecond, Jitter: retry.None}})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	r, err := s.Reserve(context.Background())
	for err == nil {
		<-r.Ready()
		fmt.Println("working")
		r, err = r.Retry(retry.Transient(errors.New("connection reset")))
	}
	fmt.Println(err)
	// Output:
	// working
	// working
	// retry: retries exhausted: 2 attempts failed, 1ms waited in between, the last with: connection reset
}

// A client that resends a request by itself reports it, and the reservation pays again.
func ExampleReservation_Resent() {
	s, r := newReservation()
	defer s.Close()
	<-r.Ready()
	r.Resent()
	fmt.Println(s.Snapshot().Available)
	r.Done(nil)
	// Output:
	// -4
}
