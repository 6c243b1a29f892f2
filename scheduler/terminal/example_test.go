package terminal_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/terminal"
)

// Without a terminal, a View writes plain lines. A program as short as this one gets only the last
// of them, below its own messages.
func Example() {
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
	// crawl: 3 of 3 done (1 failed), 100%, in 0.5s; 57 of 60 tokens left, 0 queued, 0 running, 0 backing off; ended: 3, retries: 0
}

// The number of calls need not be known.
func ExampleWatch() {
	s, err := scheduler.New(scheduler.Config{Clock: clocktest.NewMock()})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	view := terminal.Watch(s, terminal.Config{Out: os.Stdout})
	_ = s.Do(context.Background(), func(context.Context) error { return nil })
	view.Stop()
	// Output: 1 done, in 0.0s; 999 of 1000 tokens left, 0 queued, 0 running, 0 backing off; ended: 1, retries: 0
}

// A program that continues an earlier run counts the calls of that run, too.
func ExampleConfig() {
	s, err := scheduler.New(scheduler.Config{Clock: clocktest.NewMock()})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	const earlier = 300
	view := terminal.Watch(s, terminal.Config{
		Title: "batch", Total: 320, Out: os.Stdout,
		Done: func() (done, failed int64) { return earlier + int64(s.Snapshot().Totals.Ended()), 0 },
	})
	_ = s.Do(context.Background(), func(context.Context) error { return nil })
	view.Stop()
	// Output: batch: 301 of 320 done, 94%, in 0.0s; 999 of 1000 tokens left, 0 queued, 0 running, 0 backing off; ended: 1, retries: 0
}

// With Keys, the keys with the most calls are shown.
func ExampleConfig_keys() {
	s, err := scheduler.New(scheduler.Config{Clock: clocktest.NewMock()})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	view := terminal.Watch(s, terminal.Config{Keys: 1, Out: os.Stdout})
	_ = s.Pause()
	for i := range 12 {
		tenant := "noisy"
		if i >= 10 {
			tenant = "acme"
		}
		if _, err := s.Submit(context.Background(), func(context.Context) error { return nil }, scheduler.Key(tenant)); err != nil {
			panic(err)
		}
	}
	view.Stop()
	// Output: 0 done, in 0.0s; 1000 of 1000 tokens left, 12 queued, 0 running, 0 backing off, keys: 2 (2 compete, 0 blocked), paused; ended: 0, retries: 0; noisy: 10 queued, 0 running; (others): 2 queued, 0 running
}

// Messages that are written to a View appear above its picture, here those of a log.
func ExampleView() {
	s, err := scheduler.New(scheduler.Config{Clock: clocktest.NewMock()})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	view := terminal.Watch(s, terminal.Config{Title: "crawl", Out: os.Stdout})
	log := slog.New(slog.NewTextHandler(view, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{} // the output below has no time
		}
		return a
	}}))
	log.Warn("no such page", "page", "/nowhere")
	view.Stop()
	// Output:
	// level=WARN msg="no such page" page=/nowhere
	// crawl: 0 done, in 0.0s; 1000 of 1000 tokens left, 0 queued, 0 running, 0 backing off; ended: 0, retries: 0
}

// A program without a View makes a server's answer visible before it prints it.
func ExampleVisible() {
	fmt.Println(terminal.Visible("503 \x1b]0;a new title\x07\x1b[2JService Unavailable"))
	// Output: 503 \x1b]0;a new title\x07\x1b[2JService Unavailable
}
