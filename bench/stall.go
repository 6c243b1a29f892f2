package main

import (
	"context"
	"os/exec"
	"time"
)

// stop is how long the process is stopped, as a container without processor time would be.
const stop = 900 * time.Millisecond

// stopParent stops this process a second from now, for 900 ms.
const stopParent = "sleep 1; kill -STOP $PPID; sleep 0.9; kill -CONT $PPID"

// measureStall stops this process while a crowd waits for tokens. It counts the tokens that a
// server with the same limit and a full bucket would not have had.
func measureStall(j job) numbers {
	c := newCrowd(j.N)
	stopper := exec.Command("sh", "-c", stopParent)
	check(stopper.Start())
	c.arrive(j, func(int) context.Context { return context.Background() })
	c.over.Wait()
	check(stopper.Wait())
	longest := time.Duration(0)
	order := byTime(c.granted)
	for k := 1; k < len(order); k++ {
		longest = max(longest, c.granted[order[k]]-c.granted[order[k-1]])
	}
	if longest < stop/2 {
		panic("the process was not stopped")
	}
	return numbers{"over in any window": float64(over(j.limit(), c.granted))}
}
