package terminal_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/events/terminal"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// Where there is no terminal, there are plain lines. A program as short as this one has only the
// last of them, and its own messages.
func ExampleWatch() {
	mock := clocktest.NewMock()
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerMinute(60), Clock: mock})
	if err != nil {
		panic(err)
	}
	defer s.Close()

	view := terminal.Watch(s, terminal.Config{Title: "crawl", Total: 3, Out: os.Stdout})
	defer view.Stop()
	for _, page := range []string{"/", "/docs", "/nowhere"} {
		err := s.Do(context.Background(), func(context.Context) error {
			if page == "/nowhere" {
				return retry.Permanent(errors.New("404 Not Found"))
			}
			return nil
		})
		if err != nil {
			fmt.Fprintf(view, "%s: %v\n", page, err)
		}
	}
	mock.Add(500 * time.Millisecond)
	// Output:
	// /nowhere: 404 Not Found
	// crawl: 3 of 3 done (1 failed), 100%, in 0.5s; 57 of 60 tokens left, 0 queued, 0 running, 0 backing off; 3 calls ended, 0 retries
}
