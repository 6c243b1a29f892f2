package scheduler_test

import (
	"fmt"
	"time"

	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/scheduler"
)

// Code around a scheduler uses the scheduler's clock, which may be a mock in a test.
func ExampleScheduler_Clock() {
	mock := clocktest.NewMock()
	s, err := scheduler.New(scheduler.Config{Clock: mock})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	timer := s.Clock().NewTimer(time.Minute)
	started := s.Now()
	mock.Add(time.Minute)
	<-timer.C()
	fmt.Println(s.Now().Sub(started))
	// Output:
	// 1m0s
}
