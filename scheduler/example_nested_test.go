package scheduler_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/fairlead/scheduler"
)

// The only slot is held by the outer call, which waits for the inner one. The inner call gets an
// error instead of a deadlock.
func ExampleDeadlockError() {
	s, err := scheduler.New(scheduler.Config{MaxInFlight: 1})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	h, err := s.Submit(context.Background(), func(ctx context.Context) error {
		return s.Do(ctx, func(context.Context) error { return nil })
	})
	if err != nil {
		panic(err)
	}
	<-h.Done()
	var deadlock *scheduler.DeadlockError
	fmt.Println(errors.As(h.Err(), &deadlock), deadlock.Outer, deadlock.MaxInFlight)
	// Output: true 1 1
}
