package clocktest_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	benclock "github.com/benbjohnson/clock"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// This test runs outside a bubble. In one hour a scheduler starts one call at once and one each
// minute.
func Example() {
	mock := clocktest.NewMock()
	s, err := scheduler.New(scheduler.Config{Clock: mock, Limit: bucket.PerMinute(1)})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	for range 61 {
		if _, err := s.Submit(context.Background(), func(context.Context) error { return nil }); err != nil {
			panic(err)
		}
	}
	clocktest.Advance(s, mock, time.Hour)
	fmt.Println(mock.Now().Format(time.TimeOnly), s.Snapshot().Ledger.Spent)
	// Output: 01:00:00 61
}

// This tests code that runs every minute. In a test file, the inner function would be
// TestEveryMinute.
func ExampleRun() {
	testEveryMinute := func(t *testing.T) {
		clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
			runs := 0
			go func() {
				for range 5 {
					mock.Sleep(time.Minute)
					runs++
				}
			}()
			mock.Add(5 * time.Minute) // no race and no sleep, because Add waits for the goroutine
			if runs != 5 {
				t.Errorf("%d runs in five minutes", runs)
			}
		})
	}
	_ = testEveryMinute
}

func ExampleNewMock() {
	fmt.Println(clocktest.NewMock())
	// Output: mock clock at 2000-01-01T00:00:00Z
}

// Time passes only when the test moves the mock.
func ExampleMock() {
	mock := clocktest.NewMock()
	began := mock.Now()
	mock.Add(90 * time.Minute)
	mock.Set(mock.Now().Truncate(time.Hour).Add(time.Hour))
	fmt.Println(mock.Now().Sub(began))
	// Output: 2h0m0s
}

// Each timer ticks at its own instant, however far the clock is moved.
func ExampleMock_Add() {
	mock := clocktest.NewMock()
	minute, hour := mock.NewTimer(time.Minute), mock.NewTimer(time.Hour)
	mock.Add(24 * time.Hour)
	fmt.Println((<-minute.C()).Format(time.TimeOnly), (<-hour.C()).Format(time.TimeOnly))
	// Output: 00:01:00 01:00:00
}

func ExampleMock_WithTimeout() {
	mock := clocktest.NewMock()
	ctx, cancel := mock.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	mock.Add(time.Minute)
	<-ctx.Done()
	fmt.Println(ctx.Err())
	// Output: context deadline exceeded
}

func ExampleMock_Rewind() {
	mock := clocktest.NewMock()
	mock.Rewind(time.Hour)
	fmt.Println(mock)
	// Output: mock clock at 1999-12-31T23:00:00Z
}

func ExampleFrom() {
	mock := benclock.NewMock() // the mock that the tests have already
	c := clocktest.From(mock)  // the clock for code that takes a clock.Clock

	timer := c.NewTimer(time.Minute)
	mock.Add(time.Minute)
	fmt.Println((<-timer.C()).UTC())
	// Output: 1970-01-01 00:01:00 +0000 UTC
}

// bell strikes every hour on the hour. It is a Syncer.
type bell struct {
	mock *clocktest.Mock
	next time.Time
}

func (b *bell) Sync() (time.Time, bool) {
	for !b.next.After(b.mock.Now()) {
		fmt.Println("ding at", b.mock.Now().Format(time.TimeOnly))
		b.next = b.next.Add(time.Hour)
	}
	return b.next, true
}

func ExampleSyncer() {
	mock := clocktest.NewMock()
	b := &bell{mock: mock, next: mock.Now().Add(time.Hour)}
	clocktest.Advance(b, mock, 3*time.Hour)
	fmt.Println(mock)
	// Output:
	// ding at 01:00:00
	// ding at 02:00:00
	// ding at 03:00:00
	// mock clock at 2000-01-01T03:00:00Z
}

// A call that fails twice ends after its two backoffs.
func ExampleAdvance() {
	mock := clocktest.NewMock()
	s, err := scheduler.New(scheduler.Config{Clock: mock, Retry: retry.Policy{Initial: time.Second, Jitter: retry.None}})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	attempts := 0
	h, err := s.Submit(context.Background(), func(context.Context) error {
		if attempts++; attempts < 3 {
			return retry.Transient(errors.New("busy"))
		}
		return nil
	})
	if err != nil {
		panic(err)
	}
	clocktest.Advance(s, mock, 4*time.Second)
	fmt.Println(h.Err(), h.Times())
	// Output: <nil> 3s (backoff 3s)
}

// The program works between its calls on a goroutine of its own, which Advance does not know of.
func ExampleAdvanceUntil() {
	mock := clocktest.NewMock()
	s, err := scheduler.New(scheduler.Config{Clock: mock, Limit: bucket.PerMinute(1)})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	var pages atomic.Int64
	go func() {
		for s.Do(context.Background(), func(context.Context) error { return nil }) == nil {
			pages.Add(1)
		}
	}()
	clocktest.AdvanceUntil(s, mock, func() bool { return pages.Load() >= 4 })
	fmt.Println(mock.Now().Sub(clocktest.NewMock().Now()) >= 3*time.Minute)
	// Output: true
}

// A scheduler is a Runner, and so is a struct that embeds one.
func ExampleRunner() {
	s, err := scheduler.New(scheduler.Config{Clock: clocktest.NewMock()})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	client := struct{ *scheduler.Scheduler }{s}
	var r clocktest.Runner = client
	fmt.Println(r.Running())
	// Output: 0 0
}
