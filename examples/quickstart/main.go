// Quickstart makes a few calls under a budget of two at once and ten a second.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

func main() {
	s, err := scheduler.New(scheduler.Config{
		Limit: bucket.PerSecond(10).Burst(2),
		Retry: retry.Policy{Initial: 50 * time.Millisecond},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()

	failures := 2
	for i := range 4 {
		answer, err := scheduler.Value(ctx, s, func(context.Context) (string, error) {
			if i == 2 && failures > 0 {
				failures--
				return "", retry.Transient(errors.New("connection lost"))
			}
			return fmt.Sprintf("answer %d", i), nil
		})
		fmt.Println(answer, err)
	}

	err = s.Do(ctx, func(context.Context) error { return errors.New("no such thing") })
	fmt.Println("not retried:", err)
	fmt.Println("attempts paid for:", s.Snapshot().Totals.Attempts)
}
