package scheduler_test

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// links is a small site: the pages that each page links to.
var links = map[string][]string{"/": {"/a", "/b"}, "/a": {"/b", "/c"}, "/b": {"/", "/d"}, "/d": {"/e"}}

// newSite returns a scheduler for the requests to one site.
func newSite() *scheduler.Scheduler {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(50), MaxInFlight: 4})
	if err != nil {
		panic(err)
	}
	return s
}

// A crawler is done when no page is queued or being read. Each page that it reads submits the pages that it
// links to, with the crawl's context and not its own, which ends with the page.
func ExampleScheduler_WaitIdle() {
	s := newSite()
	defer s.Close()
	ctx := context.Background()
	var seen sync.Map
	var visit func(page string)
	visit = func(page string) {
		if _, again := seen.LoadOrStore(page, true); again {
			return
		}
		_, _ = s.Submit(ctx, func(context.Context) error {
			for _, link := range links[page] { // a real crawler reads the page here
				visit(link)
			}
			return nil
		}, scheduler.Name(page))
	}
	visit("/")
	fmt.Println(s.WaitIdle(ctx))

	var pages []string
	seen.Range(func(page, _ any) bool { pages = append(pages, page.(string)); return true })
	slices.Sort(pages)
	fmt.Println(pages)
	// Output:
	// <nil>
	// [/ /a /b /c /d /e]
}

// A function for the end of a call saves a goroutine that waits for each.
func ExampleOnEnd() {
	s := newSite()
	defer s.Close()
	report := scheduler.OnEnd(func(h *scheduler.Handle) { fmt.Println("ended with", h.Err(), "after", h.Attempts(), "attempt") })
	_, err := s.Submit(context.Background(), func(context.Context) error { return nil }, report)
	fmt.Println(err, s.WaitIdle(context.Background()))
	// Output:
	// ended with <nil> after 1 attempt
	// <nil> <nil>
}

// Wait takes a context, for the wait alone.
func ExampleHandle_Wait() {
	s := newSite()
	defer s.Close()
	h, err := s.Submit(context.Background(), func(context.Context) error { return nil })
	if err != nil {
		panic(err)
	}
	fmt.Println(h.Wait(context.Background()))
	// Output: <nil>
}
