// Progress prints how a call is doing while it waits and retries.
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
		Limit: bucket.PerSecond(1).Burst(1),
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
		fmt.Println(p) // the fields of p have more
	}))
	fmt.Println("done:", err)
}
