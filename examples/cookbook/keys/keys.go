// Package keys sends calls with whichever of several API keys has a turn first.
package keys

import (
	"context"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// Pool has a scheduler for each key, with that key's limit.
type Pool map[string]*scheduler.Scheduler

// Do calls fn with the first key that has a turn. If the API refuses that key with a 429, that key is held, and the
// call waits for the next turn of any key. All other errors are returned.
func (p Pool) Do(ctx context.Context, fn func(ctx context.Context, key string) error) error {
	for refused := 0; ; refused++ {
		key, turn, err := p.first(ctx)
		if err != nil {
			return err
		}
		err = func() error {
			defer turn.Cancel() // if fn panics; does nothing after Done
			err := fn(ctx, key)
			turn.Done(err)
			return err
		}()
		if retry.Classify(err).Kind != retry.KindRateLimited || refused == len(p) {
			return err
		}
	}
}

// first takes a place in the queue of each key, and keeps the first that is granted. The others are canceled, and get
// their tokens back if they were granted meanwhile.
func (p Pool) first(ctx context.Context) (key string, turn *scheduler.Reservation, err error) {
	ready := make(chan string, len(p))
	places := map[string]*scheduler.Reservation{}
	for key, s := range p {
		place, err := s.Reserve(ctx)
		if err != nil {
			return "", nil, err
		}
		places[key] = place
		defer func() {
			if place != turn {
				place.Cancel()
			}
		}()
		go func() { <-place.Ready(); ready <- key }()
	}
	for range places {
		key = <-ready
		if err = places[key].Err(); err == nil {
			return key, places[key], nil
		}
	}
	return "", nil, err // no key has a turn before ctx is done
}
