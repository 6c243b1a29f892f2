package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/fairlead/retry"
)

// errLeft is why a line has no result: it is left to the next run.
var errLeft = errors.New("left to the next run")

// door holds everything up while the server can't be reached. One request at a time knocks.
type door struct {
	knocks  retry.Policy  // how long to wait from one knock to the next
	maxAway time.Duration // how long to knock

	shut func(knock int, err error, wait time.Duration) // is told that the server can't be reached
	open func(away time.Duration)                       // is told when it is back
	stop func(error)                                    // ends the run

	mu   sync.Mutex
	back chan struct{} // nil while the server is there, closed when it is back
}

// pass calls send until it has reached the server. It fails only with errLeft, if that is given up because
// ctx is done or the server is away for too long; what it returns then is of the latest try.
func (d *door) pass(ctx context.Context, send func() reply) (reply, error) {
	var r reply
	for {
		if err := d.wait(ctx); err != nil {
			return r, err
		}
		if r = send(); !r.away {
			return r, nil
		}
		if first := d.close(); first {
			return d.knock(ctx, send, r)
		}
	}
}

// wait returns when the server is there.
func (d *door) wait(ctx context.Context) error {
	d.mu.Lock()
	back := d.back
	d.mu.Unlock()
	if back == nil {
		return nil
	}
	select {
	case <-back:
		return nil
	case <-ctx.Done():
		return errLeft
	}
}

// close shuts the door, and reports whether it was open.
func (d *door) close() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.back != nil {
		return false
	}
	d.back = make(chan struct{})
	return true
}

// knock sends one line's request again and again until it reaches the server.
func (d *door) knock(ctx context.Context, send func() reply, r reply) (reply, error) {
	began := time.Now()
	for knock := 1; r.away; knock++ {
		wait := d.knocks.Delay(0, knock)
		if away := time.Since(began); away+wait > d.maxAway {
			d.stop(fmt.Errorf("the server could not be reached for %v, and -max-away is %v: %w", away.Round(time.Millisecond), d.maxAway, r.err))
			return r, errLeft
		}
		d.shut(knock, r.err, wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return r, errLeft
		}
		r = send()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.back)
	d.back = nil
	d.open(time.Since(began))
	return r, nil
}
