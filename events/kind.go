package events

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind says what happened.
type Kind uint8

// The kinds of events. A call goes through one or more rounds of
//
//	Queued, Granted, Started, Retrying
//
// and ends, at any point of a round, in one of Succeeded, Failed, Exhausted, Canceled,
// Closed or Dropped. A call that is accepted but arrives later begins with Later. A call that is
// not accepted has a single event, Refused. The kinds from Held to ShutDown are about the scheduler.
const (
	_            Kind = iota
	Queued            // waits for tokens: Position, Wait
	Granted           // has paid its tokens, at exactly the time At
	Started           // its function is about to run; reservations and requests of ratehttp have no such event
	Retrying          // the attempt failed and will be repeated: Delay, Err
	Succeeded         // the function returned nil
	Failed            // an error that is not retried, a panic, a Goexit or a cost above a lowered capacity: Err
	Exhausted         // no retry is left, or it would begin after MaxElapsed, or the server asked for too long a wait: Err
	Canceled          // its context was done, its handle was canceled or its deadline was out of reach: Err
	Closed            // the scheduler was closed before the call could finish: Err
	Dropped           // the queue was full and the call ranked last: Err
	Refused           // not accepted: Err
	Held              // a server asked for a wait: no grant before Until
	Paused            // by the user, or after a long sleep of the machine: no grant until Resumed
	Resumed           // the pause is over
	RateChanged       // an adaptive rate was halved, or has risen again: Rate
	ShutDown          // the scheduler has ended; the last event of a subscription
	Later             // accepted, and arrives at Until, for scheduler.NotBefore or Delay: Delay, Until
	StoreAway         // the store of a budget that processes share has not answered for a second: Err, if an exchange has failed
	StoreBack         // the store answers again
	StoreReset        // the store is new or may have lost what it knew, and sells no tokens before Until: Delay, Until
	LimitChanged      // another process has another limit for a shared budget, and that is in force: Snapshot has it
	kinds
)

var kindNames = [kinds]string{
	Queued:      "queued",
	Granted:     "granted",
	Started:     "started",
	Retrying:    "retrying",
	Succeeded:   "succeeded",
	Failed:      "failed",
	Exhausted:   "exhausted",
	Canceled:    "canceled",
	Closed:      "closed",
	Dropped:     "dropped",
	Refused:     "refused",
	Held:        "held",
	Paused:      "paused",
	Resumed:     "resumed",
	RateChanged: "rate changed",
	ShutDown:    "shut down",
	Later:       "later",

	StoreAway:    "store away",
	StoreBack:    "store back",
	StoreReset:   "store reset",
	LimitChanged: "limit changed",
}

// String returns the kind in lower case, such as "retrying".
func (k Kind) String() string {
	if k == 0 || k >= kinds {
		return "Kind(" + strconv.Itoa(int(k)) + ")"
	}
	return kindNames[k]
}

// name returns the kind's name without spaces, such as "rate_changed".
func (k Kind) name() string { return strings.ReplaceAll(k.String(), " ", "_") }

// MarshalText returns the name of [Kind.String] with underscores for spaces. These names will
// not change.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.name()), nil }

// UnmarshalText reads a name as MarshalText writes it.
func (k *Kind) UnmarshalText(text []byte) error {
	var names []string
	for kind := Queued; kind < kinds; kind++ {
		if kind.name() == string(text) {
			*k = kind
			return nil
		}
		names = append(names, kind.name())
	}
	return fmt.Errorf("events: %q is not the name of a kind: it must be one of %s", text, strings.Join(names, ", "))
}

// Ends reports whether an event of this kind is the last of its call.
func (k Kind) Ends() bool { return Ends.Has(k) }

// Kinds is a set of kinds. Sets are joined with |, and a &^ b has the kinds of a that are not in b.
// The zero Kinds is empty.
type Kinds uint32

// All is the set of all kinds. Ends has those that end a call.
const (
	All  Kinds = 1<<kinds - 2
	Ends Kinds = 1<<Succeeded | 1<<Failed | 1<<Exhausted | 1<<Canceled | 1<<Closed | 1<<Dropped | 1<<Refused
)

// Of returns the set of the given kinds.
func Of(list ...Kind) Kinds {
	var set Kinds
	for _, k := range list {
		set |= 1 << k & All
	}
	return set
}

// Has reports whether k is in the set.
func (s Kinds) Has(k Kind) bool { return s>>k&1 != 0 }
