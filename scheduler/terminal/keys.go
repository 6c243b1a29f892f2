package terminal

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/clipperhouse/displaywidth"

	"example.com/fairlead/events"
	"example.com/fairlead/events/bykey"
	"example.com/fairlead/scheduler"
)

// load is what one key has in the scheduler.
type load struct {
	key             string // "" for calls without a key
	queued, running int
	wait            time.Duration // how long the first of them has been queued, if that is known
}

// loads has the most loaded keys, the most loaded first, and the rest.
type loads struct {
	keys   []load
	others load
}

// keyWatch finds the most loaded keys. Events say which these are, and the scheduler what they have.
type keyWatch struct {
	s    *scheduler.Scheduler
	most int
	sums bykey.Sums
	sub  *events.Subscription
	done chan struct{}
}

// watchKeys begins to watch the keys of a scheduler.
func watchKeys(s *scheduler.Scheduler, most int) *keyWatch {
	w := &keyWatch{s: s, most: most, done: make(chan struct{})}
	w.sub = s.Subscribe(events.Ends | events.Of(events.Queued, events.Granted, events.Retrying, events.ShutDown))
	go func() {
		defer close(w.done)
		for ev := range w.sub.C {
			w.sums.Add(ev)
		}
	}()
	return w
}

func (w *keyWatch) stop() {
	w.s.Sync() // the events of all that the program has done so far are there
	w.sub.Close()
	<-w.done
}

// look returns the most loaded keys at about the time of a snapshot. There are none if no call has a key.
func (w *keyWatch) look(snap scheduler.Snapshot) (all loads) {
	keyed := false
	all.others = load{queued: snap.Queued, running: snap.Running}
	for _, k := range w.sums.Report(w.most).Keys {
		is, err := w.s.SnapshotOf(k.Key)
		if err != nil || is.Queued+is.Running == 0 {
			continue
		}
		l := load{key: k.Key, queued: is.Queued, running: is.Running}
		if !k.Since.IsZero() {
			l.wait = max(0, snap.At.Sub(k.Since))
		}
		keyed = keyed || l.key != ""
		all.keys = append(all.keys, l)
		all.others.queued = max(0, all.others.queued-l.queued)
		all.others.running = max(0, all.others.running-l.running)
	}
	if !keyed {
		return loads{}
	}
	slices.SortStableFunc(all.keys, func(a, b load) int { return cmp.Compare(b.queued+b.running, a.queued+a.running) })
	return all
}

// String returns what a key has, such as "12 queued, 3 running, longest wait 2.5s".
func (l load) String() string {
	s := fmt.Sprintf("%d queued, %d running", l.queued, l.running)
	if l.queued > 0 && l.wait > 0 {
		s += ", longest wait " + short(l.wait)
	}
	return s
}

// name returns the name of a key for people.
func (l load) name(ascii bool) string {
	if l.key == "" {
		return "(no key)"
	}
	return clean(l.key, ascii)
}

// rows returns the names of all keys, and what they have.
func (all loads) rows(ascii bool) (names, has []string) {
	for _, l := range all.keys {
		names, has = append(names, l.name(ascii)), append(has, l.String())
	}
	if len(all.keys) > 0 && all.others.queued+all.others.running > 0 {
		names, has = append(names, "(others)"), append(has, all.others.String())
	}
	return names, has
}

// maxName is how many columns the name of a key takes at most.
const maxName = 24

// lines returns a line for each key, with the names below one another.
func (all loads) lines(ascii bool, tail string, width int) (list []line) {
	names, has := all.rows(ascii)
	column := 0
	for i, name := range names {
		names[i] = line{{name, ""}}.cut(maxName, tail).String()
		column = max(column, displaywidth.String(names[i]))
	}
	for i, name := range names {
		gap := column - displaywidth.String(name) + 2
		l := line{{fmt.Sprintf("%s%*s%s", name, gap, "", has[i]), ""}}
		list = append(list, l.cut(width, tail))
	}
	return list
}

// text returns the same for one line of text, or "".
func (all loads) text() (s string) {
	names, has := all.rows(false)
	for i, name := range names {
		s += "; " + name + ": " + has[i]
	}
	return s
}
