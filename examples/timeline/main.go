// Timeline draws 40 calls, some of which fail and one of which holds all others:
//
//	go run ./timeline timeline.html timeline.json
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"sync/atomic"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/events/timeline"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: timeline page.html trace.json")
	}
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(50).Burst(10), MaxInFlight: 4, Retry: retry.Policy{MaxRetries: 2, Initial: time.Second / 10}})
	if err != nil {
		log.Fatal(err)
	}
	var tl timeline.Timeline
	sub, done := s.Subscribe(events.All), make(chan struct{})
	go func() {
		defer close(done)
		for ev := range sub.C { // until the scheduler is closed
			tl.Add(ev)
		}
	}()
	var held atomic.Bool
	for i := range 40 {
		_, _ = s.Submit(context.Background(), func(context.Context) error {
			time.Sleep(time.Duration(5+i%4*10) * time.Millisecond)
			if i == 12 && held.CompareAndSwap(false, true) {
				return retry.After(errors.New("429 Too Many Requests"), 300*time.Millisecond)
			} else if i%13 != 7 {
				return nil
			}
			return retry.Transient(errors.New("connection reset"))
		}, scheduler.Name(fmt.Sprint("page ", i)))
	}
	_, _ = s.Shutdown(context.Background()) // returns when all calls have ended
	<-done
	for i, draw := range []func(io.Writer) error{tl.WriteHTML, tl.WriteTrace} {
		f, err := os.Create(os.Args[i+1])
		if err := errors.Join(err, draw(f), f.Close()); err != nil {
			log.Fatal(err)
		}
	}
}
