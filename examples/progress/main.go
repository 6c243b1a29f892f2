// Progress shows a caller how its own call is doing while it waits and retries.
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
		Limit: bucket.PerSecond(4).Burst(1),
		Retry: retry.Policy{Initial: 100 * time.Millisecond, Jitter: retry.None},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	attempt := 0
	err = s.Do(context.Background(), func(context.Context) error {
		if attempt++; attempt < 3 {
			return retry.RateLimited(errors.New("too many requests"))
		}
		return nil
	}, scheduler.Name("report"), scheduler.OnProgress(func(p scheduler.Progress) {
		fmt.Println(p) // p.Attempt, p.Delay, p.Wait, p.Available and so on, if a line won't do
	}))
	fmt.Println("done:", err)
}
