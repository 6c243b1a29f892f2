package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/fairlead/retry"
)

// errLeft is the error of a line that is left to the next run.
var errLeft = errors.New("left to the next run")

// outage makes attempts wait while the server can't be reached. One request at a time probes whether it is back.
type outage struct {
	probes  retry.Policy  // waits between probes
	maxAway time.Duration // how long to probe

	onAway   func(probe int, err error, wait time.Duration) // is called after each failed probe
	onBack   func(away time.Duration)                       // is called when the server is back
	onGiveUp func(brief string, why error)                  // ends the run

	mu   sync.Mutex
	back chan struct{} // nil while the server can be reached; closed when it is back
}

// reach calls send until the request has reached the server. If ctx is done or the outage lasts too long, it
// returns errLeft, with the latest reply.
func (o *outage) reach(ctx context.Context, send func() reply) (reply, error) {
	var r reply
	for {
		if err := o.wait(ctx); err != nil {
			return r, err
		}
		if r = send(); !r.away {
			return r, nil
		}
		if first := o.begin(); first {
			return o.probe(ctx, send, r)
		}
	}
}

// isAway reports whether the server can't be reached.
func (o *outage) isAway() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.back != nil
}

// wait returns when the server can be reached, or with errLeft when ctx is done.
func (o *outage) wait(ctx context.Context) error {
	o.mu.Lock()
	back := o.back
	o.mu.Unlock()
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

// begin records that the server can't be reached, and reports whether that is new.
func (o *outage) begin() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.back != nil {
		return false
	}
	o.back = make(chan struct{})
	return true
}

// probe sends one line's request again and again until it reaches the server.
func (o *outage) probe(ctx context.Context, send func() reply, r reply) (reply, error) {
	began := time.Now()
	for probe := 1; r.away; probe++ {
		away := time.Since(began)
		if away >= o.maxAway {
			brief := fmt.Sprintf("the server could not be reached for %v", away.Round(time.Millisecond))
			o.onGiveUp(brief, fmt.Errorf("%s, and -max-away is %v: %w", brief, o.maxAway, r.err))
			return r, errLeft
		}
		wait := min(o.probes.Delay(0, probe), o.maxAway-away) // the last probe is at maxAway
		o.onAway(probe, r.err, wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return r, errLeft
		}
		r = send()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.back)
	o.back = nil
	o.onBack(time.Since(began))
	return r, nil
}
