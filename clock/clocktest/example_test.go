package clocktest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	benclock "github.com/benbjohnson/clock"

	"example.com/fairlead/clock/clocktest"
)

// A test of something that runs every minute. In a test file this function would
// be TestEveryMinute.
func ExampleRun() {
	testEveryMinute := func(t *testing.T) {
		clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
			ctx, cancel := mock.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			runs := 0
			go func() {
				timer := mock.NewTimer(time.Minute)
				defer timer.Stop()
				for {
					select {
					case <-timer.C():
						runs++
						timer.Reset(time.Minute)
					case <-ctx.Done():
						return
					}
				}
			}()
			mock.Add(5 * time.Minute) // no race and no waiting: Add knows when all is settled
			if runs != 5 {
				t.Errorf("%d runs in five minutes", runs)
			}
		})
	}
	_ = testEveryMinute
}

func ExampleMock() {
	mock := clocktest.NewMock()
	fmt.Println(mock)

	timer := mock.NewTimer(90 * time.Second)
	mock.Add(time.Hour)
	fmt.Println("tick of", (<-timer.C()).Format(time.TimeOnly))
	fmt.Println(mock)
	// Output:
	// mock clock at 2000-01-01T00:00:00Z
	// tick of 00:01:30
	// mock clock at 2000-01-01T01:00:00Z
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
	mock := benclock.NewMock() // what the tests have already
	c := clocktest.From(mock)  // what the code takes

	timer := c.NewTimer(time.Minute)
	mock.Add(time.Minute)
	fmt.Println((<-timer.C()).UTC())
	// Output: 1970-01-01 00:01:00 +0000 UTC
}

// bell strikes every hour on the hour.
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

func ExampleAdvance() {
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
