// Queue shows what a program can do with queued calls.
package main

import (
	"context"
	"fmt"
	"log"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

func main() {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(1).Burst(1), MaxInFlight: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	must(s.Pause()) // calls may queue, but none starts

	var calls []*scheduler.Handle
	submit := func(name string, opts ...scheduler.Option) {
		h, err := s.Submit(context.Background(), func(context.Context) error {
			fmt.Println("now serving", name)
			return nil
		}, opts...)
		must(err)
		calls = append(calls, h)
		fmt.Printf("%s is %v\n", name, h.Estimate())
	}
	submit("Ann")
	submit("Bob")
	submit("Eve", scheduler.Priority(1)) // counts as having come a minute earlier
	fmt.Println("Ann now is", calls[0].Estimate())

	must(s.SetLimit(bucket.PerSecond(10).Burst(1)))
	fmt.Println("at ten times the rate Ann is", calls[0].Estimate())
	next, err := s.Estimate()
	must(err)
	fmt.Println("a new call would be", next)

	fmt.Println("served while paused:", s.Snapshot().Totals.Succeeded)
	must(s.Resume())
	for _, h := range calls {
		<-h.Done()
		must(h.Err())
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
