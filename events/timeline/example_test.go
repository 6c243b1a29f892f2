package timeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"os"
	"strings"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/events/timeline"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// A timeline takes the events of a subscription and is written when the scheduler is closed.
func Example() {
	s, err := scheduler.New(scheduler.Config{Retry: retry.Policy{MaxRetries: 1, Initial: time.Millisecond}})
	if err != nil {
		panic(err)
	}
	var t timeline.Timeline
	sub, done := s.Subscribe(events.All), make(chan struct{})
	go func() {
		defer close(done)
		for ev := range sub.C {
			t.Add(ev)
		}
	}()

	ctx := context.Background()
	_ = s.Do(ctx, func(context.Context) error { return nil }, scheduler.Name("fine"))
	_ = s.Do(ctx, func(context.Context) error { return retry.Transient(errors.New("connection reset")) }, scheduler.Name("hopeless"))
	s.Close()
	<-done

	var page bytes.Buffer // or a file
	if err := t.WriteHTML(&page); err != nil {
		panic(err)
	}
	fmt.Println(strings.Count(page.String(), `class="call`), "calls,", strings.Count(page.String(), `class="span run bad"`), "failed attempts")
	// Output: 2 calls, 2 failed attempts
}

// twoCalls returns a timeline of a call that runs for a second and another that waits for it.
func twoCalls() *timeline.Timeline {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var t timeline.Timeline
	for _, ev := range []events.Event{
		{At: noon, Kind: events.Queued, Call: 1, Attempt: 1},
		{At: noon, Kind: events.Granted, Call: 1, Attempt: 1},
		{At: noon, Kind: events.Queued, Call: 2, Attempt: 1},
		{At: noon.Add(time.Second), Kind: events.Succeeded, Call: 1, Attempt: 1, Times: events.Times{Run: time.Second}},
		{At: noon.Add(time.Second), Kind: events.Granted, Call: 2, Attempt: 1},
		{At: noon.Add(time.Second), Kind: events.Failed, Call: 2, Attempt: 1, Times: events.Times{Slot: time.Second}, Err: errors.New("404 Not Found")},
	} {
		t.Add(ev)
	}
	return &t
}

// A trace can be opened with Perfetto, or in Chrome at chrome://tracing.
func ExampleTimeline_WriteTrace() {
	var trace bytes.Buffer
	if err := twoCalls().WriteTrace(&trace); err != nil {
		panic(err)
	}
	for line := range strings.Lines(trace.String()) {
		if strings.Contains(line, `"ph":"X"`) {
			fmt.Print(line)
		}
	}
	// Output:
	// {"name":"call 1 succeeded","ph":"X","ts":0.000,"dur":1000000.000,"pid":2,"tid":1,"args":{"attempts":1,"call":1,"outcome":"succeeded","times":"1s (run 1s)"}},
	// {"name":"run","ph":"X","ts":0.000,"dur":1000000.000,"pid":2,"tid":1,"args":{"attempt":1}},
	// {"name":"call 2 failed","ph":"X","ts":0.000,"dur":1000000.000,"pid":2,"tid":2,"args":{"attempts":1,"call":2,"error":"404 Not Found","outcome":"failed","times":"1s (slot 1s)"}},
	// {"name":"slot","ph":"X","ts":0.000,"dur":1000000.000,"pid":2,"tid":2,"args":{"attempt":1}},
	// {"name":"run","ph":"X","ts":1000000.000,"dur":0.000,"pid":2,"tid":2,"args":{"attempt":1,"error":"404 Not Found"}}
}

func ExampleTimeline_WriteHTML() {
	file, err := os.CreateTemp("", "timeline-*.html")
	if err != nil {
		panic(err)
	}
	defer os.Remove(file.Name())
	fmt.Println(errors.Join(twoCalls().WriteHTML(file), file.Close()))
	// Output: <nil>
}

// The picture has a text that describes it, for readers who can't see it.
func ExampleTimeline_WriteSVG() {
	var picture bytes.Buffer
	if err := twoCalls().WriteSVG(&picture); err != nil {
		panic(err)
	}
	_, label, _ := strings.Cut(picture.String(), `aria-label="`)
	label, _, _ = strings.Cut(label, `"`)
	fmt.Println(label)
	// Output: 2 calls in 1s: 1 succeeded, 1 failed; 2 attempts; up to 1 waited at once. On average a call took 1s (slot 500ms, run 500ms).
}

// Only some calls of a long run are drawn one by one.
func ExampleTimeline() {
	t := timeline.Timeline{MaxCalls: 100}
	for i := range 1000 {
		t.Add(events.Event{Kind: events.Succeeded, Call: uint64(i + 1), Attempt: 1, Times: events.Times{Run: time.Second}})
	}
	var trace bytes.Buffer
	if err := t.WriteTrace(&trace); err != nil {
		panic(err)
	}
	fmt.Println(strings.Contains(trace.String(), "One call in 16 is drawn, 63 of the 1000 that are over; sums and curves are of all."))
	// Output: true
}

// The calls of each key are a group, with a text that says what they waited for. Here the one call of acme waited
// for the many of noisy.
func ExampleTimeline_keys() {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var t timeline.Timeline
	for i, key := range []string{"noisy", "noisy", "noisy", "acme"} {
		t.Add(events.Event{At: noon, Kind: events.Queued, Call: uint64(i + 1), Key: key, Attempt: 1})
	}
	for i, n := range []uint64{1, 4, 2, 3} { // one a second
		ev := events.Event{At: noon.Add(time.Duration(i+1) * time.Second), Kind: events.Succeeded, Call: n, Key: "noisy", Attempt: 1}
		ev.Times.Queue = time.Duration(i+1) * time.Second
		if n == 4 {
			ev.Key, ev.Times.Turn = "acme", ev.Times.Queue
		}
		t.Add(ev)
	}
	var page bytes.Buffer
	if err := t.WriteHTML(&page); err != nil {
		panic(err)
	}
	for line := range strings.Lines(html.UnescapeString(page.String())) {
		if _, about, ok := strings.Cut(line, `<title>key `); ok {
			fmt.Println(about[:strings.Index(about, "</title>")])
		}
	}
	// Output:
	// "noisy": 3 calls ended: 3 succeeded; on average a call took 2.667s (queue 2.667s)
	// "acme": 1 call ended: 1 succeeded; on average a call took 2s (queue 2s (turn 2s))
}
