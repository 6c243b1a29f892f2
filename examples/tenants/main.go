// Tenants shows a noisy neighbor. One tenant sends thousands of calls at once, and 49 others one a second each. They share
// a limit, first in one queue and then with a key for each tenant. Both run side by side.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

func main() {
	seconds := flag.Int("seconds", 8, "how long to watch")
	flag.Parse()
	fmt.Print("One tenant sends 10,000 calls at once. 49 others send one a second. All share 100 calls a second.\n\n")
	fmt.Print("the 49 others:    one queue                    a key for each tenant\n")
	queue, keys := start(false), start(true)
	defer queue.s.Close()
	defer keys.s.Close()
	for second := range *seconds {
		for tenant := range 49 {
			queue.call(tenant)
			keys.call(tenant)
			time.Sleep(time.Second / 49)
		}
		fmt.Printf("after %2ds         %-27v  %v\n", second+1, queue, keys)
	}
	fmt.Printf("\nIn the one queue, the first call of the others still is %v.\n", queue.calls[0].Estimate())
}

// side is one of the two schedulers, with the calls of the 49 others.
type side struct {
	s     *scheduler.Scheduler
	keyed bool
	calls []call
}

type call struct {
	*scheduler.Handle
	since time.Time
}

// start opens a scheduler and floods it.
func start(keyed bool) *side {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(100).Burst(1)})
	if err != nil {
		log.Fatal(err)
	}
	all := &side{s: s, keyed: keyed}
	for range 10_000 {
		all.submit("flood")
	}
	return all
}

func (all *side) call(tenant int) {
	all.calls = append(all.calls, call{all.submit(fmt.Sprint("tenant ", tenant)), time.Now()})
}

func (all *side) submit(tenant string) *scheduler.Handle {
	if !all.keyed {
		tenant = ""
	}
	h, err := all.s.Submit(context.Background(), func(context.Context) error { return nil }, scheduler.Key(tenant))
	if err != nil {
		log.Fatal(err)
	}
	return h
}

// String returns how many calls of the others were served, and the longest wait so far.
func (all *side) String() string {
	served, worst := 0, time.Duration(0)
	for _, c := range all.calls {
		wait := time.Since(c.since)
		select {
		case <-c.Done():
			served++
			wait = c.Times().Total()
		default:
		}
		worst = max(worst, wait)
	}
	return fmt.Sprintf("%d of %d, worst wait %v", served, len(all.calls), worst.Round(10*time.Millisecond))
}
