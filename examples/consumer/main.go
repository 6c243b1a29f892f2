// Consumer prints the events of calls.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

func main() {
	s, err := scheduler.New(scheduler.Config{
		Retry: retry.Policy{MaxRetries: 1, Initial: 50 * time.Millisecond, Jitter: retry.None},
	})
	if err != nil {
		log.Fatal(err)
	}
	sub := s.Subscribe(events.Ends | events.Of(events.Retrying, events.ShutDown))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ev := range sub.C { // until the scheduler is closed
			fmt.Println(ev)
		}
	}()

	ctx := context.Background()
	_ = s.Do(ctx, func(context.Context) error { return nil }, scheduler.Name("fine"))
	_ = s.Do(ctx, func(context.Context) error {
		return retry.Transient(errors.New("connection reset"))
	}, scheduler.Name("hopeless"))
	s.Close()
	<-done
}
