package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
)

// storeWatch says when the stores of a shared budget are away, and keeps for how long they were. It says, too, when a
// store sells nothing for a while, and which limit counts if it is not that of this run.
type storeWatch struct {
	say     func(string)
	name    string // of the budget, and where it is
	maxAway time.Duration
	giveUp  func(brief string, why error) // ends the run

	mu     sync.Mutex
	gone   map[string]bool         // budgets whose stores are away
	limits map[string]bucket.Limit // the limits that the user knows of: those of this run, and those that were said
	until  map[string]time.Time    // until when each budget sells none, as was said
	since  time.Time               // when the first of them went away
	limit  *time.Timer             // calls giveUp
	times  int                     // how often stores were away
	total  time.Duration           // for how long, without the current time
}

// watchStores watches the stores until the function that it returns is called, after the scheduler is closed.
func (b *batch) watchStores() (stop func()) {
	if !b.cfg.shared.on() {
		return func() {}
	}
	b.away = &storeWatch{
		say: b.say, name: b.cfg.shared.String(), maxAway: b.cfg.maxAway, giveUp: b.stop,
		gone: map[string]bool{}, limits: b.cfg.limits(), until: map[string]time.Time{},
	}
	sub, done := b.s.Subscribe(events.Of(events.StoreAway, events.StoreBack, events.StoreReset, events.LimitChanged)), make(chan struct{})
	b.away.catchUp(b.s.Snapshot()) // the scheduler has exchanged with the stores since it was made
	go func() {
		defer close(done)
		for ev := range sub.C {
			b.away.add(ev)
			if ev.Kind == events.LimitChanged {
				b.away.addLimit(b.s.Snapshot(), ev.Budget)
			}
		}
	}()
	return func() {
		b.s.Close()
		<-done
	}
}

// catchUp takes what happened before there was a subscription.
func (w *storeWatch) catchUp(snap scheduler.Snapshot) {
	for _, budget := range snap.Budgets {
		is := budget.Store
		if is.Away {
			ev := events.Event{At: is.AwaySince.Add(time.Second), Kind: events.StoreAway, Budget: budget.Name}
			if is.Err != "" {
				ev.Err = errors.New(is.Err)
			}
			w.add(ev)
		}
		if !is.SellsFrom.IsZero() {
			w.add(events.Event{Kind: events.StoreReset, Budget: budget.Name, Delay: is.SellsFrom.Sub(snap.At), Until: is.SellsFrom})
		}
		w.addLimit(snap, budget.Name)
	}
}

// addLimit says which limit counts for a budget, if the user does not know of it.
func (w *storeWatch) addLimit(snap scheduler.Snapshot, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, budget := range snap.Budgets {
		if budget.Name == name && w.limits[name] != budget.Limit {
			w.limits[budget.Name] = budget.Limit
			l := budget.Limit
			w.say(fmt.Sprintf("the shared budget of %s has a limit already, which counts instead of this command's: %.0f a minute, %d at once: "+
				"to change it, see \"Several machines\" in batch's README", name, float64(l.Refill)*float64(time.Minute)/float64(l.Per), l.Capacity))
		}
	}
}

// add handles an event of a store. It says nothing of an event that catchUp has handled before.
func (w *storeWatch) add(ev events.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch ev.Kind {
	case events.StoreAway:
		if w.gone[ev.Budget] {
			return
		}
		if w.gone[ev.Budget] = true; len(w.gone) > 1 {
			return
		}
		w.since, w.times = ev.At.Add(-time.Second), w.times+1 // the event comes after a second
		w.limit = time.AfterFunc(w.maxAway, w.stop)
		reason := errors.New("no answer")
		if ev.Err != nil {
			reason = ev.Err
		}
		w.say(fmt.Sprintf("the shared budget %s does not answer (%s): requests wait until it does", w.name, short(cause(reason).Error())))
	case events.StoreBack:
		if !w.gone[ev.Budget] {
			return
		}
		if delete(w.gone, ev.Budget); len(w.gone) > 0 {
			return
		}
		w.limit.Stop()
		away := ev.At.Sub(w.since)
		w.total += away
		w.say(fmt.Sprintf("the shared budget answers again after %v", away.Round(100*time.Millisecond)))
	case events.StoreReset:
		if w.until[ev.Budget].Equal(ev.Until) {
			return
		}
		w.until[ev.Budget] = ev.Until
		w.say(fmt.Sprintf("the shared budget of %s is new, or its store has lost it: it sells none for %v", ev.Budget, ev.Delay.Round(100*time.Millisecond)))
	}
}

// stop ends the run, since the stores were away for too long.
func (w *storeWatch) stop() {
	brief := fmt.Sprintf("the shared budget did not answer for %v", w.maxAway)
	w.giveUp(brief, fmt.Errorf("%s, which is -max-away: see that its store runs, and the same command continues from here", brief))
}

// summary returns how often and how long the stores were away, or "" if they never were.
func (w *storeWatch) summary() string {
	if w == nil {
		return ""
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	total := w.total
	if len(w.gone) > 0 {
		total += time.Since(w.since)
	}
	switch w.times {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("once, %v", total.Round(100*time.Millisecond))
	}
	return fmt.Sprintf("%d times, %v in all", w.times, total.Round(100*time.Millisecond))
}
